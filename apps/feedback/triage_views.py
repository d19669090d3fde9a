"""The triage page. Every action is a plain form post; to scripts the same post answers in JSON."""

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from apps.accounts.http import UserRequest
from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.common.forms import first_error, whole
from apps.feedback import triage_pages, triage_words
from apps.feedback import triage_queries as queries
from apps.feedback.models import Ticket, TicketMove
from apps.feedback.services import triage as services
from apps.feedback.services.tickets import Done
from apps.feedback.triage_forms import MoveForm, QueueForm, TriageFilter
from apps.projects.access import Capability, project_for
from apps.projects.models import Project

DIALOGS = ("dismiss", "duplicate", "snooze", "assign")


def _project(request: UserRequest, slug: str) -> Project:
    return project_for(request.user, slug, need=Capability.TRIAGE)


@login_required
@require_GET
@never_cache
@vary_on_headers("HX-Request")
def triage(request: UserRequest, slug: str) -> HttpResponse:
    project = _project(request, slug)
    form = TriageFilter(project, request.user, request.GET)
    if not request.htmx or not form.is_valid():
        return _page(request, project, form)
    found = queries.tickets(project, form.listing)
    after = whole(request.GET.get("after", ""))
    if after is not None:
        found = queries.after(found, form.listing, after)
    return render(request, "feedback/_ticket_rows.html", _rows(project, form, found))


@login_required
@require_GET
@never_cache
@vary_on_headers("HX-Request")
def ticket(request: UserRequest, slug: str, number: int) -> HttpResponse:
    project = _project(request, slug)
    shown = _ticket(project, number)
    form = TriageFilter(project, request.user, request.GET)
    if request.htmx:
        return render(request, "feedback/_ticket.html", _detail(request.user, project, form, shown))
    return _page(request, project, form, shown)


@login_required
@require_POST
def triage_move(request: UserRequest, slug: str) -> HttpResponse:
    project = _project(request, slug)
    given = request.POST.copy()
    if len(given.getlist("numbers")) > 1:  # the boxes ticked in the list, without scripts
        given["numbers"] = ",".join(given.getlist("numbers"))
    form = MoveForm(given)
    valid = form.is_valid()
    if request.htmx:
        if not valid or form.missing:
            raise InvalidInput(first_error(form) or _("Something is missing."), field=form.missing)
        return JsonResponse(_told(_act(project, request.user, form)))
    if not valid or form.missing:
        return _ask(request, project, form)
    _say(request, form, _act(project, request.user, form))
    return redirect(_back(request, project, form.cleaned_data["action"]))


def _act(project: Project, by: User, form: MoveForm) -> Done:
    data, values = form.cleaned_data, {}
    action = data["action"]
    if action == "look":
        return services.look(project, list(form.seen_by_number), by)
    if action == "dismiss":
        values = {"why": data["why"], "answer": data["answer"]}
    elif action == "duplicate":
        values = {"of": _other(project, data["of"])}
    elif action == "snooze":
        values = {"until": form.until_when, "reach": data["reach"] if data["until"] == "reach" else None}
    elif action == "assign":
        values = {"to": _person(project, by, data["to"])}
    return services.act(project, action, by, form.seen_by_number, again=data["again"], **values)


def _other(project: Project, given: str) -> Ticket:
    found = Ticket.objects.filter(project=project, number=int(given.removeprefix("#"))).first()
    if found is None:
        raise InvalidInput(_("There is no ticket of this number here. Choose one from the list."), field="of")
    return found


def _person(project: Project, by: User, given: str) -> User | None:
    if given == "none":
        return None
    found = by if given == "me" else queries.triagers(project).filter(pk=int(given)).first()
    if found is None:
        raise InvalidInput(_("This person cannot take tickets here. Choose somebody from the list."), field="to")
    return found


def _told(done: Done) -> dict[str, Any]:
    return {
        "done": [
            {"number": move.ticket.number, "move": move.pk, "state": move.after, "action": move.action}
            for move in done.moves
        ],
        "refused": [{"number": number, "sentence": sentence} for number, sentence in done.refused],
    }


# --- without scripts ----------------------------------------------------------------------------------


def _ask(request: UserRequest, project: Project, form: MoveForm) -> HttpResponse:
    """The page again, with the question that is still open."""
    numbers = str(form.data.get("numbers", ""))
    first = whole(numbers.partition(",")[0])
    action = form.data.get("action", "")
    filters = TriageFilter(project, request.user, request.GET)
    shown = _ticket(project, first) if first is not None else None
    asked = {"do": action if action in DIALOGS else "", "numbers": numbers, "seen": form.data.get("seen", "")}
    error = first_error(form) if form.errors else ""
    return _page(request, project, filters, shown, **asked, error=error)


def _say(request: UserRequest, form: MoveForm, done: Done) -> None:
    for _number, sentence in done.refused:
        messages.error(request, sentence)
    if done.moves and form.cleaned_data["action"] != "look":
        n = len(done.moves)
        words = triage_words.done(form.cleaned_data["action"])
        messages.success(
            request, ngettext("%(n)d ticket: %(what)s.", "%(n)d tickets: %(what)s.", n) % {"n": n, "what": words}
        )


def _back(request: UserRequest, project: Project, action: str) -> str:
    """To the ticket when it stays in front of the person, otherwise to the list, which shows the next one."""
    first = whole(request.POST.get("numbers", "").partition(",")[0])
    stays = action in {"assign", "undo", "reopen"} and first is not None
    place = reverse("ticket", args=[project.slug, first]) if stays else reverse("triage", args=[project.slug])
    query = request.GET.urlencode()
    return f"{place}?{query}" if query else place


# --- what is new --------------------------------------------------------------------------------------


@login_required
@require_GET
@never_cache
def triage_pulse(request: UserRequest, slug: str) -> HttpResponse:
    """204 while nothing has changed since `signature`; otherwise counts, the numbers that fit, moves and rows."""
    project = _project(request, slug)
    signature = queries.signature(project)
    if request.GET.get("signature") == signature:
        return HttpResponse(status=204)
    form = TriageFilter(project, request.user, request.GET)
    if not form.is_valid():
        return HttpResponse(status=204)
    since = whole(request.GET.get("signature", "").partition("-")[0])
    moves = queries.moved_by_others(project, request.user, since) if since is not None else []
    return render(request, "feedback/_triage_pulse.html", _pulse(request.user, project, form, signature, moves))


def _pulse(
    user: User, project: Project, form: TriageFilter, signature: str, moves: Sequence[TicketMove] = ()
) -> dict[str, Any]:
    found = queries.tickets(project, form.listing)
    counts = queries.counts(project, user)
    return _rows(project, form, found) | {
        "signature": signature,
        "counts": counts,
        "news": json.dumps(
            {
                "waiting": counts.waiting,
                "numbers": list(found.values_list("number", flat=True)[: queries.MOST_NUMBERS]),
                "moved": [
                    {"number": move.ticket.number, "state": move.after, "words": triage_words.log(move)}
                    for move in moves
                ],
            }
        ),
    }


@login_required
@require_GET
@never_cache
def triage_find(request: UserRequest, slug: str) -> HttpResponse:
    """Tickets that another one may be a duplicate of."""
    project = _project(request, slug)
    of = project.tickets.filter(number=whole(request.GET.get("ticket", "")) or 0).first()
    found = queries.lookalikes(project, of, request.GET.get("q", "")[:200])
    return render(request, "feedback/_ticket_options.html", {"project": project, "found": found})


# --- queues -------------------------------------------------------------------------------------------


@login_required
@require_POST
def triage_queues(request: UserRequest, slug: str) -> HttpResponse:
    project = _project(request, slug)
    form = QueueForm(request.POST)
    if not form.is_valid():
        raise InvalidInput(first_error(form), field="name")
    data = form.cleaned_data
    services.save_queue(project, request.user, name=data["name"], query=data["query"], everybody=data["everybody"])
    messages.success(request, _("Saved as “%(name)s”.") % {"name": data["name"]})
    return redirect(_list(project, data["query"]))


@login_required
@require_POST
def triage_queue_delete(request: UserRequest, slug: str, pk: int) -> HttpResponse:
    project = _project(request, slug)
    queue = get_object_or_404(queries.queues(project, request.user), pk=pk)
    services.delete_queue(project, request.user, queue)
    messages.success(request, _("The queue is deleted; its tickets are not."))
    return redirect("triage", slug)


def _list(project: Project, query: str) -> str:
    place = reverse("triage", args=[project.slug])
    return f"{place}?{query}" if query else place


# --- pieces -------------------------------------------------------------------------------------------


def _ticket(project: Project, number: int) -> Ticket:
    shown = Ticket.objects.select_related("predicted", "wanted", "assignee", "fixed_in", "duplicate_of", "item", "task")
    return get_object_or_404(shown, project=project, number=number)


def _rows(project: Project, form: TriageFilter, found: Any) -> dict[str, Any]:
    shown = list(found[: queries.ROWS + 1])
    more = len(shown) > queries.ROWS
    return {
        "project": project,
        "rows": queries.rows(shown[: queries.ROWS]),
        "query": form.query,
        "after": urlencode(form.chosen | {"after": shown[queries.ROWS - 1].number}) if more else "",
    }


def _detail(user: User, project: Project, form: TriageFilter, shown: Ticket) -> dict[str, Any]:
    return triage_pages.ticket(user, project, shown) | {"query": form.query if form.is_valid() else ""}


def _page(
    request: UserRequest, project: Project, form: TriageFilter, shown: Ticket | None = None, **asked: Any
) -> HttpResponse:
    """The list with one ticket beside it: the one asked for, or on a wide screen the first."""
    valid = form.is_valid()
    context: dict[str, Any] = {"project": project, "form": form, "valid": valid, "opened": shown is not None}
    if valid:
        context |= _pulse(request.user, project, form, queries.signature(project))
    first = shown or (_ticket(project, context["rows"][0].ticket.number) if context.get("rows") else None)
    if first is not None:
        context |= _detail(request.user, project, form, first)
    do = asked.get("do") or request.GET.get("do", "")
    context |= {
        "tabs": triage_pages.tabs(project, "triage"),
        "queues": queries.queues(project, request.user),
        "people": [person for person in queries.triagers(project) if person != request.user],
        "dismissals": Ticket.Dismissal.choices,
        "any": queries.any_tickets(project),
        "any_keys": queries.any_keys(project),
        "words": triage_words.script(),
        "last": queries.last_moved_by(project, request.user),
        "states": list(form.states) if valid else [],
        "do": do if do in DIALOGS else "",
        "numbers_asked": asked.get("numbers") or (str(first.number) if first else ""),
        "seen_asked": asked.get("seen") or (str(context["row"].move) if first else ""),
        "error": asked.get("error", ""),
    }
    status = 422 if asked.get("error") or not valid else 200
    return render(request, "feedback/triage.html", context, status=status)
