"""What the pages of tickets, cases and signals are drawn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.feedback import ticket_queries, transitions, triage_words, version_says
from apps.feedback import triage_queries as queries
from apps.feedback.models import Ticket, TicketMove
from apps.feedback.ticket_queries import Day
from apps.projects.models import Project

BEFORE_ACTING = ("accept", "duplicate", "dismiss", "snooze")  # in the order of their keys


@dataclass(frozen=True)
class Tab:
    name: str
    url: str
    current: bool


def tabs(project: Project, here: str) -> list[Tab]:
    names = {"triage": _("Tickets"), "cases": _("Regression cases"), "signals": _("Signals")}
    return [Tab(words, reverse(name, args=[project.slug]), name == here) for name, words in names.items()]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    height: float
    day: Day


@dataclass(frozen=True)
class Bars:
    """People a day, as a small drawing."""

    width: int
    height: int
    bar: float
    bars: list[Bar]
    most: int
    total: int
    first: Day
    last: Day


WIDTH, HEIGHT, FLOOR = 224, 44, 40


def bars(days: Sequence[Day]) -> Bars:
    most = max((day.people for day in days), default=0)
    step = WIDTH / max(1, len(days))
    drawn = []
    for place, day in enumerate(days):
        height = max(2.0, (FLOOR - 4) * day.people / most) if day.people else 0.0
        drawn.append(Bar(round(place * step, 1), round(FLOOR - height, 1), round(height, 1), day))
    return Bars(WIDTH, HEIGHT, round(step - 2, 1), drawn, most, sum(day.signals for day in days), days[0], days[-1])


def ticket(user: User, project: Project, shown: Ticket) -> dict[str, Any]:
    """The reading column and the margin of one ticket."""
    detail = ticket_queries.detail(shown)
    moves = detail.moves
    allowed = transitions.actions(shown.state)
    [row] = queries.rows([shown])
    return {
        "project": project,
        "ticket": shown,
        "row": row,
        "detail": detail,
        "acts": [action for action in BEFORE_ACTING if action in allowed],
        "may_reopen": "reopen" in allowed,
        "log": [(move, triage_words.log(move)) for move in moves],
        "undoable": _undoable(moves),
        "parts": detail.standing.spelled_out,
        "bars": bars(detail.days),
        "similar": ticket_queries.similar(shown, most=5),
        "says": version_says.says(shown),
        "came_back_with": next((move.data.get("version") for move in moves if move.action == "regress"), None),
    }


def _undoable(moves: Sequence[TicketMove]) -> TicketMove | None:
    """The newest move that still stands, if a person made it."""
    taken_back = {move.undoes_id for move in moves if move.undoes_id}
    standing = (move for move in moves if move.pk not in taken_back and not move.undoes_id and move.action != "look")
    newest = next(standing, None)
    return newest if newest and newest.by_id and newest.action in transitions.BY_PEOPLE else None
