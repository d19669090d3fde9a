"""What product managers do with tickets, and what the loop does. Every verb is one move (moving.py, transitions.py)."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Task
from apps.annotation.services import asking
from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import Ticket, TicketMove
from apps.feedback.services import moving, reach, ticket_items
from apps.feedback.services.moving import move
from apps.notices.services.telling import tell
from apps.projects.access import Capability, capabilities
from apps.projects.models import Project
from apps.registry.models import ModelVersion

State = Ticket.State
Bulk = uuid.UUID | None
MOST_AT_ONCE = 500  # tickets of one bulk move


# --- people ------------------------------------------------------------------------------------------------
@transaction.atomic
def accept(ticket: Ticket, by: User, *, bulk: Bulk = None) -> TicketMove:
    """Annotators are asked about its text, before everything else in the queue."""
    item = ticket_items.item_of(ticket)
    asked = asking.ask_out_of_turn(ticket.project, item, reason=Task.Reason.FEEDBACK)
    note = {"task_made": asked.made}
    return move(ticket, "accept", by, bulk=bulk, note=note, item_id=item.pk, task_id=asked.task.pk)


@transaction.atomic
def dismiss(ticket: Ticket, by: User | None, *, why: str, answer: str = "", bulk: Bulk = None) -> TicketMove:
    """Closed with a reason; `answer` is what may be sent to those who complained."""
    if why not in Ticket.Dismissal.values:
        raise InvalidInput(_("Say why it is dismissed."), field="why")
    _withdraw(ticket)
    return move(ticket, "dismiss", by, bulk=bulk, dismissal=why, answer=answer.strip())


@transaction.atomic
def duplicate(ticket: Ticket, of: Ticket, by: User | None, *, bulk: Bulk = None) -> TicketMove:
    """Its people count for the other one from now on."""
    root = root_of(of)
    if root.project_id != ticket.project_id:
        raise InvalidInput(_("This ticket is not of this project."), field="of")
    if root.pk == ticket.pk:
        raise InvalidInput(_("A ticket is no duplicate of itself. Choose the other one."), field="of")
    _withdraw(ticket)
    made = move(ticket, "duplicate", by, bulk=bulk, duplicate_of_id=root.pk)
    reach.refresh(ticket.project, [root.pk, ticket.pk])
    return made


def snooze(
    ticket: Ticket, by: User, *, until: datetime | None = None, reach: int | None = None, bulk: Bulk = None
) -> TicketMove:
    """Out of sight until a date, or until so many more people complain, whichever comes first."""
    if until is None and reach is None:
        raise InvalidInput(_("Say until when, or until how many more people complain."), field="until")
    if until is not None and until <= timezone.now():
        raise InvalidInput(_("This time has passed. Choose a later one."), field="until")
    if reach is not None and not 1 <= reach <= 1_000_000:
        raise InvalidInput(_("Say how many more people, at least one."), field="reach")
    people = ticket.reach + reach if reach is not None else None
    return move(ticket, "snooze", by, bulk=bulk, snoozed_until=until, snoozed_reach=people)


@transaction.atomic
def assign(ticket: Ticket, to: User | None, by: User, *, bulk: Bulk = None) -> TicketMove:
    if to is not None and Capability.TRIAGE not in capabilities(to, ticket.project):
        raise InvalidInput(
            _("%(name)s cannot triage in this project. Choose a product manager or an administrator.") % {"name": to},
            field="to",
        )
    made = move(ticket, "assign", by, bulk=bulk, assignee_id=to.pk if to else None)
    if to is not None and to.pk != by.pk:
        tell(
            [to],
            project=ticket.project,
            kind="ticket",
            title=lambda: _("Ticket %(number)d is yours now") % {"number": ticket.number},
            body=lambda: ticket.text[:200],
            url=moving.url_of(ticket),
            key=f"ticket:{made.pk}",
        )
    return made


@transaction.atomic
def reopen(ticket: Ticket, by: User | None, *, bulk: Bulk = None) -> TicketMove:
    """Back to the beginning, as if it were new."""
    _withdraw(ticket)
    of = ticket.duplicate_of_id
    made = move(ticket, "reopen", by, bulk=bulk)
    if of is not None:
        reach.refresh(ticket.project, [of, ticket.pk])
    return made


def look(ticket: Ticket, by: User) -> TicketMove | None:
    """Notes when somebody opened it for the first time; None when that was earlier."""
    now = timezone.now()
    with transaction.atomic():
        if not Ticket.objects.filter(pk=ticket.pk, looked_at=None).update(looked_at=now):
            return None
        ticket.looked_at = now
        return TicketMove.objects.create(ticket=ticket, action="look", before=ticket.state, after=ticket.state, by=by)


@transaction.atomic
def undo(ticket: Ticket, by: User, *, bulk: Bulk = None) -> TicketMove:
    """Takes the newest move of this ticket back, if a person made it and nothing has come of it yet."""
    last = moving.undoable(ticket)
    if last.action == "accept" and ticket.task is not None:
        _unask(ticket.task, made=bool(last.data.get("task_made")))
    of = ticket.duplicate_of_id
    try:
        made = moving.take_back(ticket, last, by, bulk=bulk)
    except IntegrityError as error:  # undone_by is one-to-one: another hand was quicker
        raise DomainError(_("This has been undone already.")) from error
    if last.action in {"dismiss", "duplicate", "reopen"} and ticket.task and ticket.state in _ASKING:
        asked = asking.ask_out_of_turn(ticket.project, ticket.task.item, reason=Task.Reason.FEEDBACK)
        Ticket.objects.filter(pk=ticket.pk).update(task=asked.task)
    if last.action in {"duplicate", "reopen"}:
        reach.refresh(ticket.project, [pk for pk in (of, ticket.duplicate_of_id, ticket.pk) if pk])
    return made


_ASKING = (State.ACCEPTED, State.LABELLING)


def _unask(task: Task, *, made: bool) -> None:
    if asking.answered(task):
        raise DomainError(_("Somebody has answered already. Dismiss the ticket instead, or let the answer decide."))
    asking.withdraw(task, made=made)


def _withdraw(ticket: Ticket) -> None:
    """People need not be asked any more; whoever has answered has been asked."""
    if ticket.state in _ASKING and ticket.task is not None:
        accepted = ticket.moves.filter(action="accept").order_by("-pk").first()
        asking.withdraw(ticket.task, made=bool(accepted and accepted.data.get("task_made")))


def root_of(ticket: Ticket) -> Ticket:
    """What it is in the end a duplicate of; itself when it is none."""
    seen = set()
    while ticket.duplicate_of is not None and ticket.pk not in seen:
        seen.add(ticket.pk)
        ticket = ticket.duplicate_of
    return ticket


# --- many at once --------------------------------------------------------------------------------------------
@dataclass
class Done:
    """Of a move of many: what moved, and what stayed with the reason."""

    bulk: uuid.UUID
    moves: list[TicketMove] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)  # (ticket number, sentence)


_VERBS: dict[str, Callable[..., TicketMove]] = {
    "accept": accept,
    "dismiss": dismiss,
    "duplicate": lambda ticket, by, **given: duplicate(ticket, given.pop("of"), by, **given),
    "snooze": snooze,
    "assign": lambda ticket, by, **given: assign(ticket, given.pop("to"), by, **given),
    "reopen": reopen,
    "undo": undo,
}


def act(ticket: Ticket, action: str, by: User, **values: Any) -> TicketMove:
    """The move of this name, with what belongs to it."""
    return _VERBS[action](ticket, by, **values)


@transaction.atomic
def bulk(project: Project, numbers: Sequence[int], action: str, by: User, **values: Any) -> Done:
    """The same move for many tickets. Those that refuse stay as they are and say why; the others move together."""
    if action not in _VERBS:
        raise InvalidInput(_("There is no such move."), field="action")
    if not numbers or len(numbers) > MOST_AT_ONCE:
        raise InvalidInput(_("Choose between 1 and %(most)d tickets.") % {"most": MOST_AT_ONCE}, field="numbers")
    done = Done(uuid.uuid4())
    found = Ticket.objects.filter(project=project, number__in=numbers)
    # always in the same order, so that two bulk moves never wait for each other
    for ticket in found.select_related("project", "assignee", "predicted", "wanted", "task").order_by("pk"):
        try:
            with transaction.atomic():
                done.moves.append(_VERBS[action](ticket, by, **values, bulk=done.bulk))
        except InvalidInput:
            raise  # the same mistake for all of them
        except DomainError as refusal:
            done.refused.append((ticket.number, str(refusal)))
    return done


@transaction.atomic
def undo_bulk(project: Project, made_together: uuid.UUID, by: User) -> Done:
    """Takes back all of a bulk move that can be taken back."""
    moves = TicketMove.objects.filter(bulk=made_together, ticket__project=project, undoes=None, undone_by=None)
    numbers = [move.ticket.number for move in moves.select_related("ticket") if moving.newest(move.ticket) == move]
    if not numbers:
        raise DomainError(_("This has been undone already, or the tickets have moved on."))
    return bulk(project, numbers, "undo", by)


def undo_latest(project: Project, by: User) -> Done:
    """This person's newest move in the project, whole: one ticket or a bulk."""
    mine = TicketMove.objects.filter(ticket__project=project, by=by, undoes=None, undone_by=None)
    last = mine.exclude(action="look").select_related("ticket").order_by("-pk").first()
    if last is None:
        raise DomainError(_("There is nothing of yours to undo."))
    if last.bulk is not None:
        return undo_bulk(project, last.bulk, by)
    if moving.newest(last.ticket) != last:
        raise DomainError(
            _("Ticket %(number)d has moved on since. It cannot be undone.") % {"number": last.ticket.number}
        )
    return bulk(project, [last.ticket.number], "undo", by)


# --- the loop ------------------------------------------------------------------------------------------------
def begin_labelling(ticket: Ticket) -> TicketMove:
    return move(ticket, "label", None)


def confirm(ticket: Ticket, by: User | None = None) -> TicketMove:
    """Annotators agree with the complaint (loop.py, which also sees to the regression case)."""
    return move(ticket, "confirm", by)


def fix(ticket: Ticket, version: ModelVersion) -> TicketMove:
    """A version that gets its cases right serves now."""
    return move(ticket, "fix", None, note={"version": version.number}, fixed_in_id=version.pk)


def regress(ticket: Ticket, version: ModelVersion | None) -> TicketMove:
    """It came back; `fixed_in` goes on saying where it had been fixed."""
    return move(ticket, "regress", None, note={"version": version.number if version else None})


def wake(ticket: Ticket) -> TicketMove:
    return move(ticket, "wake", None)
