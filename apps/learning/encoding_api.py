from typing import Any, cast

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.learning import queries
from apps.projects import access
from apps.projects.access import Capability


class EncodingApi(APIView):
    """How far the vectors have come; until an item has one, the live head cannot choose it."""

    class Output(serializers.Serializer[Any]):
        done = serializers.IntegerField()
        total = serializers.IntegerField()
        finished = serializers.BooleanField()
        rate = serializers.FloatField(allow_null=True, help_text="texts a second")
        eta_seconds = serializers.FloatField(allow_null=True)
        working = serializers.BooleanField()
        error = serializers.CharField()
        runtime = serializers.CharField(help_text="What computes them: torch, onnx-fp32, onnx-int8 …")
        parity = serializers.CharField(help_text="Why, and how close its vectors are to the plain model's.")

    @extend_schema(operation_id="encoding", responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        project = access.project_for(cast(User, request.user), slug, need=Capability.VIEW)
        progress, row = queries.encoding_progress(project), queries.encoding_of(project)
        told = {"runtime": row.runtime if row else "", "parity": row.parity if row else ""}
        fields = ("done", "total", "finished", "rate", "eta_seconds", "working", "error")
        return Response(self.Output({name: getattr(progress, name) for name in fields} | told).data)
