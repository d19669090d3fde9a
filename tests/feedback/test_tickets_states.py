"""The table of moves is the behaviour: every move in it works, every other is refused."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.feedback import transitions
from apps.feedback.models import Ticket, TicketMove
from apps.feedback.services import tickets
from apps.projects.models import Project
from tests.feedback import complaints

pytestmark = pytest.mark.django_db
State = Ticket.State
ACTIONS = sorted({action for moves in transitions.ALLOWED.values() for action in moves})


def act(action: str, ticket: Ticket, by: User) -> TicketMove:
    version = complaints.version(ticket.project)
    verbs: dict[str, Callable[[], TicketMove]] = {
        "accept": lambda: tickets.accept(ticket, by),
        "dismiss": lambda: tickets.dismiss(ticket, by, why="unclear"),
        "duplicate": lambda: tickets.duplicate(
            ticket, complaints.ticket(ticket.project, 900 + ticket.number, "other"), by
        ),
        "snooze": lambda: tickets.snooze(ticket, by, until=timezone.now() + timedelta(days=1)),
        "reopen": lambda: tickets.reopen(ticket, by),
        "label": lambda: tickets.begin_labelling(ticket),
        "confirm": lambda: tickets.confirm(ticket),
        "fix": lambda: tickets.fix(ticket, version),
        "regress": lambda: tickets.regress(ticket, version),
        "wake": lambda: tickets.wake(ticket),
    }
    return verbs[action]()


def test_every_state_is_in_the_table() -> None:
    assert set(transitions.ALLOWED) == set(State)
    assert set(ACTIONS) <= set(transitions.ACTIONS)
    assert set(ACTIONS) == set(transitions.BY_PEOPLE) - {"assign"} | set(transitions.BY_THE_LOOP)


@pytest.mark.parametrize("state", State)
def test_every_allowed_move_works_and_is_logged(project: Project, dana: User, state: State) -> None:
    for number, (action, after) in enumerate(transitions.ALLOWED[state].items(), start=1):
        ticket = complaints.ticket(project, number, text=f"text {number}", state=state)
        move = act(action, ticket, dana)
        ticket.refresh_from_db()
        assert ticket.state == after, action
        assert (move.action, move.before, move.after) == (action, state, after)


@pytest.mark.parametrize("state", State)
def test_every_other_move_is_refused_and_changes_nothing(project: Project, dana: User, state: State) -> None:
    for number, action in enumerate(sorted(set(ACTIONS) - set(transitions.ALLOWED[state])), start=1):
        ticket = complaints.ticket(project, number, text=f"text {number}", state=state)
        with pytest.raises(DomainError):
            act(action, ticket, dana)
        ticket.refresh_from_db()
        assert ticket.state == state, action
        assert not ticket.moves.exists()
