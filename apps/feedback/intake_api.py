"""`POST /api/v1/feedback`: lean on purpose, for it is called by every click in somebody else's product."""

import logging
from collections.abc import Callable
from typing import Any

import orjson
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.common.errors import DomainError, InvalidInput
from apps.content.models import MAX_TEXT
from apps.feedback import intake_queries as queries
from apps.feedback import limits
from apps.feedback.intake_auth import IntakeKeyAuthentication, key_of, own_origin, refuse_foreign_origin
from apps.feedback.models import IntakeKey, Signal
from apps.feedback.services import intake
from apps.feedback.services.intake import MOST_EVENTS, Receipt
from apps.projects.subjects import pseudonym

log = logging.getLogger(__name__)

MOST_BYTES = 32 * 1024
MOST_BATCH_BYTES = 2 * 1024 * 1024
PREFLIGHT_KEPT = 2 * 60 * 60  # seconds; what browsers allow


class TooLarge(DomainError):
    status = 413


class NotInBatches(DomainError):
    status = 403


class Feedback(APIView):
    """One event, or with a secret key up to 500. What is answered with 202 is stored; sending it again changes nothing.

    Say what it is about by `prediction` (the id that predict answered), by `item` (your id of it) or by `text` and
    `version`. Without `consent` no text is kept, only its hash. Of a batch the good events are kept and the bad named.
    """

    authentication_classes = [IntakeKeyAuthentication]

    class Span(serializers.Serializer[dict[str, Any]]):
        start = serializers.IntegerField(min_value=0, help_text="In code points.")
        end = serializers.IntegerField(min_value=0)
        label = serializers.CharField()  # type: ignore[assignment]
        quote = serializers.CharField(required=False)

    class Input(serializers.Serializer[dict[str, Any]]):
        id = serializers.CharField(
            required=False, max_length=64, help_text="Yours, best a UUID: sent twice, stored once."
        )
        kind = serializers.ChoiceField(Signal.Kind.choices)
        prediction = serializers.UUIDField(required=False)
        item = serializers.CharField(required=False, max_length=200)
        text = serializers.CharField(required=False, max_length=MAX_TEXT)
        version = serializers.IntegerField(required=False, min_value=1)
        predicted = serializers.CharField(required=False, help_text="What the model said, where we cannot know it.")
        confidence = serializers.FloatField(required=False, min_value=0, max_value=1)
        up = serializers.BooleanField(required=False, help_text="thumb; comment")
        rating = serializers.FloatField(required=False, min_value=0, help_text="rating")
        of = serializers.IntegerField(required=False, min_value=2, max_value=100, help_text="rating; 5 unless told")
        label = serializers.CharField(required=False, help_text="label: what it should have been")  # type: ignore[assignment]
        labels = serializers.ListField(child=serializers.CharField(), required=False, help_text="label: if several")
        survey = serializers.CharField(required=False, help_text="answer")
        question = serializers.CharField(required=False, help_text="answer")
        answer = serializers.JSONField(required=False, help_text="answer: text, number, true or false, list of choices")
        ms = serializers.IntegerField(required=False, min_value=0, help_text="dwell")
        comment = serializers.CharField(required=False, max_length=5_000, help_text="Kept only with consent.")
        reason = serializers.CharField(required=False, max_length=80, help_text="Something ticked, kept always.")
        consent = serializers.BooleanField(required=False, help_text="Unless told: as for the prediction, else false.")
        subject = serializers.CharField(
            required=False, max_length=200, help_text="Your key of the person; hashed here."
        )
        language = serializers.CharField(required=False, max_length=10)
        source = serializers.CharField(required=False, max_length=60)  # type: ignore[assignment]
        at = serializers.DateTimeField(required=False, help_text="By your clock.")

        def get_fields(self) -> dict[str, Any]:
            return {**super().get_fields(), "spans": Feedback.Span(many=True, required=False)}

    class Batch(serializers.Serializer[dict[str, Any]]):
        def get_fields(self) -> dict[str, Any]:
            return {"events": Feedback.Input(many=True)}

    class Output(serializers.Serializer[dict[str, Any]]):
        id = serializers.CharField(required=False)
        note = serializers.CharField(required=False, help_text="What could not be kept of it.")
        ids = serializers.ListField(child=serializers.CharField(allow_null=True), required=False)
        notes = serializers.ListField(required=False)
        refused = serializers.ListField(required=False, help_text="index, field and detail of each refused event")

    @extend_schema(
        operation_id="feedback",
        request=PolymorphicProxySerializer("FeedbackEvents", [Input, Batch], None),
        responses={
            202: Output,
            401: OpenApiResponse(description="No key, or one that is not in use."),
            403: OpenApiResponse(description="Not from this origin, or not in batches."),
            413: OpenApiResponse(description="More than 32 KiB (a batch: 2 MiB)."),
            422: OpenApiResponse(description="Malformed; `field` names the part."),
            429: OpenApiResponse(description="Too many; `Retry-After` says when to go on."),
            503: OpenApiResponse(description="Nothing is stored; send it again."),
        },
    )
    def post(self, request: Request) -> None:
        raise NotImplementedError  # documented here, answered by `dispatch`

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # without the framework's negotiation and parsing, which take longer than everything done here
        if request.method == "OPTIONS":
            return preflight(request)
        if request.method != "POST":
            return _answer({"detail": _("Events are sent by POST.")}, 405, Allow="POST, OPTIONS")
        try:
            return _posted(request)
        except (OperationalError, InterfaceError):  # nothing is stored: the same event may be sent again
            log.exception("the database did not answer the intake")
            return _answer(
                {"detail": _("The server cannot store this now. Send it again.")}, 503, **{"Retry-After": "2"}
            )


class DirectIntake:
    """Middleware: leads to the intake at once, past sessions, forms and the search through all addresses."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.answer, self.path = Feedback.as_view(), ""

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        self.path = self.path or reverse("api_feedback")
        if request.path != self.path:
            return self.get_response(request)
        with translation.override(translation.get_language_from_request(request)):
            return self.answer(request)


def _posted(request: HttpRequest) -> HttpResponse:
    try:
        key = key_of(request)
    except DomainError as refusal:
        return _refusal(refusal, **{"WWW-Authenticate": "Bearer"})
    try:
        refuse_foreign_origin(key, request)
    except DomainError as refusal:
        return _refusal(refusal)
    return readable(_received(key, request), request)


def _received(key: IntakeKey, request: HttpRequest) -> HttpResponse:
    try:
        events, batch = _events(key, request)
        address = pseudonym(key.project, f"address:{limits.address_of(request)}")
        limits.admit(key, address, len(events))
        receipts = intake.receive(key, key.project, events, address=address)
    except limits.TooMany as refusal:
        return _refusal(refusal, **{"Retry-After": str(refusal.retry_after)})
    except DomainError as refusal:
        return _refusal(refusal)
    return _of_batch(receipts) if batch else _of_one(receipts[0])


def _events(key: IntakeKey, request: HttpRequest) -> tuple[list[Any], bool]:
    secret = key.kind == IntakeKey.Kind.SECRET
    length = request.META.get("CONTENT_LENGTH") or ""
    size = int(length) if length.isdecimal() else 0  # then Django reads no body at all
    if size > (MOST_BATCH_BYTES if secret else MOST_BYTES):
        raise TooLarge(_("Send at most 32 KiB at once, or 2 MiB in batches with a secret key."))
    try:
        given = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(_("This is no JSON: %(why)s") % {"why": error}, field="body") from None
    if not isinstance(given, dict) or "events" not in given:
        if size > MOST_BYTES:
            raise TooLarge(_("One event may have 32 KiB."))
        return [given], False
    if not secret:
        raise NotInBatches(_("Batches need a secret key; with this one, send one event at a time."))
    events = given["events"]
    if len(given) > 1 or not isinstance(events, list) or not 1 <= len(events) <= MOST_EVENTS:
        raise InvalidInput(_("A batch is {“events”: […]} with 1 to %(n)d events.") % {"n": MOST_EVENTS}, field="events")
    return events, True


# --- answers ----------------------------------------------------------------------------------------------------


def _of_one(receipt: Receipt) -> HttpResponse:
    if receipt.refusal is not None:
        return _refusal(receipt.refusal)
    return _answer({"id": receipt.id, **({"note": receipt.note} if receipt.note else {})}, 202)


def _of_batch(receipts: list[Receipt]) -> HttpResponse:
    """202 as soon as one event is stored: a client that sends all of it again then stores nothing twice."""
    refused = [
        {"index": place, "field": receipt.refusal.field, "detail": str(receipt.refusal)}
        for place, receipt in enumerate(receipts)
        if receipt.refusal is not None
    ]
    notes = [{"index": place, "detail": receipt.note} for place, receipt in enumerate(receipts) if receipt.note]
    ids = [None if receipt.refusal is not None else receipt.id for receipt in receipts]
    if len(refused) == len(receipts):
        first = refused[0]
        body = {"detail": first["detail"], "field": f"events[{first['index']}].{first['field']}", "refused": refused}
        return _answer(body, 422)
    return _answer({"ids": ids, "refused": refused, "notes": notes}, 202)


def _refusal(refusal: DomainError, **headers: str) -> HttpResponse:
    body = {"detail": str(refusal), **({"field": refusal.field} if refusal.field else {})}
    return _answer(body, refusal.status, **headers)


def _answer(body: dict[str, Any], status: int, **headers: str) -> HttpResponse:
    response = HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response[name] = value
    return response


# --- across origins -----------------------------------------------------------------------------------------------


def readable(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """The page that sent it may read the answer; its key was found to be meant for that page."""
    if origin := request.META.get("HTTP_ORIGIN"):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Expose-Headers"] = "Retry-After"
    response["Vary"] = "Origin"
    return response


def preflight(request: HttpRequest) -> HttpResponse:
    """A browser asks before it shows us the key: yes to origins that some key in use is meant for."""
    response = HttpResponse(status=204)
    response["Vary"] = "Origin"
    origin = request.META.get("HTTP_ORIGIN", "")
    if origin == own_origin(request) or queries.is_listed(origin):
        response["Access-Control-Allow-Origin"] = origin
        response["Access-Control-Allow-Methods"] = "POST"
        response["Access-Control-Allow-Headers"] = "authorization, content-type, x-marginalia-key"
        response["Access-Control-Max-Age"] = str(PREFLIGHT_KEPT)
    return response
