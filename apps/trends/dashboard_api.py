"""The dashboard's blocks for machines."""

from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.projects.access import Capability, project_for
from apps.trends.dashboard_blocks import BLOCKS
from apps.trends.dashboard_views import PERIODS, desk_of


class DashboardApi(APIView):
    """Volume, open tickets, waiting times, fixes, satisfaction and the live model's quality, as tables."""

    class Query(serializers.Serializer[Any]):
        days = serializers.ChoiceField(choices=PERIODS, required=False, default=PERIODS[0])
        block = serializers.ChoiceField(choices=list(BLOCKS), required=False, help_text="Only this one.")

    class Output(serializers.Serializer[Any]):
        class Block(serializers.Serializer[Any]):
            columns = serializers.ListField(child=serializers.CharField())
            rows = serializers.ListField(child=serializers.ListField())

        first = serializers.DateField()
        last = serializers.DateField()
        blocks = serializers.DictField(child=Block())

    @extend_schema(operation_id="dashboard", parameters=[Query], responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.VIEW)
        given = self.Query(data=request.query_params)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        desk = desk_of(user, project, int(data["days"]))
        wanted = [data["block"]] if data.get("block") else list(BLOCKS)
        made = {key: BLOCKS[key](desk) for key in wanted}
        blocks = {
            key: {
                "columns": [column.key for column in block.columns],
                "rows": [[cell.value for cell in row] for row in block.rows],
            }
            for key, block in made.items()
        }
        return Response({"first": desk.over.first, "last": desk.over.last, "blocks": blocks})
