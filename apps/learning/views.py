from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.http import reselect, retarget

from apps.accounts.http import UserRequest
from apps.common.errors import DomainError, InvalidInput
from apps.common.markdown import to_html
from apps.common.wake import wake_on_commit
from apps.learning import card, flip_pages, pages, version_pages
from apps.learning.forms import DecisionForm, PairForm, RollbackForm
from apps.learning.services import versions
from apps.projects import access
from apps.projects.access import Capability
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import Deployment, ModelVersion


def _seen_by(request: UserRequest, slug: str) -> Project:
    return access.project_for(request.user, slug, need=Capability.VIEW)


def _managed_by(request: UserRequest, slug: str) -> Project:
    return access.project_for(request.user, slug, need=Capability.MANAGE)


def _version(project: Project, number: int) -> ModelVersion:
    return get_object_or_404(
        registry.versions(project).select_related("project", "created_by", "parent"), number=number
    )


def _may_act(request: UserRequest, project: Project) -> bool:
    return Capability.MANAGE in access.capabilities(request.user, project)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def train(request: UserRequest, slug: str) -> HttpResponse:
    """The page; as a piece only its runs, asked for again and again while one of them is going on."""
    project = _seen_by(request, slug)
    if not request.htmx or request.htmx.target == "candidate":
        return _train_page(request, project)
    context = pages.runs(project) | {"may_act": _may_act(request, project)}
    if context["run_is_live"]:
        return render(request, "learning/_runs.html", context)
    # the run has ended: the verdict above it is news as well
    return reselect(retarget(_train_page(request, project), "#main"), "#main")


def _train_page(request: UserRequest, project: Project, *, status: int = 200, **more: Any) -> HttpResponse:
    context = pages.train(project) | {"may_act": _may_act(request, project)}
    # a reason that is being written stays while the page renews itself, unless another version has come up for decision
    name = f"id_promote_{context['candidate'] or ''}_%s"
    context["decision"] = DecisionForm(initial={"seen": context["seen"]}, auto_id=name)
    context["rollback"] = RollbackForm(initial={"seen": context["seen"]}, auto_id="id_rollback_%s")
    return render(request, "learning/train.html", context | more, status=status)


@login_required
@require_safe
@vary_on_headers("HX-Request")
def version(request: UserRequest, slug: str, number: int) -> HttpResponse:
    """A version's page; as a piece the items behind a cell of its confusion matrix or a label's mistakes."""
    project = _seen_by(request, slug)
    found, pair = _version(project, number), _filters(request)
    if request.htmx and pair["truth"] is not None:
        return render(request, "learning/_cell.html", version_pages.opened(found, pair["truth"], pair["predicted"]))
    context = version_pages.version(found, pair["truth"], pair["predicted"]) | {"may_act": _may_act(request, project)}
    context["decision"] = DecisionForm(initial={"seen": context["seen"]})
    context["rollback"] = RollbackForm(initial={"seen": context["seen"]})
    return render(request, "learning/version.html", context)


def _filters(request: HttpRequest) -> dict[str, int | None]:
    form = PairForm(request.GET)
    if not form.is_valid():
        raise InvalidInput(_("These filters make no sense. Start from the page without them."))
    cleaned: dict[str, int | None] = form.cleaned_data
    return cleaned


@login_required
@require_safe
def version_manifest(request: UserRequest, slug: str, number: int) -> HttpResponse:
    """Everything about a version but its weights, as a file."""
    project = _seen_by(request, slug)
    found = _version(project, number)
    response = JsonResponse(versions.manifest(found), json_dumps_params={"ensure_ascii": False, "indent": 1})
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-v{found.number}.json"'
    return response


@login_required
@require_safe
def version_card(request: UserRequest, slug: str, number: int) -> HttpResponse:
    project = _seen_by(request, slug)
    found = _version(project, number)
    text = card.markdown(card.card(found)).partition("\n\n")[2]  # the page has a title of its own
    context = {"project": project, "version": found, "card": to_html(text, 2)}
    return render(request, "learning/card.html", context)


@login_required
@require_safe
def version_card_file(request: UserRequest, slug: str, number: int, suffix: str) -> HttpResponse:
    project = _seen_by(request, slug)
    found = card.card(_version(project, number))
    if suffix == "json":
        response: HttpResponse = JsonResponse(card.facts(found), json_dumps_params={"ensure_ascii": False, "indent": 1})
    else:
        response = HttpResponse(card.markdown(found), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{project.slug}-v{number}-card.{suffix}"'
    return response


@login_required
@require_safe
def version_compare(request: UserRequest, slug: str, number: int) -> HttpResponse:
    project = _seen_by(request, slug)
    found, against = _version(project, number), _filters(request)["against"]
    other = _version(project, against) if against is not None else registry.live_version(project)
    if other == found:
        other = flip_pages.against(found)
    return render(request, "learning/compare.html", pages.comparison(found, other))


@login_required
@require_safe
@vary_on_headers("HX-Request")
def flips(request: UserRequest, slug: str, number: int) -> HttpResponse:
    project = _seen_by(request, slug)
    found, asked = _version(project, number), _filters(request)
    other = _version(project, asked["against"]) if asked["against"] is not None else flip_pages.against(found)
    if other is None:
        raise Http404
    context = flip_pages.page(found, other, after=asked["after"] or 0, before=asked["before"], now=asked["now"])
    return render(request, "learning/_flips.html" if request.htmx else "learning/flips.html", context)


@login_required
@require_POST
def promote(request: UserRequest, slug: str, number: int) -> HttpResponse:
    return _decide(request, slug, number, Deployment.Kind.PROMOTE)


@login_required
@require_POST
def rollback(request: UserRequest, slug: str, number: int) -> HttpResponse:
    return _decide(request, slug, number, Deployment.Kind.ROLLBACK)


def _decide(request: UserRequest, slug: str, number: int, kind: Deployment.Kind) -> HttpResponse:
    project = _managed_by(request, slug)
    found = _version(project, number)
    promoting = kind == Deployment.Kind.PROMOTE
    kind_of_form = DecisionForm if promoting else RollbackForm
    form = kind_of_form(request.POST, auto_id=f"id_promote_{found}_%s" if promoting else "id_rollback_%s")
    if not form.is_valid():
        raise InvalidInput(_("A reason may have 500 characters at most."), field="why")
    decide = versions.promote if promoting else versions.roll_back
    try:
        decide(project, found, by=request.user, why=form.cleaned_data["why"], seen=form.cleaned_data["seen"])
    except DomainError as error:
        shown = {"decision" if promoting else "rollback": form, "refusal": str(error)}
        if promoting and isinstance(error, InvalidInput) and registry.live_version(project):
            shown["refused"] = found
        return _train_page(request, project, status=error.status, **shown)
    wake_on_commit("learning.repredict", found.pk)
    said = _("%(version)s is live now. The pool is being predicted with it in the background.")
    messages.success(request, said % {"version": found})
    return redirect("train", slug)
