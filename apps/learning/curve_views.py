from typing import cast

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.http import UserRequest
from apps.accounts.models import User
from apps.annotation.queries import holdout_labelled
from apps.learning import queries
from apps.learning.curve import Size, draw
from apps.learning.models import LiveHead
from apps.projects import access
from apps.projects.access import Capability


@login_required
@require_safe
def curve(request: UserRequest, slug: str) -> HttpResponse:
    """The piece alone. It asks for itself every few seconds and names what it shows: nothing new, no content."""
    project = access.project_for(request.user, slug, need=Capability.VIEW)
    size: Size = "large" if request.GET.get("size") == "large" else "small"
    newest = queries.newest_curve_point(project)
    head = LiveHead.objects.filter(project=project).only("n_labels").first()
    held = 0 if newest else holdout_labelled(project)
    labels = head.n_labels if head else 0
    state = f"{newest}" if newest else f"0-{labels}-{held}"
    if request.GET.get("shown") == state:
        return HttpResponse(status=204)
    points = queries.curve_points(project)
    return render(
        request,
        "learning/_curve.html",
        {
            "project": project,
            "size": size,
            "state": state,
            "points": points[-20:][::-1],
            "drawing": draw(points, size) if points else None,
            "held": held,
            "labels": labels,
        },
    )


class CurveApi(APIView):
    """The live head on the labelled hold-out, after every refit."""

    class Output(serializers.Serializer[object]):
        revision = serializers.IntegerField()
        n_labels = serializers.IntegerField()
        n_holdout = serializers.IntegerField()
        accuracy = serializers.FloatField()
        low = serializers.FloatField()
        high = serializers.FloatField()
        macro_f1 = serializers.FloatField()
        at = serializers.DateTimeField()

    @extend_schema(operation_id="curve", responses=Output(many=True))
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(cast(User, request.user), slug, need=Capability.VIEW)
        return Response(self.Output(queries.curve_points(project), many=True).data)
