"""The label page. Every action is a plain form post; with JavaScript the same posts answer with the next cards."""

from typing import Any

from django import forms
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation import behaviour, cards, label_pages, queries, services, sessions
from apps.annotation.forms import AnswerForm, TokenForm, TokensForm, UndoForm, first_error
from apps.annotation.models import Annotation, Lease
from apps.annotation.services import answers, golds
from apps.common.errors import InvalidInput
from apps.common.forms import whole
from apps.projects.access import Capability, project_for
from apps.projects.models import Project

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
        return label_pages.piece(request, project, leases)
    return label_pages.page(request, project, leases, learned=_just_answered(request, project))


@login_required
@require_POST
def label_submit(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    form = AnswerForm(project, request.POST)
    if not form.is_valid():
        field, sentence = first_error(form)
        if request.htmx:
            raise InvalidInput(sentence, field=field)
        return label_pages.page(request, project, services.claim(project, request.user), error=sentence, sent=form)
    try:
        stored, kept_as, leases = _store(project, request, form)
    except services.Conflict as refused:
        return label_pages.conflict(request, project, form, refused.stored)
    except InvalidInput as refused:
        if request.htmx:
            raise
        leases = services.claim(project, request.user)
        return label_pages.page(request, project, leases, error=str(refused), sent=form)
    if request.htmx:
        have = request.POST.get("have", "")
        return label_pages.piece(request, project, leases, have=have, kept_as=kept_as, stored=stored)
    if golds.lesson(project, request.user, stored):
        return redirect(f"{reverse('label', args=[slug])}?after={stored.pk}")
    return redirect("label", slug)


def _store(project: Project, request: UserRequest, form: AnswerForm) -> tuple[Annotation, str, list[Lease]]:
    answer = form.cleaned_data
    if answer["item"]:
        revised = services.revise(project, request.user, answer["item"], answer["key"], **form.said)
        return revised, "revision", []
    said = services.Answer(token=answer["token"], key=answer["key"], seconds=answer["seconds"], **form.said)
    submitted = services.submit(project, request.user, said)
    return submitted.annotation, submitted.kept_as, submitted.next


@login_required
@require_POST
def label_skip(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    leases = services.skip(project, request.user, _valid(TokenForm(request.POST))["token"])
    if not request.htmx:
        return redirect("label", slug)
    return label_pages.piece(request, project, leases, have=request.POST.get("have", ""), kept_as="skip")


@login_required
@require_POST
def label_undo(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    of = _valid(UndoForm(request.POST))["of"]
    before = answers.to_undo(project, request.user, of)
    lease = services.undo(project, request.user, of=of)
    if not request.htmx:
        return redirect("label", slug)
    return label_pages.piece(
        request,
        project,
        [lease] if lease else [],
        kept_as="undo",
        before=before,
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
    entries = list(zip(cards.cards_of_answers(answers, project), answers, strict=True))
    return render(request, "annotation/_history.html", {"project": project, "entries": entries})


@login_required
@require_GET
@never_cache
def label_summary(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    sitting = sessions.sitting(project, request.user)
    context = {
        "project": project,
        "sitting": sitting,
        "minutes": round(sitting.seconds / 60) if sitting else 0,
        "ranking": sessions.ranking(project, request.user),
    }
    return render(request, "annotation/summary.html", context)


def _just_answered(request: UserRequest, project: Project) -> Annotation | None:
    """`?after=` names the answer that the plain form has just stored."""
    pk = whole(request.GET.get("after", ""))
    return Annotation.objects.filter(project=project, annotator=request.user, pk=pk).first() if pk else None


def _valid(form: forms.Form) -> dict[str, Any]:
    if not form.is_valid():
        field, sentence = first_error(form)
        raise InvalidInput(sentence, field=field)
    return form.cleaned_data
