from dataclasses import asdict
from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.forms import first_error
from apps.projects.access import Capability, project_for
from apps.quality import agreement_store, anchoring
from apps.quality.agreement_forms import AgreementFilter


class FigureOut(serializers.Serializer[Any]):
    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    items = serializers.IntegerField(help_text="texts that two people or more answered")
    answers = serializers.IntegerField()


class PairOut(serializers.Serializer[Any]):
    a = serializers.IntegerField(help_text="user id")
    b = serializers.IntegerField(help_text="user id")
    same = serializers.FloatField(help_text="share of equal answers; spans: mean F1")
    figure = FigureOut()


class PersonOut(serializers.Serializer[Any]):
    user = serializers.IntegerField()
    n = serializers.IntegerField()
    share = serializers.FloatField(help_text="of answers that are the consensus; spans: mean F1")
    low = serializers.FloatField()
    high = serializers.FloatField()
    confusion = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class LabelAgreementOut(serializers.Serializer[Any]):
    label = serializers.IntegerField()  # type: ignore[assignment]  # also an attribute of Field
    value = serializers.FloatField(allow_null=True)
    given = serializers.IntegerField()


class PeriodOut(serializers.Serializer[Any]):
    start = serializers.DateField()
    figure = FigureOut()


class AgreementOut(serializers.Serializer[Any]):
    coefficient = serializers.CharField(help_text="alpha, or span_f1 for spans")
    at = serializers.DateTimeField(allow_null=True)
    pending = serializers.BooleanField(help_text="a worker computes newer figures; ask again")
    opinions = serializers.IntegerField(required=False)
    people = serializers.IntegerField(required=False)
    headline = FigureOut(required=False)
    others = serializers.DictField(child=FigureOut(), required=False)
    per_label = LabelAgreementOut(many=True, required=False)
    pairs = PairOut(many=True, required=False)
    periods = PeriodOut(many=True, required=False)
    groups = serializers.DictField(child=FigureOut(), required=False)
    persons = PersonOut(many=True, required=False)


class AgreementApi(APIView):
    """How far people agree beyond chance: over all, by label, by pair, over time, by why people were asked."""

    @extend_schema(
        operation_id="agreement",
        parameters=[
            OpenApiParameter("weeks", int, description="How far back: 4, 12, 52, or 0 for all."),
            OpenApiParameter("label", int, description="Only whether this label is given, or its spans."),
        ],
        responses=AgreementOut,
    )
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.REVIEW)
        form = AgreementFilter(project, request.query_params)
        if not form.is_valid():
            raise InvalidInput(first_error(form), field=next(iter(form.errors)))
        found = agreement_store.look(project, form.wanted)
        coefficient = "span_f1" if project.task_kind == project.TaskKind.SPANS else "alpha"
        said: dict[str, Any] = {"coefficient": coefficient, "at": found.at, "pending": found.pending}
        return Response(said | (asdict(found.figures) if found.figures else {}))


class RateOut(serializers.Serializer[Any]):
    same = serializers.IntegerField()
    n = serializers.IntegerField()
    share = serializers.FloatField(allow_null=True)
    low = serializers.FloatField()
    high = serializers.FloatField()


class BandOut(serializers.Serializer[Any]):
    low = serializers.FloatField(help_text="the model's confidence, from")
    high = serializers.FloatField(help_text="to")
    shown = RateOut()
    hidden = RateOut()


class AnchoringOut(serializers.Serializer[Any]):
    since = serializers.DateTimeField(allow_null=True, help_text="the first answer whose suggestion was hidden")
    bands = BandOut(many=True)
    shown = RateOut()
    hidden = RateOut()
    difference = serializers.FloatField(allow_null=True)
    interval = serializers.ListField(child=serializers.FloatField())


class AnchoringApi(APIView):
    """How often people say what the model suggests, where they saw it and where it was hidden."""

    @extend_schema(operation_id="anchoring", responses=AnchoringOut)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.REVIEW)
        nothing = anchoring.Anchoring(None, (), anchoring.Rate(0, 0), anchoring.Rate(0, 0))
        return Response(AnchoringOut(anchoring.measured(project) or nothing).data)
