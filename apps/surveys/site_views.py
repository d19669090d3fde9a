"""Where a survey's link leads. Public, and the same for everybody: the token in the address says which survey."""

import hashlib
import secrets
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.common.errors import DomainError
from apps.feedback.limits import Limit, TooMany, address_of, take
from apps.projects.subjects import pseudonym
from apps.surveys import queries, services
from apps.surveys.forms import values_sent
from apps.surveys.models import Response, Survey
from apps.surveys.services.answering import Refused, refuse_if_over
from apps.surveys.wording import CHINESE, ENGLISH, ask, intro, languages, title

YEAR = 365 * 24 * 60 * 60
PER_MINUTE = 20  # responses from one address
SALT = "surveys.person"
NAMES = {ENGLISH: "English", CHINESE: "中文"}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def survey_page(request: HttpRequest, token: str) -> HttpResponse:
    survey = queries.by_token(token)
    if survey is None:
        raise Http404
    with translation.override(_language(request, survey)):
        mark = _mark(request, survey)
        try:
            response = _answered(request, survey, mark) if request.method == "POST" else _shown(request, survey, mark)
        except DomainError as refusal:
            response = _over(request, survey, refusal)
        if survey.once and response.status_code == 200 and not queries.has_answered(survey, _person(mark)):
            _remember(response, survey, mark)
        return response


def _language(request: HttpRequest, survey: Survey) -> str:
    """What the reader picked, else what the browser or the person's preferences say, else what there is."""
    offered = languages(survey, queries.questions(survey))
    picked = request.GET.get("lang") or request.POST.get("lang") or translation.get_language() or ENGLISH
    found = CHINESE if picked.startswith("zh") else ENGLISH
    return found if found in offered else offered[0]


def _shown(request: HttpRequest, survey: Survey, mark: str) -> HttpResponse:
    if "thanks" in request.GET:
        return _said(request, survey, _("Thank you"), _("Your answers are in."))
    refuse_if_over(survey, _person(mark))
    return _form(request, survey, secrets.token_hex(16))


def _answered(request: HttpRequest, survey: Survey, mark: str) -> HttpResponse:
    take([Limit(f"survey:{survey.pk}:{_hidden(request, survey)}", PER_MINUTE, 60)])
    questions = queries.questions(survey)
    values = values_sent(questions, request.POST)
    key = request.POST.get("key", "")[:64] or secrets.token_hex(16)
    sent = services.Answers(
        values=values,
        key=key,
        source=Response.Source.LINK,
        person=_person(mark) if survey.once else "",
        language=(translation.get_language() or ENGLISH)[:10],
        consent=bool(request.POST.get("consent")),
    )
    try:
        services.answer(survey, sent)
    except Refused as refusal:
        return _form(request, survey, key, values, refusal.fields, consent=sent.consent)
    address = f"{reverse('survey_page', args=[survey.token])}?thanks=1&lang={translation.get_language()}"
    response = redirect(address)
    if survey.once:
        _remember(response, survey, mark)
    return response


def _form(
    request: HttpRequest,
    survey: Survey,
    key: str,
    values: dict[int, Any] | None = None,
    errors: dict[int | str, str] | None = None,
    *,
    consent: bool = False,
) -> HttpResponse:
    language = translation.get_language() or ENGLISH
    questions = queries.questions(survey)
    asked = ask(questions, language, values, errors)
    context = _context(survey) | {
        "intro": intro(survey, language),
        "asked": asked,
        "asks_words": any(one.kind == "text" for one in asked),
        "key": key,
        "language": language,
        "consent": consent,
        "consent_error": (errors or {}).get("consent", ""),
        "others": [(code, NAMES[code]) for code in languages(survey, questions) if code != language],
    }
    return render(request, "surveys/answer.html", context, status=422 if errors else 200)


def _over(request: HttpRequest, survey: Survey, refusal: DomainError) -> HttpResponse:
    response = _said(request, survey, "", str(refusal), status=refusal.status)
    if isinstance(refusal, TooMany):
        response["Retry-After"] = str(refusal.retry_after)
    elif request.method != "POST":
        response.status_code = 200  # the page is there, it only says no
    return response


def _said(request: HttpRequest, survey: Survey, head: str, sentence: str, status: int = 200) -> HttpResponse:
    context = _context(survey) | {"head": head, "sentence": sentence}
    return render(request, "surveys/said.html", context, status=status)


def _context(survey: Survey) -> dict[str, Any]:
    return {"survey": survey, "title": title(survey, translation.get_language() or ENGLISH)}


# --- who answers once ------------------------------------------------------------------------------------


def _cookie(survey: Survey) -> str:
    return f"survey-{survey.pk}"


def _mark(request: HttpRequest, survey: Survey) -> str:
    """A random name for this browser, for this survey only."""
    return str(request.get_signed_cookie(_cookie(survey), default="", salt=SALT, max_age=YEAR) or secrets.token_hex(16))


def _person(mark: str) -> str:
    return hashlib.sha256(f"cookie:{mark}".encode()).hexdigest()


def _remember(response: HttpResponse, survey: Survey, mark: str) -> None:
    response.set_signed_cookie(
        _cookie(survey),
        mark,
        salt=SALT,
        max_age=YEAR,
        path=reverse("survey_page", args=[survey.token]),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _hidden(request: HttpRequest, survey: Survey) -> str:
    return pseudonym(survey.project, f"address:{address_of(request)}")
