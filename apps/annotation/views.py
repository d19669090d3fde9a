"""The label page. Every action is a plain form post; with JavaScript the same posts answer with the next cards."""

from typing import Any
from uuid import uuid4

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation import behaviour, cards, queries, services
from apps.annotation.forms import AnswerForm, TokenForm, TokensForm, UndoForm, first_error
from apps.annotation.models import Lease
from apps.annotation.words import label_words
from apps.common.errors import InvalidInput
from apps.projects.access import Capability, project_for
from apps.projects.models import Label, Project

HISTORY = 30


@login_required
@require_GET
@never_cache
@vary_on_headers("HX-Request")
def label(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    if project.task_kind == Project.TaskKind.ENGAGEMENT:
        return render(request, "annotation/behaviour.html", {"project": project, "totals": behaviour.totals(project)})
    if request.htmx.target == "progress":
        return render(request, "annotation/_progress.html", {"progress": queries.progress(project)})
    leases = services.claim(project, request.user)
    if request.htmx:
        return _piece(project, leases)
    return _page(request, project, leases)


@login_required
@require_POST
def label_submit(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    form = AnswerForm(project, request.POST)
    if not form.is_valid():
        field, sentence = first_error(form)
        if request.htmx:
            raise InvalidInput(sentence, field=field)
        return _page(request, project, services.claim(project, request.user), error=sentence)
    answer = form.cleaned_data
    if answer["item"]:
        services.revise(project, request.user, answer["item"], answer["key"], **form.said)
        kept_as, leases = "revision", []
    else:
        submitted = services.submit(
            project,
            request.user,
            services.Answer(answer["token"], answer["key"], seconds=answer["seconds"], **form.said),
        )
        kept_as, leases = submitted.kept_as, submitted.next
    if not request.htmx:
        return redirect("label", slug)
    return _piece(project, leases, have=request.POST.get("have", ""), kept_as=kept_as)


@login_required
@require_POST
def label_skip(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    leases = services.skip(project, request.user, _valid(TokenForm(request.POST))["token"])
    if not request.htmx:
        return redirect("label", slug)
    return _piece(project, leases, have=request.POST.get("have", ""), kept_as="skip")


@login_required
@require_POST
def label_undo(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    before = queries.newest_answer(project, request.user)
    lease = services.undo(project, request.user, of=_valid(UndoForm(request.POST))["of"])
    if not request.htmx:
        return redirect("label", slug)
    return _piece(
        project,
        [lease] if lease else [],
        kept_as="undo",
        chosen=before.label_id if before and lease else None,
        newest=queries.newest_answer(project, request.user),
    )


@login_required
@require_POST
def label_renew(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    services.renew(project, request.user, _valid(TokensForm(request.POST))["tokens"])
    return HttpResponse(status=204)


@login_required
@require_GET
@never_cache
def label_history(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    answers = queries.my_history(project, request.user, HISTORY)
    entries = [(cards.card_of_answer(answer, project), answer.label) for answer in answers]
    return render(request, "annotation/_history.html", {"project": project, "entries": entries})


def _valid(form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        field, sentence = first_error(form)
        raise InvalidInput(sentence, field=field)
    return form.cleaned_data


def _piece(project: Project, leases: list[Lease], *, have: str = "", **context: Any) -> HttpResponse:
    """The cards that the browser does not have yet. Rendered without the frame's context: it is the hot path."""
    known = set(have.split(","))
    fresh = [cards.card_of(lease, project) for lease in leases if str(lease.token) not in known]
    return HttpResponse(get_template("annotation/_cards.html").render({"cards": fresh, **context}))


def _page(request: UserRequest, project: Project, leases: list[Lease], *, error: str = "") -> HttpResponse:
    labels = list(project.labels.filter(archived_at=None))
    earlier = _earlier_answer(request, project)
    shown = [cards.card_of(lease, project) for lease in leases] if labels else []
    card = earlier or (shown[0] if shown else None)
    likely, rest = cards.choices(labels, card)
    newest = queries.newest_answer(project, request.user)
    context = {
        "project": project,
        "card": card,
        "waiting": shown if earlier else shown[1:],
        "likely": likely,
        "rest": rest,
        "labels": [_label_json(label) for label in labels],
        "words": label_words(),
        "newest": newest,
        "progress": queries.progress(project),
        "has_items": bool(shown) or project.items.exists(),
        "key": uuid4(),
        "error": error,
    }
    return render(request, "annotation/label.html", context, status=422 if error else 200)


def _earlier_answer(request: UserRequest, project: Project) -> cards.Card | None:
    """`?item=` opens one of my earlier answers to change it; how history works without JavaScript."""
    item = request.GET.get("item", "")
    if not item.isdecimal():
        return None
    answers = queries.my_history(project, request.user, HISTORY)
    return next((cards.card_of_answer(answer, project) for answer in answers if answer.item_id == int(item)), None)


def _label_json(label: Label) -> dict[str, Any]:
    return {
        "id": label.pk,
        "name": label.name,
        "about": label.description,
        "color": label.color,
        "key": label.hotkey,
    }
