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
MOVES = [(state, action, after) for state, moves in transitions.ALLOWED.items() for action, after in moves.items()]
REFUSED = [(state, action) for state in State for action in ACTIONS if action not in transitions.ALLOWED[state]]


def act(action: str, ticket: Ticket, by: User) -> TicketMove:
    version = complaints.version(ticket.project)
    verbs: dict[str, Callable[[], TicketMove]] = {
        "accept": lambda: tickets.accept(ticket, by),
        "dismiss": lambda: tickets.dismiss(ticket, by, why="unclear"),
        "duplicate": lambda: tickets.duplicate(ticket, complaints.ticket(ticket.project, 999, text="other"), by),
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


@pytest.mark.parametrize(("state", "action", "after"), MOVES)
def test_every_allowed_move_works_and_is_logged(
    project: Project, dana: User, state: State, action: str, after: State
) -> None:
    ticket = complaints.ticket(project, state=state)
    move = act(action, ticket, dana)
    ticket.refresh_from_db()
    assert ticket.state == after
    assert (move.action, move.before, move.after) == (action, state, after)


@pytest.mark.parametrize(("state", "action"), REFUSED)
def test_every_other_move_is_refused_and_changes_nothing(
    project: Project, dana: User, state: State, action: str
) -> None:
    ticket = complaints.ticket(project, state=state)
    with pytest.raises(DomainError):
        act(action, ticket, dana)
    ticket.refresh_from_db()
    assert ticket.state == state
    assert not ticket.moves.exists()
