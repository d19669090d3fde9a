"""How a ticket changes: compare-and-swap on its state, a row that says what was there before, and the news of it."""

import uuid
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.feedback import transitions
from apps.feedback.models import Ticket, TicketMove
from apps.notices.services.telling import publish, tell

State = Ticket.State

# what belongs to a state goes with it
_LEFT: dict[str, dict[str, Any]] = {
    State.DISMISSED: {"dismissal": "", "answer": ""},
    State.DUPLICATE: {"duplicate_of_id": None},
    State.SNOOZED: {"snoozed_until": None, "snoozed_reach": None},
}
_QUIET = ("assign", "look", "label")  # no news for the host product
_TOLD_ELSEWHERE = ("assign", "look", "label", "regress")


@transaction.atomic
def move(
    ticket: Ticket,
    action: str,
    by: User | None,
    *,
    bulk: uuid.UUID | None = None,
    note: dict[str, Any] | None = None,
    **fields: Any,
) -> TicketMove:
    """The ticket as the caller saw it decides: when it has moved since, nothing happens and the caller is told."""
    after = transitions.target(ticket.state, action)
    left = _LEFT.get(ticket.state, {}) if after != ticket.state else {}
    fields = {**left, **fields}
    before = {name: getattr(ticket, name) for name in fields}
    seen = {"assignee_id": ticket.assignee_id} if action == "assign" else {}
    _swap(ticket, after, fields, seen)
    data = {"before": _plain(before), "after": _plain(fields), **(note or {})}
    made = TicketMove.objects.create(
        ticket=ticket, action=action, before=ticket.state, after=after, data=data, bulk=bulk, by=by
    )
    _adopt(ticket, after, fields)
    _news(ticket, made)
    return made


def _swap(ticket: Ticket, after: str, fields: dict[str, Any], seen: dict[str, Any]) -> None:
    now = {"state_at": timezone.now()} if after != ticket.state else {}
    unchanged = Ticket.objects.filter(Q(*seen.items()), pk=ticket.pk, state=ticket.state)
    if unchanged.update(state=after, **fields, **now):
        return
    stands = Ticket.objects.filter(pk=ticket.pk).values_list("state", flat=True).first()
    raise DomainError(
        _("Somebody moved ticket %(number)d in between: it is “%(state)s” now. Look again before you decide.")
        % {"number": ticket.number, "state": State(stands or ticket.state).label}
    )


def _adopt(ticket: Ticket, after: str, fields: dict[str, Any]) -> None:
    if after != ticket.state:
        ticket.state, ticket.state_at = after, timezone.now()
    for name, value in fields.items():
        setattr(ticket, name, value)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in fields.items()}


def _news(ticket: Ticket, made: TicketMove) -> None:
    if made.action not in _QUIET:
        publish(ticket.project, "ticket.moved", payload(ticket, made), key=f"ticket.moved:{made.pk}")
    owner = ticket.assignee
    if owner is None or owner.pk == made.by_id or made.action in _TOLD_ELSEWHERE:
        return
    tell(
        [owner],
        project=ticket.project,
        kind="ticket",
        title=lambda: _("Ticket %(number)d: %(state)s") % {"number": ticket.number, "state": State(ticket.state).label},
        body=lambda: ticket.text[:200],
        url=url_of(ticket),
        key=f"ticket:{made.pk}",
    )


def payload(ticket: Ticket, made: TicketMove | None = None) -> dict[str, Any]:
    """What host products are told of a ticket: no text, which only stays with consent."""
    body: dict[str, Any] = {
        "number": ticket.number,
        "state": str(ticket.state),
        "predicted": ticket.predicted.name if ticket.predicted else None,
        "wanted": ticket.wanted.name if ticket.wanted else None,
        "reach": ticket.reach,
        "path": url_of(ticket),
    }
    return body | ({"action": made.action, "before": str(made.before)} if made else {})


def url_of(ticket: Ticket) -> str:
    try:
        return reverse("ticket", args=[ticket.project.slug, ticket.number])
    except NoReverseMatch:
        return ""


# --- undo ----------------------------------------------------------------------------------------------
def newest(ticket: Ticket) -> TicketMove | None:
    """The newest move that still stands, whoever made it; a first look is none."""
    standing = Q(undone_by=None) & Q(undoes=None) & ~Q(action="look")
    return TicketMove.objects.filter(standing, ticket=ticket).order_by("-pk").first()


def undoable(ticket: Ticket) -> TicketMove:
    """The newest move, refused in words where it is not one to take back."""
    last = newest(ticket)
    if last is None:
        raise DomainError(_("Ticket %(number)d has not been moved yet.") % {"number": ticket.number})
    if last.action not in transitions.BY_PEOPLE or last.by_id is None:
        raise DomainError(
            _("The newest step of ticket %(number)d was not taken by a person: %(action)s. It cannot be undone.")
            % {"number": ticket.number, "action": transitions.ACTIONS.get(last.action, last.action)}
        )
    return last


@transaction.atomic
def take_back(ticket: Ticket, last: TicketMove, by: User | None, *, bulk: uuid.UUID | None = None) -> TicketMove:
    """Everything the move changed is put back, if the ticket still is where the move left it."""
    field: Any = Ticket._meta.get_field
    fields = {name: field(name).to_python(value) for name, value in last.data.get("before", {}).items()}
    before = {name: getattr(ticket, name) for name in fields}
    if ticket.state != last.after:
        raise DomainError(
            _("Somebody moved ticket %(number)d in between: it is “%(state)s” now. Look again before you decide.")
            % {"number": ticket.number, "state": State(ticket.state).label}
        )
    seen = {"assignee_id": ticket.assignee_id} if last.action == "assign" else {}
    _swap(ticket, last.before, fields, seen)
    made = TicketMove.objects.create(
        ticket=ticket,
        action="undo",
        before=ticket.state,
        after=last.before,
        data={"before": _plain(before), "after": _plain(fields), "of": last.action},
        undoes=last,
        bulk=bulk,
        by=by,
    )
    _adopt(ticket, last.before, fields)
    _news(ticket, made)
    return made
