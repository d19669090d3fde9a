from collections.abc import Mapping
from typing import Any, cast

from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.common.forms import LARGEST
from apps.projects.access import Capability, project_for
from apps.projects.models import Label, Project
from apps.quality import suspect_queries as queries
from apps.quality.models import Suspect, SuspectRun
from apps.quality.services import suspects as services
from apps.quality.suspect_views import MOST_AT_ONCE


def answer(project: Project, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What decide_by_hand takes, of a label's id or a value; it refuses what is neither."""
    if "value" in wanted:
        return {"value": wanted["value"]}
    return {"label": Label.objects.filter(project=project, pk=wanted.get("label", 0)).first()}


class ShareOutput(serializers.Serializer[Any]):
    right = serializers.IntegerField(help_text="How many of `n`.")
    n = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField()
    high = serializers.FloatField()


class SuspectOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    rank = serializers.IntegerField()
    item = serializers.IntegerField(source="item_id")
    text = serializers.CharField(source="item.text")
    label = serializers.CharField(source="label.name", default=None, allow_null=True)  # type: ignore[assignment]
    value = serializers.JSONField(allow_null=True)
    suggested = serializers.CharField(source="suggested.name", default=None, allow_null=True)
    suggested_value = serializers.JSONField(allow_null=True)
    score = serializers.FloatField(help_text="The label's quality: 0 is surely wrong.")
    state = serializers.ChoiceField(choices=Suspect.State.choices)


class SuspectListOutput(serializers.Serializer[Any]):
    run = serializers.IntegerField(allow_null=True)
    state = serializers.ChoiceField(choices=SuspectRun.State.choices, allow_null=True, help_text="Of the newest look.")
    error = serializers.CharField()
    looked_at = serializers.IntegerField()
    flagged = serializers.IntegerField()
    wrong = ShareOutput(allow_null=True, help_text="Of those that somebody looked at again.")
    advice = serializers.CharField()
    stop = serializers.BooleanField()
    results = SuspectOutput(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="Hand it in as `after`.")


class SuspectQuery(serializers.Serializer[dict[str, Any]]):
    after = serializers.IntegerField(required=False, default=0, min_value=0, max_value=2**31 - 1)
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=500)


class Suspects(APIView):
    """Labels that a model doubts which never saw them. POST looks anew, in the background."""

    scopes = {"GET": "read", "POST": "manage"}

    @extend_schema(operation_id="suspects", parameters=[SuspectQuery], responses=SuspectListOutput)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.REVIEW)
        query = SuspectQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        run, latest = queries.shown(project), queries.runs(project).first()
        limit = query.validated_data["limit"]
        rows = []
        if run is not None:
            rows = list(queries.listed(run).filter(rank__gt=query.validated_data["after"])[: limit + 1])
        found = queries.precision(run) if run else None
        body = {
            "run": run.pk if run else None,
            "state": latest.state if latest else None,
            "error": _(latest.error) if latest and latest.error else "",
            "looked_at": run.looked_at if run else 0,
            "flagged": run.flagged if run else 0,
            "wrong": found.wrong if found else None,
            "advice": queries.advice(found) if found else "",
            "stop": bool(found and found.stop),
            "results": rows[:limit],
            "next": rows[limit - 1].rank if len(rows) > limit else None,
        }
        return Response(SuspectListOutput(body).data)

    @extend_schema(operation_id="suspects_start", request=None, responses={202: SuspectListOutput})
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.REVIEW)
        services.start(project)
        answer = self.get(request, slug)
        answer.status_code = 202
        return answer


class SuspectsAsk(APIView):
    """People are asked again about the most doubtful ones."""

    scopes = {"POST": "manage"}

    class Input(serializers.Serializer[Any]):
        n = serializers.IntegerField(default=services.BATCH, min_value=1, max_value=MOST_AT_ONCE)

    class Output(serializers.Serializer[Any]):
        asked = serializers.IntegerField()

    @extend_schema(operation_id="suspects_ask", request=Input, responses=Output)
    def post(self, request: Request, slug: str) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.REVIEW)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        run = queries.shown(project)
        if run is None:
            raise DomainError(_("There is no list yet. Look for label errors first."))
        return Response({"asked": services.ask_again(project, run, user, given.validated_data["n"])})


class SuspectsStop(APIView):
    """Enough was asked about the newest list, or not."""

    scopes = {"POST": "manage"}

    class Input(serializers.Serializer[Any]):
        stopped = serializers.BooleanField(default=True)

    @extend_schema(operation_id="suspects_stop", request=Input, responses={204: None})
    def post(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.REVIEW)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        run = queries.shown(project)
        if run is None:
            raise DomainError(_("There is no list yet. Look for label errors first."))
        services.stop(run, stopped=given.validated_data["stopped"])
        return Response(status=204)


class SuspectJudge(APIView):
    """`right`: the label stands. `suggestion`: the suggested answer becomes the truth. `fixed`: yours does."""

    scopes = {"POST": "manage"}

    class Input(serializers.Serializer[Any]):
        verdict = serializers.ChoiceField(choices=["right", "suggestion", "fixed"])
        label = serializers.IntegerField(  # type: ignore[assignment]  # also an attribute of Field
            required=False, min_value=1, max_value=LARGEST, help_text="fixed: the right label"
        )
        value = serializers.JSONField(required=False, help_text="fixed: the right labels, or spans")

    @extend_schema(operation_id="suspect_judge", request=Input, responses=SuspectOutput)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        user = cast(User, request.user)
        project = project_for(user, slug, need=Capability.REVIEW)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        found = Suspect.objects.select_related("item", "label", "suggested", "run")
        suspect = get_object_or_404(found, run__project=project, pk=pk)
        wanted = given.validated_data
        match wanted["verdict"]:
            case "right":
                services.judge_right(project, suspect)
            case "suggestion":
                services.take_suggestion(project, suspect, user)
            case _:
                services.put_right(project, suspect, user, answer(project, wanted))
        suspect.refresh_from_db()
        return Response(SuspectOutput(suspect).data)
