"""Moves as the triage page sends them: with what the person had seen, so that nobody overrules a colleague unawares."""

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.feedback.models import SavedQueue, Signal, Ticket, TicketMove
from apps.feedback.services import tickets
from apps.feedback.services.tickets import Done
from apps.projects.access import Capability, capabilities
from apps.projects.models import Project

Seen = Mapping[int, int | None]  # ticket number → id of the newest move that was on the screen; None: do not look
MOST_QUEUES = 50


@transaction.atomic
def act(project: Project, action: str, by: User, seen: Seen, *, again: bool = False, **values: Any) -> Done:
    """The move for those tickets that are as they were seen. Sent `again`, it is made only where it had not been."""
    news = _since_seen(project, seen)
    refused = [(number, _overtaken(move)) for number, move in _by_others(news, by, action).items()]
    made = {move.ticket.number: move for move in news if again and move.by_id == by.pk and move.action == action}
    left = [number for number in seen if number not in dict(refused) and number not in made]
    done = tickets.bulk(project, left, action, by, **values) if left or not seen else Done(uuid.uuid4())
    done.refused = refused + done.refused
    done.moves.extend(made.values())
    return done


def _since_seen(project: Project, seen: Seen) -> list[TicketMove]:
    """Moves that came after what was seen, oldest first."""
    dated = {number: move for number, move in seen.items() if move is not None}
    if not dated:
        return []
    moves = TicketMove.objects.filter(
        ticket__project=project, ticket__number__in=dated, pk__gt=min(dated.values())
    ).exclude(action="look")
    found = moves.select_related("ticket", "by").order_by("pk")
    return [move for move in found if move.pk > dated[move.ticket.number]]


def _by_others(news: list[TicketMove], by: User, action: str) -> dict[int, TicketMove]:
    """What a colleague did in the meantime. A new assignee only matters to who assigns."""
    return {
        move.ticket.number: move
        for move in news
        if move.by_id not in {None, by.pk} and (move.before != move.after or action in {"assign", "undo"})
    }


def _overtaken(move: TicketMove) -> str:
    values = {"name": move.by, "number": move.ticket.number, "state": Ticket.State(move.after).label}
    if move.action == "assign":
        return _("%(name)s has assigned ticket %(number)d in the meantime. Look again before you decide.") % values
    return (
        _("%(name)s has moved ticket %(number)d to “%(state)s” in the meantime. Look again before you decide.") % values
    )


def look(project: Project, numbers: list[int], by: User) -> Done:
    """The clock to the first look stops; what was looked at before stays."""
    done = Done(uuid.uuid4())
    for ticket in Ticket.objects.filter(project=project, number__in=numbers, looked_at=None):
        if made := tickets.look(ticket, by):
            done.moves.append(made)
    return done


# --- signals ------------------------------------------------------------------------------------------


@transaction.atomic
def bring_back(project: Project, pks: list[int]) -> int:
    """Signals that were set aside go through grouping again; their reason stays, so that it catches them only once."""
    aside: QuerySet[Signal] = Signal.objects.filter(project=project, pk__in=pks, state=Signal.State.ASIDE)
    brought = aside.update(state=Signal.State.NEW)
    if not brought:
        raise DomainError(_("This signal is not set aside any more. Reload the page."))
    return brought


# --- queues -------------------------------------------------------------------------------------------


@transaction.atomic
def save_queue(project: Project, by: User, *, name: str, query: str, everybody: bool) -> SavedQueue:
    """The same name again replaces what it stood for."""
    Project.objects.select_for_update().get(pk=project.pk)
    owner = None if everybody else by
    mine = SavedQueue.objects.filter(Q(owner=owner) if owner else Q(owner=None), project=project)
    if mine.count() >= MOST_QUEUES:
        raise DomainError(_("%(most)d queues are enough. Delete one first.") % {"most": MOST_QUEUES})
    kept = mine.filter(name=name).first() or SavedQueue(project=project, owner=owner, name=name)
    kept.query = query
    kept.save()
    return kept


@transaction.atomic
def delete_queue(project: Project, by: User, queue: SavedQueue) -> None:
    """One's own, or everybody's for those who manage the project."""
    if queue.owner_id != by.pk and Capability.MANAGE not in capabilities(by, project):
        raise DomainError(_("Only an administrator deletes a queue that is everybody's."))
    queue.delete()
