from collections.abc import Iterable
from typing import Any, cast

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.export_rows import why_not
from apps.annotation.export_views import file_of
from apps.annotation.exports import FILE_TYPES, Choice
from apps.common.errors import InvalidInput
from apps.content.models import Split
from apps.projects.access import Capability, project_for


class WhateverIsAccepted(BaseContentNegotiation):
    """The query says which kind of file; a client that asks for text/csv is not refused for it."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class Export(APIView):
    scopes = {"GET": "read"}
    content_negotiation_class = WhateverIsAccepted

    class Input(serializers.Serializer[Any]):
        file_type = serializers.ChoiceField(choices=FILE_TYPES, default="jsonl")
        annotations = serializers.BooleanField(default=False)
        predictions = serializers.BooleanField(default=False)
        names = serializers.BooleanField(default=False, help_text="people's names instead of pseudonyms")
        split = serializers.ChoiceField(choices=Split.choices, required=False)
        labelled = serializers.BooleanField(default=False, help_text="only items that have a truth")

    @extend_schema(
        operation_id="export",
        parameters=[Input],
        responses={
            (200, "application/x-ndjson"): OpenApiResponse(OpenApiTypes.BINARY),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.BINARY),
            (200, "application/json"): OpenApiResponse(OpenApiTypes.BINARY),
            (200, "text/plain"): OpenApiResponse(OpenApiTypes.BINARY),
            (200, "application/vnd.apache.parquet"): OpenApiResponse(OpenApiTypes.BINARY),
        },
    )
    def get(self, request: Request, slug: str) -> StreamingHttpResponse:
        project = project_for(cast(User, request.user), slug, need=Capability.REVIEW)
        given = self.Input(data=request.query_params)
        given.is_valid(raise_exception=True)
        choice = Choice(**given.validated_data)
        if refusal := why_not(choice.file_type, project.task_kind):
            raise InvalidInput(refusal, field="file_type")
        return file_of(project, choice)
