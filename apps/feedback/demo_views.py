"""`/demo/support/`: a bank's help desk, played by the demonstration's model: the whole loop is seen in a minute."""

from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django.views.decorators.vary import vary_on_headers

from apps.accounts.authentication import digest_of
from apps.accounts.http import UserRequest
from apps.common.errors import DomainError
from apps.feedback import demo_chat as chat
from apps.feedback.models import IntakeKey
from apps.feedback.services import keys
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project
from apps.serving.services.predicting import Asked, predict

PER_MINUTE, PER_DAY = 120, 100_000
SWAPPED = 409  # htmx puts refusals of this status into the page


@login_required
@never_cache
@vary_on_headers("HX-Request")
@require_http_methods(["GET", "HEAD", "POST"])
def support(request: UserRequest) -> HttpResponse:
    project = chat.demo_project(request.user)
    if project is None:
        raise Http404
    consent = request.method != "POST" or bool(request.POST.get("consent"))
    context = {"project": project, "triage": _triage(request, project), "examples": chat.EXAMPLES, "consent": consent}
    if request.method != "POST":
        return render(request, "feedback/demo.html", context)
    turn = _turn(request, project, request.POST.get("text", "").strip(), consent=consent)
    context |= {"turn": turn, "key": chat_key(project)}
    status = 200 if not turn.error else SWAPPED
    template = "feedback/_demo_turn.html" if request.htmx else "feedback/demo.html"
    return render(request, template, context, status=status)


def _turn(request: UserRequest, project: Project, question: str, *, consent: bool) -> chat.Turn:
    asked = Asked(question, subject=f"demo-{request.user.pk}", language=project.language)
    try:
        (served,) = predict(project, [asked], consent=consent)
    except DomainError as refusal:
        return chat.Turn(question, error=str(refusal))
    return chat.turn(question, served)


def _triage(request: UserRequest, project: Project) -> str:
    """Where a thumb turns up, for those who may look."""
    if Capability.TRIAGE not in access.capabilities(request.user, project):
        return ""
    try:
        return reverse("triage", args=[project.slug])
    except NoReverseMatch:
        return ""


def chat_key(project: Project) -> str:
    """The chat's own key, made when first needed; empty once an administrator has revoked it."""
    key = chat.chat_key(project)
    known = IntakeKey.objects.filter(digest=digest_of(key))
    row = known.first()
    if row is None:
        try:
            row, _key = keys.make(
                project,
                None,
                name=chat.KEY_NAME,
                kind=IntakeKey.Kind.PUBLISHABLE,
                per_minute=PER_MINUTE,
                per_day=PER_DAY,
                key=key,
            )
        except IntegrityError:  # two first questions at once
            row = known.get()
    return "" if row.revoked_at else key
