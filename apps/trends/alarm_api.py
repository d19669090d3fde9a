from typing import Any, cast

from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.forms import LARGEST
from apps.common.pagination import PageQuery, page_after, page_body
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.projects.queries import labels
from apps.trends import alarm_queries as queries
from apps.trends import wording
from apps.trends.models import Alarm, AlarmRule
from apps.trends.services import alarms as services


class RuleOut(serializers.ModelSerializer[AlarmRule]):
    label = serializers.CharField(source="label.name", allow_null=True, default=None)  # type: ignore[assignment]
    stream = serializers.ChoiceField(choices=AlarmRule.Stream.choices)
    direction = serializers.ChoiceField(choices=AlarmRule.Direction.choices)
    patience = serializers.IntegerField(help_text="Days in which about one false alarm is borne.")
    note = serializers.CharField(source="state", help_text="Why it cannot judge yet; empty when it does.")

    class Meta:
        model = AlarmRule
        fields = ["id", "stream", "label", "direction", "patience", "to_inbox", "to_webhook", "checked_through", "note"]
        read_only_fields = fields


class RuleIn(serializers.Serializer[Any]):
    stream = serializers.ChoiceField(choices=AlarmRule.Stream.choices)
    direction = serializers.ChoiceField(choices=AlarmRule.Direction.choices)
    label = serializers.IntegerField(required=False, allow_null=True, help_text="Id, for the share of one label.")  # type: ignore[assignment]
    patience = serializers.ChoiceField(choices=AlarmRule.Patience.choices, default=AlarmRule.Patience.USUAL)
    to_inbox = serializers.BooleanField(default=True)
    to_webhook = serializers.BooleanField(default=True)


class AlarmOut(serializers.ModelSerializer[Alarm]):
    rule = serializers.IntegerField(source="rule_id")
    label = serializers.CharField(source="label.name", allow_null=True, default=None)  # type: ignore[assignment]
    state = serializers.ChoiceField(choices=Alarm.State.choices)
    title = serializers.SerializerMethodField()
    sentence = serializers.SerializerMethodField()
    evidence = serializers.DictField(help_text="By hours: items, those that count, expected share, sum, threshold.")

    class Meta:
        model = Alarm
        fields = [
            *("id", "rule", "label", "state", "title", "sentence", "onset", "hour", "raised_at", "snoozed_until"),
            *("closed_at", "evidence"),
        ]
        read_only_fields = fields

    def get_title(self, alarm: Alarm) -> str:
        return wording.title(alarm)

    def get_sentence(self, alarm: Alarm) -> str:
        return wording.sentence(alarm)


def _list(name: str, shown: Any) -> Any:
    return inline_serializer(name, {"results": shown(many=True), "next": serializers.CharField(allow_null=True)})


def _project(request: Request, slug: str) -> Project:
    return project_for(cast(User, request.user), slug, need=Capability.TRIAGE)


def _storable(pk: int) -> int:
    if pk > LARGEST:
        raise Http404
    return pk


class RulesApi(APIView):
    """What is watched."""

    @extend_schema(operation_id="alarm_rules", responses=_list("RuleList", RuleOut))
    def get(self, request: Request, slug: str) -> Response:
        rows = queries.rules(_project(request, slug))
        return Response({"results": RuleOut(rows, many=True).data, "next": None})

    @extend_schema(operation_id="alarm_rules_create", request=RuleIn, responses={201: RuleOut})
    def post(self, request: Request, slug: str) -> Response:
        project = _project(request, slug)
        given = RuleIn(data=request.data)
        given.is_valid(raise_exception=True)
        data: dict[str, Any] = dict(given.validated_data)
        pk = data.pop("label", None)
        label = labels(project).filter(pk=pk).first() if pk else None
        if pk and label is None:
            raise InvalidInput(_("This project has no such label."), field="label")
        return Response(
            RuleOut(services.make_rule(project, cast(User, request.user), label=label, **data)).data, status=201
        )


class RuleApi(APIView):
    @extend_schema(operation_id="alarm_rule_remove", responses={204: None})
    def delete(self, request: Request, slug: str, pk: int) -> Response:
        rule = get_object_or_404(queries.rules(_project(request, slug)), pk=_storable(pk))
        services.remove_rule(rule, cast(User, request.user))
        return Response(status=204)


class AlarmsApi(APIView):
    """Alarms, newest first."""

    @extend_schema(
        operation_id="alarms",
        parameters=[PageQuery, OpenApiParameter("slug", str, "path")],
        responses=_list("AlarmList", AlarmOut),
    )
    def get(self, request: Request, slug: str) -> Response:
        given = PageQuery(data=request.query_params)
        given.is_valid(raise_exception=True)
        page = page_after(queries.alarms(_project(request, slug)), **given.validated_data, newest_first=True)
        return Response(page_body(page, lambda row: dict(AlarmOut(row).data)))


class AlarmApi(APIView):
    class Input(serializers.Serializer[Any]):
        action = serializers.ChoiceField(choices=["acknowledge", "snooze", "close"])
        hours = serializers.IntegerField(min_value=1, max_value=24 * 30, default=24, help_text="Of a snooze.")
        note = serializers.CharField(max_length=300, default="", allow_blank=True, help_text="Of a close.")

    @extend_schema(operation_id="alarm", responses=AlarmOut)
    def get(self, request: Request, slug: str, pk: int) -> Response:
        return Response(AlarmOut(self._found(request, slug, pk)).data)

    @extend_schema(operation_id="alarm_move", request=Input, responses=AlarmOut)
    def post(self, request: Request, slug: str, pk: int) -> Response:
        row, user = self._found(request, slug, pk), cast(User, request.user)
        given = self.Input(data=request.data)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        if data["action"] == "acknowledge":
            services.acknowledge(row, user)
        elif data["action"] == "snooze":
            services.snooze(row, user, hours=data["hours"])
        else:
            services.close(row, user, note=data["note"])
        return Response(AlarmOut(row).data)

    def _found(self, request: Request, slug: str, pk: int) -> Alarm:
        return get_object_or_404(queries.alarms(_project(request, slug)), pk=_storable(pk))
