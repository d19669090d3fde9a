"""THE table of moves. The services obey it, and the page of feedback rules and the tests are made from it."""

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.common.errors import DomainError
from apps.feedback.models.tickets import Ticket

State = Ticket.State

ALLOWED: dict[State, dict[str, State]] = {
    State.NEW: {
        "accept": State.ACCEPTED,
        "dismiss": State.DISMISSED,
        "duplicate": State.DUPLICATE,
        "snooze": State.SNOOZED,
    },
    State.ACCEPTED: {
        "label": State.LABELLING,
        "confirm": State.CONFIRMED,
        "dismiss": State.DISMISSED,
        "duplicate": State.DUPLICATE,
        "reopen": State.NEW,
    },
    State.LABELLING: {
        "confirm": State.CONFIRMED,
        "dismiss": State.DISMISSED,
        "duplicate": State.DUPLICATE,
        "reopen": State.NEW,
    },
    State.CONFIRMED: {
        "fix": State.FIXED,
        "dismiss": State.DISMISSED,
        "reopen": State.NEW,
    },
    State.FIXED: {
        "regress": State.REGRESSED,
        "reopen": State.NEW,
    },
    State.REGRESSED: {
        "accept": State.ACCEPTED,
        "fix": State.FIXED,
        "dismiss": State.DISMISSED,
        "duplicate": State.DUPLICATE,
        "snooze": State.SNOOZED,
    },
    State.DISMISSED: {"reopen": State.NEW},
    State.DUPLICATE: {"reopen": State.NEW},
    State.SNOOZED: {
        "accept": State.ACCEPTED,
        "dismiss": State.DISMISSED,
        "duplicate": State.DUPLICATE,
        "snooze": State.SNOOZED,
        "reopen": State.NEW,
        "wake": State.NEW,
    },
}
EVERYWHERE = ("assign", "look")  # noted like a move; the state stays
BY_PEOPLE = ("accept", "dismiss", "duplicate", "snooze", "reopen", "assign")  # and these can be undone
BY_THE_LOOP = ("label", "confirm", "fix", "regress", "wake")

ACTIONS: dict[str, Promise] = {
    "accept": gettext_lazy("accept"),
    "dismiss": gettext_lazy("dismiss"),
    "duplicate": gettext_lazy("mark as a duplicate"),
    "snooze": gettext_lazy("snooze"),
    "reopen": gettext_lazy("reopen"),
    "assign": gettext_lazy("assign"),
    "look": gettext_lazy("look at it for the first time"),
    "undo": gettext_lazy("undo"),
    "label": gettext_lazy("somebody begins to label"),
    "confirm": gettext_lazy("annotators agree with the complaint"),
    "fix": gettext_lazy("a version that gets its case right goes live"),
    "regress": gettext_lazy("the complaint comes back with the fixing version or a later one"),
    "wake": gettext_lazy("the time or the number of people is reached"),
}


def actions(state: str) -> tuple[str, ...]:
    """What may happen to a ticket in this state, people's moves first."""
    return tuple(ALLOWED[State(state)])


def target(state: str, action: str) -> State:
    """Where the action leads from here; refused in words where it is not allowed."""
    if action in EVERYWHERE:
        return State(state)
    after = ALLOWED[State(state)].get(action)
    if after is None:
        raise DomainError(
            _("This ticket is “%(state)s”: from there it cannot “%(action)s”.")
            % {"state": State(state).label, "action": ACTIONS.get(action, action)}
        )
    return after


def sentences() -> list[tuple[str, list[tuple[str, str, bool]]]]:
    """For documentation: (state, [(what happens, where it leads, whether people do it)])."""
    return [
        (
            str(state.label),
            [(str(ACTIONS[action]), str(after.label), action in BY_PEOPLE) for action, after in moves.items()],
        )
        for state, moves in ALLOWED.items()
    ]
