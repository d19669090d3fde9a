"""What the triage page and its API read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from pgvector.django import CosineDistance

from apps.common.forms import whole
from apps.feedback import priority as formula
from apps.feedback.models import RegressionCase, Signal, Ticket, TicketMove
from apps.projects.models import Project

State = Ticket.State
MOST_EXAMPLES, MOST_SIMILAR, REACH_DAYS = 20, 8, 28
NOBODY = 0  # as an assignee: tickets that are nobody's


@dataclass(frozen=True)
class Filters:
    """Everything empty: the tickets that wait for a decision."""

    states: tuple[str, ...] = ()  # of Ticket.State; empty: those that wait for triage
    everything: bool = False  # whatever the state
    q: str = ""  # in the text or a comment, or the number
    predicted: int | None = None  # label id
    wanted: int | None = None  # label id
    assignee: int | None = None  # user id; NOBODY
    version: int | None = None  # number of a version that complaints are about
    language: str = ""
    source: str = ""
    kind: str = ""  # of Signal.Kind
    least_reach: int = 0
    since: datetime | None = None  # a complaint came in after it


def tickets(project: Project, by: Filters | None = None) -> QuerySet[Ticket]:
    """By priority, the highest first."""
    by = by or Filters()
    found = Ticket.objects.filter(project=project).defer("wording", "vector")
    found = found.select_related("predicted", "wanted", "assignee", "fixed_in", "project")
    if not by.everything:
        found = found.filter(state__in=by.states or Ticket.WAITING)
    if by.q:
        found = found.filter(_saying(by.q))
    if by.predicted is not None:
        found = found.filter(predicted=by.predicted)
    if by.wanted is not None:
        found = found.filter(wanted=by.wanted)
    if by.assignee is not None:
        found = found.filter(assignee=by.assignee) if by.assignee != NOBODY else found.filter(assignee=None)
    if by.least_reach:
        found = found.filter(reach__gte=by.least_reach)
    if by.since is not None:
        found = found.filter(last_signal_at__gte=by.since)
    return _with_signals(found, by).order_by("-priority", "-last_signal_at", "number")


def _saying(words: str) -> Q:
    comment = Signal.objects.filter(ticket=OuterRef("pk"), comment__icontains=words)
    numbered = Q(number=whole(words.removeprefix("#")) or 0)
    return Q(text__icontains=words) | Exists(comment) | numbered


def _with_signals(found: QuerySet[Ticket], by: Filters) -> QuerySet[Ticket]:
    about = Q()
    if by.version is not None:
        about &= Q(version__number=by.version)
    if by.language:
        about &= Q(language=by.language)
    if by.source:
        about &= Q(source=by.source)
    if by.kind:
        about &= Q(kind=by.kind)
    return found.filter(Exists(Signal.objects.filter(about, ticket=OuterRef("pk")))) if about else found


def counts(project: Project) -> dict[str, int]:
    """Tickets by state, all states named, and `waiting`: one query."""
    found = dict(Ticket.objects.filter(project=project).order_by().values_list("state").annotate(n=Count("pk")))
    numbers: dict[str, int] = {str(state): found.get(state, 0) for state in State.values}
    return numbers | {"waiting": sum(numbers[state] for state in Ticket.WAITING)}


# --- reach -----------------------------------------------------------------------------------------------
# A person is a subject; without one, an address; without either, all of them together are one. Only signals within
# their person's cap of the day count (grouping.py marks them). Duplicates lend their people to what they duplicate.
PERSON = "CASE WHEN s.subject <> '' THEN s.subject ELSE '@' || s.address END"
_FAMILY = """
WITH RECURSIVE family AS (
    SELECT id AS root, id AS member FROM feedback_ticket WHERE id = ANY(%(tickets)s)
    UNION
    SELECT f.root, d.id FROM family f JOIN feedback_ticket d ON d.duplicate_of_id = f.member
)
"""
_STANDING = f"""{_FAMILY}, counted AS (
    SELECT f.root,
           count(DISTINCT {PERSON}) FILTER (WHERE s.counted) AS people,
           count(*) AS signals,
           avg(s.confidence) FILTER (WHERE s.polarity < 0) AS sure,
           count(*) FILTER (WHERE s.counted AND s.received_at > %(now)s - interval '7 days') AS lately,
           count(*) FILTER (WHERE s.counted AND s.received_at <= %(now)s - interval '7 days'
                            AND s.received_at > %(now)s - interval '14 days') AS before,
           min(s.received_at) AS first, max(s.received_at) AS last
    FROM family f JOIN feedback_signal s ON s.ticket_id = f.member AND s.state = 'grouped'
    GROUP BY f.root
)
SELECT t.id, coalesce(c.people, 0), coalesce(c.signals, 0), c.sure, coalesce(c.lately, 0), coalesce(c.before, 0),
       coalesce(c.first, t.first_signal_at), coalesce(c.last, t.last_signal_at),
       extract(epoch FROM %(now)s - t.created_at)::float8 / 86400, t.fixed_in_id IS NOT NULL AND t.state <> 'fixed'
FROM feedback_ticket t LEFT JOIN counted c ON c.root = t.id WHERE t.id = ANY(%(tickets)s)
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Standing:
    """What the signals say of a ticket."""

    ticket: int
    people: int
    signals: int
    sure: float | None  # mean confidence of the model in what was complained about
    lately: int  # complaints of the last seven days
    before: int  # and of the seven before
    first: datetime
    last: datetime
    days: float  # since it was opened
    came_back: bool

    @property
    def priority(self) -> float:
        trend = formula.trend_of(self.lately, self.before)
        return formula.priority(self.people, self.sure, self.days, trend, self.came_back)

    @property
    def spelled_out(self) -> list[formula.Part]:
        return formula.spelled_out(self.people, self.sure, self.days, self.lately, self.before, self.came_back)


def standing(wanted: Iterable[int]) -> dict[int, Standing]:
    """By ticket id. Duplicates count for what they are duplicates of, too."""
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, {"tickets": list(wanted), "now": timezone.now()})
        return {row[0]: Standing(*row) for row in cursor.fetchall()}


# --- one ticket ----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Day:
    day: date
    people: int
    signals: int


@dataclass(frozen=True, slots=True)
class VersionShare:
    number: int | None  # None: the complaint did not say
    people: int
    signals: int
    sure: float | None


@dataclass(frozen=True)
class Detail:
    ticket: Ticket
    standing: Standing
    days: list[Day]  # the last four weeks, every day named
    versions: list[VersionShare]  # newest first
    examples: list[Signal]  # newest first; of several with one text the newest
    wanted: list[tuple[str, int]]  # label name, people who want it; the most wanted first
    moves: list[TicketMove]  # newest first
    duplicates: list[Ticket]
    cases: list[RegressionCase] = field(default_factory=list)


_DAYS = f"""{_FAMILY}
SELECT d.day::date, count(DISTINCT {PERSON}) FILTER (WHERE s.counted), count(s.id)
FROM generate_series(%(from)s::date, %(to)s::date, interval '1 day') AS d (day)
LEFT JOIN (feedback_signal s JOIN family f ON s.ticket_id = f.member AND s.state = 'grouped')
     ON (s.received_at AT TIME ZONE 'UTC')::date = d.day::date
GROUP BY d.day ORDER BY d.day
"""  # noqa: S608
_VERSIONS = f"""{_FAMILY}
SELECT v.number, count(DISTINCT {PERSON}) FILTER (WHERE s.counted), count(*), avg(s.confidence)
FROM family f JOIN feedback_signal s ON s.ticket_id = f.member AND s.state = 'grouped'
LEFT JOIN registry_modelversion v ON v.id = s.version_id
GROUP BY v.number ORDER BY v.number DESC NULLS LAST
"""  # noqa: S608
_WANTED = f"""{_FAMILY}
SELECT l.name, count(DISTINCT {PERSON}) FILTER (WHERE s.counted) AS people
FROM family f JOIN feedback_signal s ON s.ticket_id = f.member AND s.state = 'grouped'
JOIN projects_label l ON l.id = s.wanted_id
GROUP BY l.name ORDER BY people DESC, l.name
"""  # noqa: S608


def detail(ticket: Ticket) -> Detail:
    today = timezone.now().date()
    values: dict[str, Any] = {"tickets": [ticket.pk], "from": today - timedelta(days=REACH_DAYS - 1), "to": today}
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, values)
        days = [Day(*row) for row in cursor.fetchall()]
        cursor.execute(_VERSIONS, values)
        versions = [VersionShare(*row) for row in cursor.fetchall()]
        cursor.execute(_WANTED, values)
        wanted = list(cursor.fetchall())
    duplicates = list(ticket.duplicates.select_related("predicted", "wanted").order_by("number"))
    return Detail(
        ticket=ticket,
        standing=standing([ticket.pk])[ticket.pk],
        days=days,
        versions=versions,
        examples=examples(ticket),
        wanted=wanted,
        moves=list(ticket.moves.select_related("by", "undoes").order_by("-pk")),
        duplicates=duplicates,
        cases=list(ticket.cases.select_related("label", "item").order_by("-pk")),
    )


def examples(ticket: Ticket) -> list[Signal]:
    family = Q(ticket=ticket) | Q(ticket__duplicate_of=ticket)
    newest = Signal.objects.filter(family, state=Signal.State.GROUPED).order_by("-received_at", "-pk")
    kept: dict[tuple[str, str], Signal] = {}
    for signal in newest.select_related("wanted", "predicted", "version", "item")[: MOST_EXAMPLES * 10]:
        kept.setdefault((signal.text, signal.comment), signal)
    return list(kept.values())[:MOST_EXAMPLES]


def similar(ticket: Ticket, *, most: int = MOST_SIMILAR) -> list[Ticket]:
    """What it may be a duplicate of: nearest by text (`.distance`); without a vector, what got the same answer."""
    others = Ticket.objects.filter(project=ticket.project).exclude(pk=ticket.pk).exclude(state=State.DUPLICATE)
    others = others.select_related("predicted", "wanted")
    if ticket.vector is None:
        same = others.filter(predicted=ticket.predicted).order_by("-priority", "number")[:most]
        return [_at(other, None) for other in same]
    near = others.filter(vector__isnull=False, encoder_digest=ticket.encoder_digest)
    distance = CosineDistance("vector", ticket.vector)
    found = near.annotate(near_by=distance).order_by("near_by", "number")[:most]
    return [_at(other, float(vars(other)["near_by"])) for other in found]


def _at(ticket: Ticket, distance: float | None) -> Ticket:
    ticket.distance = distance  # type: ignore[attr-defined]
    return ticket


# --- elsewhere ------------------------------------------------------------------------------------------
def of_item(item_id: int) -> QuerySet[Ticket]:
    """For the item's page: the tickets it is about, newest first."""
    asked = Q(item=item_id) | Q(task__item=item_id)
    return Ticket.objects.filter(asked).select_related("predicted", "wanted").order_by("-number").distinct()
