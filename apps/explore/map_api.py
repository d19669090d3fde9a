from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.wake import wake_on_commit
from apps.explore import map_queries
from apps.explore.models import Projection
from apps.explore.services import projection
from apps.projects.access import Capability, project_for


class RegionOut(serializers.Serializer[Any]):
    outline = serializers.ListField(child=serializers.ListField(child=serializers.FloatField()))
    typical = serializers.IntegerField(help_text="the item nearest to its middle")
    n = serializers.IntegerField()


class MapOut(serializers.ModelSerializer[Projection]):
    regions = RegionOut(many=True)

    class Meta:
        model = Projection
        fields = ("id", "state", "progress", "n", "total", "quality", "regions", "seconds", "error", "created_at")


class MapsOut(serializers.Serializer[Any]):
    shown = MapOut(allow_null=True)
    latest = MapOut(allow_null=True, help_text="queued, running or failed, where that is newer than what is shown")


class MapApi(APIView):
    """The map of the content; its points are at the page's own address."""

    @extend_schema(operation_id="map", responses=MapsOut)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        shown, latest = map_queries.newest(project), map_queries.latest_try(project)
        return Response(MapsOut({"shown": shown, "latest": latest if latest != shown else None}).data)

    @extend_schema(operation_id="map_draw", request=None, responses={202: MapOut})
    def post(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        made = projection.ask(project_for(user, slug, need=Capability.REVIEW), user)
        wake_on_commit("explore.draw", made.pk)
        return Response(MapOut(made).data, status=status.HTTP_202_ACCEPTED)
