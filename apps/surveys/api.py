from typing import Any, cast

from django.http import StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.annotation.export_api import WhateverIsAccepted
from apps.common.pagination import PageQuery, page_after, page_body
from apps.projects.access import Capability, project_for
from apps.surveys import queries, results, services
from apps.surveys.models import Question, Survey
from apps.surveys.result_views import file_of, where_of
from apps.surveys.wording import CHINESE, ENGLISH
from workers.learning.types import Interval


class QuestionOut(serializers.ModelSerializer[Question]):
    class Meta:
        model = Question
        fields = ["id", "kind", "wording_en", "wording_zh", "options", "required"]
        read_only_fields = fields


class QuestionIn(serializers.ModelSerializer[Question]):
    class Option(serializers.Serializer[Any]):
        en = serializers.CharField(required=False, allow_blank=True, default="")
        zh = serializers.CharField(required=False, allow_blank=True, default="")

    options = Option(many=True, required=False)

    class Meta:
        model = Question
        fields = ["kind", "wording_en", "wording_zh", "options", "required"]


class SurveyOut(serializers.ModelSerializer[Survey]):
    questions = QuestionOut(many=True, read_only=True)
    responses = serializers.IntegerField(source="n_responses", read_only=True)

    class Meta:
        model = Survey
        fields = [
            *("id", "token", "state", "title_en", "title_zh", "intro_en", "intro_zh", "quota", "once", "questions"),
            *("responses", "created_at", "opened_at", "closed_at"),
        ]
        read_only_fields = fields


class SurveyIn(serializers.ModelSerializer[Survey]):
    questions = QuestionIn(many=True, required=False)

    class Meta:
        model = Survey
        fields = ["title_en", "title_zh", "intro_en", "intro_zh", "quota", "once", "questions"]


class SurveyChange(serializers.ModelSerializer[Survey]):
    state = serializers.ChoiceField([Survey.State.OPEN, Survey.State.CLOSED], required=False)

    class Meta:
        model = Survey
        fields = ["title_en", "title_zh", "intro_en", "intro_zh", "quota", "once", "state"]


def _found(request: Request, slug: str, pk: int) -> Survey:
    project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
    return get_object_or_404(queries.surveys(project).select_related("project"), pk=pk)


class Surveys(APIView):
    @extend_schema(operation_id="surveys_list", parameters=[PageQuery], responses=SurveyOut(many=True))
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.TRIAGE)
        query = PageQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        rows = queries.surveys(project).prefetch_related("questions")
        page = page_after(rows, **query.validated_data, newest_first=True)
        return Response(page_body(page, lambda survey: SurveyOut(survey).data))

    @extend_schema(operation_id="surveys_create", request=SurveyIn, responses={201: SurveyOut})
    def post(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.TRIAGE)
        given = SurveyIn(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.create(project, by=user, **given.validated_data)
        return Response(SurveyOut(queries.surveys(project).get(pk=made.pk)).data, status=status.HTTP_201_CREATED)


class SurveyDetail(APIView):
    @extend_schema(operation_id="surveys_read", responses=SurveyOut)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(SurveyOut(_found(request, slug, pk)).data)

    @extend_schema(operation_id="surveys_change", request=SurveyChange(partial=True), responses=SurveyOut)
    def patch(self, request: Request, slug: str, pk: int) -> Response:
        """Words while it is a draft, the quota at any time; `state` opens and closes."""
        survey = _found(request, slug, pk)
        given = SurveyChange(survey, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        fields = dict(given.validated_data)
        state = fields.pop("state", None)
        if fields:
            services.change(survey, **fields)
        if state == Survey.State.OPEN:
            services.open_survey(survey)
        elif state == Survey.State.CLOSED:
            services.close(survey)
        return Response(SurveyOut(_found(request, slug, pk)).data)


_WHERE = OpenApiParameter("where", str, description="`<question>:<answer>`: only those who gave this answer.")


class SurveyResults(APIView):
    @extend_schema(
        operation_id="survey_results",
        parameters=[_WHERE, OpenApiParameter("language", str, enum=[ENGLISH, CHINESE])],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request, slug: str, pk: int) -> Response:
        survey = _found(request, slug, pk)
        language = CHINESE if request.query_params.get("language", "").startswith("zh") else ENGLISH
        found = results.results(survey, language, where_of(survey, request.query_params.get("where", "")))
        return Response({"responses": found.n, "questions": [_result(one) for one in found.results]})


def _result(one: results.Result) -> dict[str, Any]:
    body: dict[str, Any] = {"id": one.question.pk, "kind": one.question.kind, "words": one.words, "answers": one.n}
    body["distribution"] = [
        {"value": bar.value, "words": bar.words, "n": bar.n, "share": bar.share, **_interval(bar.interval)}
        for bar in one.bars
    ]
    if one.mean:
        body["mean"] = {"value": one.mean.value, **_interval(one.mean.interval)}
    if one.net:
        body["net_promoter_score"] = {"value": one.net.value, **_interval(one.net.interval)}
    body["weeks"] = [
        {"begins": week.begins, "n": week.n, "value": week.value, **(_interval(week.interval) if week.interval else {})}
        for week in one.weeks
    ]
    return body


def _interval(interval: Interval) -> dict[str, float]:
    return {"low": interval.low, "high": interval.high}


class SurveyExport(APIView):
    content_negotiation_class = WhateverIsAccepted

    @extend_schema(
        operation_id="survey_export",
        parameters=[OpenApiParameter("format", str, enum=["csv", "jsonl"])],
        responses={
            (200, "application/x-ndjson"): OpenApiResponse(OpenApiTypes.BINARY),
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.BINARY),
        },
    )
    def get(self, request: Request, slug: str, pk: int) -> StreamingHttpResponse:
        return file_of(_found(request, slug, pk), request.query_params.get("format", "jsonl"))
