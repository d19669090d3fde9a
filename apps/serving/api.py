"""Predictions for host products, and what was served, for machines."""

from typing import Any, cast
from uuid import UUID

import orjson
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.pagination import LIMIT
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.projects.subjects import MOST_CHARACTERS, pseudonym
from apps.serving import queries, shapes
from apps.serving.models import Served, ServingPolicy
from apps.serving.services import policies, predicting

MOST_BODY = 16 * 1024**2


class ItemInput(serializers.Serializer[Any]):
    text = serializers.CharField()
    external_id = serializers.CharField(required=False, max_length=200, help_text="Your own id of it.")
    subject = serializers.CharField(
        required=False, max_length=MOST_CHARACTERS, help_text="Who sees the answer; kept as a pseudonym."
    )
    language = serializers.CharField(required=False, max_length=10)


class LabelOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    name = serializers.CharField()


class SpanOutput(serializers.Serializer[Any]):
    start = serializers.IntegerField(help_text="In code points.")
    end = serializers.IntegerField()
    label = serializers.CharField()  # type: ignore[assignment] # a field of ours, not the words beside one
    score = serializers.FloatField()
    quote = serializers.CharField(required=False)


class AnswerOutput(serializers.Serializer[Any]):
    id = serializers.UUIDField(help_text="Feedback points at this.")
    external_id = serializers.CharField()
    confidence = serializers.FloatField()
    probabilities = serializers.ListField(
        child=serializers.FloatField(), required=False, help_text="In the order of `labels`; none for spans."
    )
    label = serializers.CharField(  # type: ignore[assignment]
        required=False, help_text="The likeliest; where every text has one label."
    )
    shown = serializers.CharField(
        required=False, allow_null=True, help_text="What to show: null below the project's threshold."
    )
    propensity = serializers.FloatField(
        required=False, allow_null=True, help_text="With which probability exactly this was to be shown."
    )
    labels = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Where a text has several labels."
    )
    spans = SpanOutput(many=True, required=False)


class PredictApi(APIView):
    """What the live version says of 1 to 500 texts. Each answer has an id that feedback can point at.

    Answered with 503 and Retry-After while nothing is live, the model is overloaded or being started.
    """

    scopes = {"POST": "predict"}

    class Input(serializers.Serializer[Any]):
        text = serializers.CharField(required=False, help_text="One of text, texts and items.")
        texts = serializers.ListField(child=serializers.CharField(), required=False, max_length=500)
        items = ItemInput(many=True, required=False)
        consent = serializers.BooleanField(
            required=False, default=False, help_text="Whether the texts may be kept; else only their SHA-256 is."
        )

    class Output(serializers.Serializer[Any]):
        version = serializers.IntegerField()
        task = serializers.ChoiceField(choices=Project.TaskKind.choices)
        labels = LabelOutput(many=True)
        results = AnswerOutput(many=True)

    @extend_schema(operation_id="predict", request=Input, responses=Output)
    def post(self, request: Request, slug: str) -> HttpResponse:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        asked, consent = shapes.asked(_body(request))
        rows = predicting.predict(project, asked, consent=consent)
        told = shapes.answers(rows, [one.text for one in asked])
        return HttpResponse(orjson.dumps(told), content_type="application/json")


def _body(request: Request) -> Any:
    """The parsers of the framework would be slower, and would read a body of any size."""
    if "json" not in (request.content_type or ""):
        raise InvalidInput(_("Send JSON, with Content-Type: application/json."))
    raw = request.stream.read(MOST_BODY + 1) if request.stream is not None else b""
    if len(raw) > MOST_BODY:
        raise InvalidInput(_("The body is larger than %(most)d MB.") % {"most": MOST_BODY // 1024**2})
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(_("The body is no JSON: %(why)s") % {"why": str(error)}) from error


class ServedOutput(AnswerOutput):
    version = serializers.IntegerField()
    task = serializers.ChoiceField(choices=Project.TaskKind.choices)
    at = serializers.DateTimeField()
    consent = serializers.BooleanField()
    text = serializers.CharField(help_text="Empty without consent.")
    text_sha256 = serializers.CharField()
    subject = serializers.CharField(help_text="The pseudonym.")
    language = serializers.CharField()


def _told(row: Served) -> dict[str, Any]:
    names = {int(pk): str(name) for pk, name in row.version.label_order}
    return {
        "id": str(row.pk),
        "external_id": row.external_id,
        "version": row.version.number,
        "task": row.version.task,
        "at": row.at.isoformat(),
        "consent": row.consent,
        "text": row.text,
        "text_sha256": bytes(row.text_hash).hex(),
        "subject": row.subject,
        "language": row.language,
    } | shapes.said(row, row.version, names, row.text)


class ServedListApi(APIView):
    """What was answered, newest first, for as long as the project keeps it."""

    class Query(serializers.Serializer[Any]):
        after = serializers.CharField(required=False, default="", max_length=140)
        limit = serializers.IntegerField(required=False, default=LIMIT, min_value=1, max_value=500)
        external_id = serializers.CharField(required=False, max_length=200)
        subject = serializers.CharField(required=False, max_length=MOST_CHARACTERS, help_text="As you sent it.")
        version = serializers.IntegerField(required=False)
        since = serializers.DateTimeField(required=False)
        until = serializers.DateTimeField(required=False)

    class Output(serializers.Serializer[Any]):
        results = ServedOutput(many=True)
        next = serializers.CharField(allow_null=True)

    @extend_schema(operation_id="served_list", parameters=[Query], responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        given = self.Query(data=request.query_params)
        given.is_valid(raise_exception=True)
        data = given.validated_data
        rows = queries.served(project)
        if data.get("external_id"):
            rows = rows.filter(external_id=data["external_id"])
        if data.get("subject"):
            rows = rows.filter(subject=pseudonym(project, data["subject"]))
        if data.get("version") is not None:
            rows = rows.filter(version__number=data["version"])
        if data.get("since"):
            rows = rows.filter(at__gte=data["since"])
        if data.get("until"):
            rows = rows.filter(at__lt=data["until"])
        page = queries.page(rows, data["after"], data["limit"])
        return Response({"results": [_told(row) for row in page.rows], "next": page.next or None})


class ServedApi(APIView):
    """One answer that was given."""

    @extend_schema(operation_id="served", responses=ServedOutput)
    def get(self, request: Request, slug: str, pk: UUID) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        row = queries.served(project).filter(pk=pk).first()
        if row is None:
            raise Http404
        return Response(_told(row))


class ServingApi(APIView):
    """How the project answers and what it remembers."""

    scopes = {"GET": "read", "PATCH": "manage"}

    class Output(serializers.ModelSerializer[ServingPolicy]):
        class Meta:
            model = ServingPolicy
            fields = ("keep_days", "threshold", "explore")

    @extend_schema(operation_id="serving", responses=Output)
    def get(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.VIEW)
        return Response(self.Output(queries.policy_of(project)).data)

    @extend_schema(operation_id="serving_change", request=Output, responses=Output)
    def patch(self, request: Request, slug: str) -> Response:
        project = project_for(cast(User, request.user), slug, need=Capability.MANAGE)
        policy = queries.policy_of(project)
        given = self.Output(policy, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        values = {name: given.validated_data.get(name, getattr(policy, name)) for name in self.Output.Meta.fields}
        return Response(self.Output(policies.change(project, **values)).data)
