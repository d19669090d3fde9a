"""`/api/v1/surveys/<token>`: a survey inside the host product, opened with a feedback key, under the key's limits."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import whole
from apps.feedback import limits
from apps.feedback.intake_api import MOST_BYTES, TooLarge, preflight, readable
from apps.feedback.intake_auth import IntakeKeyAuthentication, key_of, refuse_foreign_origin
from apps.feedback.models import IntakeKey
from apps.projects.subjects import MOST_CHARACTERS, pseudonym
from apps.surveys import queries, services
from apps.surveys.models import Response, Survey
from apps.surveys.services.answering import refuse_if_over
from apps.surveys.wording import CHINESE, ENGLISH, ask, intro, title


class Missing(DomainError):
    status = 404


class WidgetSurvey(APIView):
    """GET what is asked; POST what somebody answered. 409 says in words that it is closed, full or answered already."""

    authentication_classes = [IntakeKeyAuthentication]

    class Choice(serializers.Serializer[Any]):
        value = serializers.IntegerField()
        words = serializers.CharField()

    class Asked(serializers.Serializer[Any]):
        id = serializers.IntegerField()
        kind = serializers.ChoiceField(["rating", "score", "single", "multiple", "text"])
        words = serializers.CharField()

        def get_fields(self) -> dict[str, Any]:
            more = {"required": serializers.BooleanField(), "choices": WidgetSurvey.Choice(many=True)}
            return {**super().get_fields(), **more}

    class Output(serializers.Serializer[Any]):
        title = serializers.CharField()
        intro = serializers.CharField()
        language = serializers.CharField()
        consent = serializers.CharField(help_text="The line to agree to before words are sent.")

        def get_fields(self) -> dict[str, Any]:
            return {**super().get_fields(), "questions": WidgetSurvey.Asked(many=True)}

    class Input(serializers.Serializer[Any]):
        id = serializers.CharField(max_length=64, help_text="Yours: sent twice, stored once.")
        answers = serializers.DictField(help_text="By question id: a number, a list of places, or words.")
        consent = serializers.BooleanField(required=False)
        subject = serializers.CharField(
            required=False, max_length=200, help_text="Your key of the person; hashed here."
        )
        language = serializers.CharField(required=False, max_length=10)

    @extend_schema(operation_id="survey_read", responses=Output)
    def get(self, request: Request, token: str) -> None:
        """Documented here, answered by `dispatch`."""

    @extend_schema(
        operation_id="survey_answer",
        request=Input,
        responses={
            202: OpenApiResponse(description="Stored."),
            409: OpenApiResponse(description="Closed, full or answered already; `detail` says which."),
            422: OpenApiResponse(description="`fields` holds a sentence for each question."),
        },
    )
    def post(self, request: Request, token: str) -> None:
        """Documented here, answered by `dispatch`."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method == "OPTIONS":
            return preflight(request)
        if request.method not in {"GET", "POST"}:
            refused = {"detail": _("A survey is read by GET and answered by POST.")}
            return _json(refused, 405, Allow="GET, POST, OPTIONS")
        try:
            key = key_of(request)
            refuse_foreign_origin(key, request)
        except DomainError as refusal:
            return _refusal(refusal)
        try:
            response = _answered(request, key, kwargs["token"])
        except DomainError as refusal:
            response = _refusal(refusal)
        return readable(response, request)


def _answered(request: HttpRequest, key: IntakeKey, token: str) -> HttpResponse:
    limits.admit(key, pseudonym(key.project, f"address:{limits.address_of(request)}"), 1)
    survey = queries.by_token(token)
    if survey is None or survey.project_id != key.project_id:
        raise Missing(_("The project of this key has no such survey."))
    if request.method == "GET":
        wanted = request.GET.get("language") or translation.get_language_from_request(request)
        return _definition(survey, wanted, _person(survey, request.GET.get("subject", "")))
    return _taken(request, survey)


def _definition(survey: Survey, wanted: str, person: str) -> HttpResponse:
    refuse_if_over(survey, person)
    language = CHINESE if wanted.lower().startswith("zh") else ENGLISH
    questions = queries.questions(survey)
    asked = [
        {
            "id": question.pk,
            "kind": one.kind,
            "words": one.words,
            "required": one.required,
            "choices": [{"value": choice.value, "words": choice.words} for choice in one.choices],
        }
        for question, one in zip(questions, ask(questions, language), strict=True)
    ]
    with translation.override(language):
        consent = _("What I wrote may be kept and used to make this better.")
    body = {"title": title(survey, language), "intro": intro(survey, language), "language": language}
    return _json(body | {"consent": consent, "questions": asked}, 200)


def _taken(request: HttpRequest, survey: Survey) -> HttpResponse:
    given = _body(request)
    answers = given.get("answers")
    if not isinstance(answers, dict) or not all(whole(name) is not None for name in answers):
        raise InvalidInput(_("“answers” maps question ids to answers."), field="answers")
    subject = given.get("subject", "")
    key = given.get("id") or ""
    if not isinstance(subject, str) or len(subject) > MOST_CHARACTERS or "\0" in subject:
        sentence = _("“subject” is a string of %(most)d characters at most.") % {"most": MOST_CHARACTERS}
        raise InvalidInput(sentence, field="subject")
    if not isinstance(key, str) or not 1 <= len(key) <= 64 or "\0" in key:
        raise InvalidInput(_("“id” is a string of 1 to 64 characters: sent twice, stored once."), field="id")
    person = _person(survey, subject)
    language = given.get("language", "")
    sent = services.Answers(
        values={int(name): value for name, value in answers.items()},
        key=key,
        source=Response.Source.WIDGET,
        person=person,
        subject=person,
        language=language[:10] if isinstance(language, str) else "",
        consent=given.get("consent") is True,
    )
    try:
        stored = services.answer(survey, sent)
    except services.Refused as refusal:
        fields = {str(name): sentence for name, sentence in refusal.fields.items()}
        return _json({"detail": str(refusal), "field": refusal.field, "fields": fields}, 422)
    return _json({"id": stored.response.key}, 202)


def _person(survey: Survey, subject: str) -> str:
    return pseudonym(survey.project, subject)


def _body(request: HttpRequest) -> dict[str, Any]:
    if int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        raise TooLarge(_("Answers may have 32 KiB."))
    try:
        given = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(_("This is no JSON: %(why)s") % {"why": error}, field="body") from None
    if not isinstance(given, dict):
        raise InvalidInput(_("Answers are a JSON object."), field="body")
    return given


def _refusal(refusal: DomainError) -> HttpResponse:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}
    if isinstance(refusal, limits.TooMany):
        headers["Retry-After"] = str(refusal.retry_after)
    body = {"detail": str(refusal), **({"field": refusal.field} if refusal.field else {})}
    return _json(body, refusal.status, **headers)


def _json(body: dict[str, Any], status: int, **headers: str) -> HttpResponse:
    response = HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    for name, value in headers.items():
        response[name] = value
    return response
