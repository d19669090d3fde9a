from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.models import Change
from apps.annotation.services import changes
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.content.models import Item
from apps.explore.services import neighbours
from apps.explore.similar_forms import MOST, SimilarForm
from apps.projects.access import Capability, project_for


class SimilarQuery(serializers.Serializer[Any]):
    item = serializers.IntegerField()
    k = serializers.IntegerField(min_value=1, max_value=neighbours.MOST, default=neighbours.NEAREST)
    labelled = serializers.BooleanField(default=False, help_text="only neighbours with a label, instead of without")


class NeighbourOut(serializers.Serializer[Any]):
    item = serializers.IntegerField(source="item.pk")
    text = serializers.CharField(source="item.text")
    similarity = serializers.FloatField(help_text="cosine")
    label = serializers.IntegerField(source="truth.label_id", allow_null=True, default=None)  # type: ignore[assignment]


class SimilarIn(serializers.Serializer[Any]):
    items = serializers.ListField(child=serializers.IntegerField(), max_length=MOST)
    label = serializers.IntegerField(required=False)  # type: ignore[assignment]
    labels = serializers.ListField(child=serializers.IntegerField(), required=False)
    none = serializers.BooleanField(required=False, help_text="several labels: none of them fits")


class SweepOut(serializers.Serializer[Any]):
    change = serializers.IntegerField(source="pk")
    n = serializers.IntegerField(help_text="items labelled")
    left_out = serializers.DictField(child=serializers.IntegerField(), source="what.left_out", default=dict)


class SweepUndoIn(serializers.Serializer[Any]):
    change = serializers.IntegerField()


class SimilarApi(APIView):
    """Texts like one text, most similar first; and one label for many of them."""

    @extend_schema(operation_id="similar", parameters=[SimilarQuery], responses=NeighbourOut(many=True))
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.ANNOTATE)
        given = SimilarQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        item = get_object_or_404(Item, project=project, pk=given.validated_data["item"])
        found = neighbours.nearest(
            project, item, k=given.validated_data["k"], labelled=given.validated_data["labelled"]
        )
        return Response(NeighbourOut(found or [], many=True).data)

    @extend_schema(operation_id="similar_label", request=SimilarIn, responses={201: SweepOut})
    def post(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.ANNOTATE)
        given = SimilarIn(data=request.data)
        given.is_valid(raise_exception=True)
        form = SimilarForm(project, given.validated_data)
        if not form.is_valid():
            raise InvalidInput(first_error(form), field=next(iter(form.errors)))
        items = form.cleaned_data["items"]
        change = changes.set_truth(project, user, items, kind=Change.Kind.SIMILAR, **form.answer)
        return Response(SweepOut(change).data, status=status.HTTP_201_CREATED)


class SimilarUndoApi(APIView):
    """Take back one act of one's own."""

    @extend_schema(operation_id="similar_undo", request=SweepUndoIn, responses=SweepOut)
    def post(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.ANNOTATE)
        given = SweepUndoIn(data=request.data)
        given.is_valid(raise_exception=True)
        mine = Change.objects.filter(project=project, kind=Change.Kind.SIMILAR, by=user)
        change = get_object_or_404(mine, pk=given.validated_data["change"])
        return Response(SweepOut(changes.take_back(change, user)).data)
