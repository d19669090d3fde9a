"""Accepted answers looked at again, one at a time; and the author's list of what came back."""

from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.annotation.models import Annotation
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import first_error, whole
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.quality import review_queries as queries
from apps.quality.answer_forms import AnswerForm
from apps.quality.key_words import of_rows
from apps.quality.models import Review
from apps.quality.review_forms import SampleForm
from apps.quality.services import reviews as services


@login_required
@require_GET
@vary_on_headers("HX-Request")
def review(request: UserRequest, slug: str) -> HttpResponse:
    """`?annotator=&label=&confidence=&each=` draw the sample, `answer` comes first where it is in it."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    form = SampleForm(project, request.GET)
    context = (
        _card(request, project, form, first=whole(request.GET.get("answer", "")) or 0)
        | {
            "form": form,
            "authors": queries.by_author(project),
        }
        | of_rows(request.user, "review_approve", "review_fix", "review_reject", "undo", moves=False)
    )
    return render(request, "quality/review.html", context)


def _card(request: UserRequest, project: Project, form: SampleForm, *, first: int = 0) -> dict[str, Any]:
    sample = queries.sample(project, request.user, form.sampling())
    chosen = [first] if first in sample.waiting else sample.waiting[:1]
    shown = next(iter(queries.looked_at(project, chosen)), None)
    context: dict[str, Any] = {
        "project": project,
        "sample": sample,
        "shown": shown,
        "query": urlencode(form.chosen()),
        "last": queries.last_word(project, request.user),
    }
    if shown is not None:
        truth = shown.label_id if shown.value is None else shown.value
        context["fix"] = AnswerForm(project, shown.item, truth=truth, auto_id="fix-%s")
        context["before"] = queries.earlier_words([shown]).get(shown.pk)
    return context


@login_required
@require_POST
@vary_on_headers("HX-Request")
def review_verdict(request: UserRequest, slug: str) -> HttpResponse:
    """`verdict` on `annotation`: approved, rejected with `reason`, fixed with the right answer; `query` draws on."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    query = request.POST.get("query", "")[:400]
    said = _annotation(project, request.POST.get("annotation", ""))
    match request.POST.get("verdict"):
        case Review.Verdict.APPROVED:
            services.approve(project, said, request.user)
        case Review.Verdict.REJECTED:
            services.reject(project, said, request.user, request.POST.get("reason", ""))
        case Review.Verdict.FIXED:
            form = AnswerForm(project, said.item, request.POST)
            if not form.is_valid():
                raise InvalidInput(first_error(form))
            services.fix(project, said, request.user, form.answer())
        case _:
            raise InvalidInput(_("Approve the answer, put it right, or send it back."), field="verdict")
    filters = SampleForm(project, dict(parse_qsl(query)))
    if request.htmx:
        return render(request, "quality/_review_card.html", _card(request, project, filters))
    return redirect(f"{reverse('review', args=[slug])}?{urlencode(filters.chosen())}")


def _annotation(project: Project, pk: str) -> Annotation:
    number = whole(pk)
    if number is None:
        raise InvalidInput(_("Name the answer that this is about."), field="annotation")
    return get_object_or_404(Annotation.objects.select_related("item", "annotator"), project=project, pk=number)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def review_undo(request: UserRequest, slug: str) -> HttpResponse:
    """The reviewer's last word, whatever it was; its answer comes again. `query` draws on."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    again = services.undo(project, request.user)
    if again is None:
        raise DomainError(_("There is no decision of yours to take back."))
    filters = SampleForm(project, dict(parse_qsl(request.POST.get("query", "")[:400])))
    if request.htmx:
        return render(request, "quality/_review_card.html", _card(request, project, filters, first=again.pk))
    messages.success(request, _("Taken back. The text is here again."))
    return redirect(f"{reverse('review', args=[slug])}?{urlencode(filters.chosen() | {'answer': again.pk})}")


@login_required
@require_GET
def sent_back(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    context = {"project": project, "rows": list(queries.sent_back(project, request.user)[:200])}
    return render(request, "quality/sent_back.html", context)


@login_required
@require_POST
def sent_back_insist(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.ANNOTATE)
    mine = Review.objects.select_related("annotation__item").filter(project=project, annotator=request.user)
    services.insist(project, get_object_or_404(mine, pk=pk), request.user, request.POST.get("words", ""))
    messages.success(request, _("Your answer stands for now. Somebody else decides."))
    return redirect("sent_back", slug)
