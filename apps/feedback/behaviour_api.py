from typing import Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.feedback import behaviour_estimates as estimates
from apps.feedback import behaviour_queries as queries
from apps.feedback.behaviour_views import QuestionForm
from apps.projects.access import Capability, project_for


class Window(serializers.Serializer[Any]):
    weeks = serializers.IntegerField(required=False, default=12, min_value=1, max_value=520)


class BehaviourApi(APIView):
    """Acceptance, click and dismissal rates with 95 % intervals, by label, confidence, version, language and week."""

    @extend_schema(operation_id="behaviour", parameters=[Window], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        window = Window(data=request.query_params)
        window.is_valid(raise_exception=True)
        found = queries.lately(project, window.validated_data["weeks"])
        by = {dimension: [_group(group) for group in groups] for dimension, groups in found.by.items()}
        return Response({"since": found.since, "person_cap": found.cap, "all": _group(found.all), "by": by})


def _group(group: queries.Group) -> dict[str, Any]:
    rates = {measure: _rate(group.rate(measure)) for measure in queries.MEASURES}
    dwell = {"dwell_ms_median": group.dwell_ms, "dwell_n": group.dwelt}
    return {"name": group.name, "shown": group.shown, **rates, **dwell}


def _rate(rate: queries.Rate) -> dict[str, float]:
    return {"n": rate.n, "share": rate.share, "low": rate.interval.low, "high": rate.interval.high}


class BehaviourEstimateApi(APIView):
    """What another version or threshold would have earned per answer (self-normalised inverse propensity scoring).

    `value` is null where the log cannot say; `why_not` then says why.
    """

    class Output(serializers.Serializer[Any]):
        texts = serializers.IntegerField()
        known = serializers.IntegerField(help_text="of them, those with an answer of that version")
        shows = serializers.FloatField(help_text="share of the texts on which something would be shown")
        earned = serializers.FloatField(help_text="by what was really shown")
        earned_margin = serializers.FloatField(help_text="half of its 95 % interval")
        value = serializers.FloatField(allow_null=True)
        low = serializers.FloatField(allow_null=True)
        high = serializers.FloatField(allow_null=True)
        effective_sample_size = serializers.FloatField(allow_null=True)
        why_not = serializers.CharField()

    @extend_schema(
        operation_id="behaviour_estimate",
        parameters=[
            Window,
            OpenApiParameter("version", int, description="A version's number; without it, the answers as given."),
            OpenApiParameter("threshold", float, description="0 to 1; without it, as it is set now."),
            OpenApiParameter("reward", str, enum=list(estimates.REWARDS)),
        ],
        responses=Output,
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        window = Window(data=request.query_params)
        window.is_valid(raise_exception=True)
        asked = {name: request.query_params.get(name, "") for name in ("version", "threshold", "reward")}
        form = QuestionForm(asked, project=project)
        if not form.is_valid():
            field, errors = next(iter(form.errors.items()))
            raise InvalidInput(str(errors[0]), field=field)
        answer = estimates.answer(project, form.question(), queries.since_of(window.validated_data["weeks"]))
        found = answer.found
        return Response(
            {
                "texts": answer.texts,
                "known": answer.known,
                "shows": answer.shows,
                "earned": answer.earned,
                "earned_margin": answer.margin,
                "value": found.value if found else None,
                "low": found.interval.low if found else None,
                "high": found.interval.high if found else None,
                "effective_sample_size": found.size if found else None,
                "why_not": answer.why_not,
            }
        )
