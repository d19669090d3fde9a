from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.services import relabelling
from apps.common.forms import LARGEST
from apps.projects.access import Capability, project_for
from apps.projects.models import Label


class TouchedQuery(serializers.Serializer[Any]):
    label = serializers.ListField(  # type: ignore[assignment]  # also an attribute of Field
        child=serializers.IntegerField(min_value=1, max_value=LARGEST), max_length=200, help_text="may be repeated"
    )


class TouchedOut(serializers.Serializer[Any]):
    truths = serializers.IntegerField()
    gold = serializers.IntegerField()
    holdout = serializers.IntegerField()
    answers = serializers.IntegerField()


class Touched(APIView):
    """What speaks of these labels now: what a merge, a split or an archiving of them would touch."""

    @extend_schema(operation_id="labels_touched", parameters=[TouchedQuery], responses=TouchedOut)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        given = TouchedQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        labels = list(Label.objects.filter(project=project, pk__in=given.validated_data["label"]))
        return Response(TouchedOut(relabelling.preview(project, labels)).data)
