from typing import Any, cast

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.pagination import PageQuery, page_after, page_body
from apps.feedback.models import RegressionCase
from apps.feedback.services import cases as services
from apps.projects.access import Capability, project_for


class CaseOut(serializers.ModelSerializer[RegressionCase]):
    ticket = serializers.IntegerField(source="ticket.number", default=None, allow_null=True)
    item = serializers.IntegerField(source="item_id")
    text = serializers.CharField(source="item.text")
    label = serializers.IntegerField(source="label_id", allow_null=True)  # type: ignore[assignment]
    failed = serializers.SerializerMethodField(help_text="Numbers of the versions known to get it wrong at its birth.")

    class Meta:
        model = RegressionCase
        fields = [
            *("id", "ticket", "item", "text", "label", "value", "pinned", "failed"),
            *("created_at", "retired_at", "why_retired"),
        ]
        read_only_fields = fields

    def get_failed(self, case: RegressionCase) -> list[int]:
        return sorted(version.number for version in case.failed.all())


class CaseQuery(PageQuery):
    retired = serializers.BooleanField(required=False, default=False)
    pinned = serializers.BooleanField(required=False, allow_null=True, default=None)


class Cases(APIView):
    """Texts with the answers that every new version must give, newest first."""

    @extend_schema(
        operation_id="cases_list",
        parameters=[CaseQuery],
        responses=inline_serializer(
            "CasePage", {"results": CaseOut(many=True), "next": serializers.CharField(allow_null=True)}
        ),
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
        given = CaseQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        asked = dict(given.validated_data)
        found = project.regression_cases.filter(retired_at__isnull=not asked.pop("retired"))
        pinned = asked.pop("pinned")
        found = found if pinned is None else found.filter(pinned=pinned)
        found = found.select_related("item", "ticket").prefetch_related("failed")
        page = page_after(found, **asked, newest_first=True)
        return Response(page_body(page, lambda case: CaseOut(case).data))


class CaseDetail(APIView):
    """Pin or unpin, or retire with a reason."""

    class Input(serializers.Serializer[Any]):
        pinned = serializers.BooleanField(required=False)
        retired = serializers.BooleanField(required=False, default=False, help_text="true retires it; for good.")
        why = serializers.CharField(required=False, default="", allow_blank=True, max_length=services.MOST_WHY)

    @extend_schema(operation_id="case_detail", responses=CaseOut)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(CaseOut(self._case(request, slug, pk)).data)

    @extend_schema(operation_id="case_change", request=Input, responses=CaseOut)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        case, by = self._case(request, slug, pk), cast(User, request.user)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        if "pinned" in given.validated_data:
            services.pin(case, by, pinned=given.validated_data["pinned"])
        if given.validated_data["retired"]:
            services.retire(case, by, given.validated_data["why"])
        return Response(CaseOut(case).data)

    @staticmethod
    def _case(request: Request, slug: str, pk: int) -> RegressionCase:
        project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
        return get_object_or_404(project.regression_cases.select_related("item", "ticket", "label"), pk=pk)
