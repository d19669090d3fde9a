"""The queue of texts that a reviewer decides. Every action is a plain form post; to scripts the same post answers with
the next text."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.common.errors import DomainError, InvalidInput
from apps.common.forms import first_error, whole
from apps.content.models import Item
from apps.projects.access import Capability, project_for
from apps.projects.models import Project
from apps.quality import adjudication_cards as cards
from apps.quality.adjudication_forms import OwnAnswerForm
from apps.quality.key_words import of_rows
from apps.quality.models import Adjudication
from apps.quality.services import adjudication as services
from apps.quality.services import consensus

ACTS = ("adjudicate_edit", "adjudicate_back", "adjudicate_skip", "adjudicate_guide", "undo")
COUNTED = 999


@login_required
@require_GET
@never_cache
@vary_on_headers("HX-Request")
def adjudicate(request: UserRequest, slug: str) -> HttpResponse:
    """`?after=` leaves those up to that one for later; `?row=` shows that one."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    return _page(request, project, _shown(request, project))


def _shown(request: UserRequest, project: Project) -> Adjudication | None:
    wanted = whole(request.GET.get("row", ""))
    found = cards.waiting(project).filter(pk=wanted).first() if wanted else None
    return found or cards.next_after(project, whole(request.GET.get("after", "")) or 0)


def _page(
    request: UserRequest,
    project: Project,
    row: Adjudication | None,
    *,
    done: Adjudication | None = None,
    form: OwnAnswerForm | None = None,
) -> HttpResponse:
    card = cards.card(row) if row else None
    n = cards.waiting(project)[: COUNTED + 1].count()
    context: dict[str, Any] = {
        "project": project,
        "card": card,
        "done": done,
        "done_card": cards.card(done, authors=True) if done else None,
        "waiting": min(n, COUNTED),
        "plus": "+" if n > COUNTED else "",
        "own": form or (OwnAnswerForm(card.row, marks=card.every_mark) if card else None),
        "round": consensus.last_round(project),
    }
    context |= of_rows(request.user, *ACTS, moves=False)
    template = "quality/_adjudication.html" if request.htmx else "quality/adjudicate.html"
    return render(request, template, context, status=422 if form is not None else 200)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def adjudicate_decide(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    """`answer`: the annotation whose answer is right; without it, an answer of the reviewer's own."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    row = _row(project, pk)
    chosen = whole(request.POST.get("answer", ""))
    if chosen is not None:
        answer = cards.answer_of(row, chosen)
        if answer is None:
            raise DomainError(_("That answer has changed since. Load the page again."))
    else:
        form = OwnAnswerForm(row, request.POST, marks=cards.card(row).every_mark)
        if not form.is_valid():
            if request.htmx:
                raise InvalidInput(first_error(form), field=next(iter(form.errors)))
            return _page(request, project, row, form=form)
        answer = form.answer()
    return _next(request, project, services.decide(row, request.user, **answer))


@login_required
@require_POST
@vary_on_headers("HX-Request")
def adjudicate_send_back(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    row = _row(project, pk)
    return _next(request, project, services.send_back(row, request.user, request.POST.get("comment", "")[:2000]))


@login_required
@require_POST
@vary_on_headers("HX-Request")
def adjudicate_undo(request: UserRequest, slug: str) -> HttpResponse:
    project = project_for(request.user, slug, need=Capability.REVIEW)
    row = services.undo(project, request.user)
    if row is None:
        raise DomainError(_("There is no decision of yours to take back."))
    if request.htmx:
        return _page(request, project, row)
    messages.success(request, _("Taken back. The text is here again."))
    return redirect(f"{reverse('adjudicate', args=[project.slug])}?row={row.pk}")


@login_required
@require_POST
def adjudicate_ask(request: UserRequest, slug: str) -> HttpResponse:
    """`item` is to be decided side by side, whatever the rule says of it."""
    project = project_for(request.user, slug, need=Capability.REVIEW)
    given = request.POST.get("item", "")
    if not given:
        raise InvalidInput(_("Say which item: its page has the button for it."), field="item")
    item = get_object_or_404(Item, project=project, pk=int(given) if given.isdecimal() and len(given) < 18 else 0)
    row = services.put_here(project, item, request.user)
    return redirect(f"{reverse('adjudicate', args=[project.slug])}?row={row.pk}")


def _row(project: Project, pk: int) -> Adjudication:
    return get_object_or_404(Adjudication.objects.select_related("project", "item"), project=project, pk=pk)


def _next(request: UserRequest, project: Project, done: Adjudication) -> HttpResponse:
    if request.htmx:
        return _page(request, project, cards.next_after(project, done.pk), done=done)
    said = _("Decided.") if done.state == Adjudication.State.DECIDED else _("Sent back.")
    messages.success(request, said)
    return redirect(f"{reverse('adjudicate', args=[project.slug])}?after={done.pk}")
