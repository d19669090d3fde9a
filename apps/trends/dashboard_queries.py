"""What the dashboard counts: one aggregate for each block, nothing per row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, Min, Q
from django.db.models.functions import TruncDate
from django.utils import timezone

from apps.feedback.models import Signal, Ticket
from apps.learning import headlines
from apps.learning.models import Evaluation
from apps.projects.models import Project
from apps.registry.models import Deployment

State = Ticket.State
AGES = ((0, 1), (1, 7), (7, 28), (28, None))  # days: from, to
TOP = 10


@dataclass(frozen=True)
class Period:
    first: date
    last: date

    @property
    def since(self) -> datetime:
        return timezone.make_aware(datetime(self.first.year, self.first.month, self.first.day))

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def period(days: int) -> Period:
    today = timezone.localdate()
    return Period(today - timedelta(days=days - 1), today)


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    complaints: int
    praise: int
    others: int  # neither: comments, behaviour
    aside: int  # among them, set aside
    kinds: dict[str, int]

    @property
    def total(self) -> int:
        return self.complaints + self.praise + self.others


def volume(project: Project, over: Period) -> list[Day]:
    """Every day of the period, quiet ones too."""
    rows = (
        Signal.objects.filter(project=project, received_at__gte=over.since)
        .annotate(day=TruncDate("received_at"))
        .values_list("day", "kind", "polarity")
        .annotate(n=Count("pk"), aside=Count("pk", filter=Q(state=Signal.State.ASIDE)))
        .order_by("day")
    )
    by_day: dict[date, list[Any]] = {}
    for row in rows:
        by_day.setdefault(row[0], []).append(row[1:])
    days = [over.first + timedelta(days=n) for n in range(over.days)]
    return [_day(day, by_day.get(day, [])) for day in days]


def _day(day: date, rows: Sequence[tuple[str, int, int, int]]) -> Day:
    kinds: dict[str, int] = {}
    tones, aside = {-1: 0, 0: 0, 1: 0}, 0
    for kind, polarity, n, set_aside in rows:
        tones[polarity] += n
        kinds[kind] = kinds.get(kind, 0) + n
        aside += set_aside
    return Day(day, tones[-1], tones[1], tones[0], aside, kinds)


def open_by_age(project: Project) -> dict[str, list[int]]:
    """State → tickets by age, in the order of AGES."""
    now = timezone.now()
    counted = {f"age{place}": Count("pk", filter=_aged(now, *age)) for place, age in enumerate(AGES)}
    rows = Ticket.objects.filter(project=project, state__in=Ticket.OPEN).order_by().values("state").annotate(**counted)
    found = {row["state"]: [row[name] for name in counted] for row in rows}
    return {str(state): found[state] for state in Ticket.OPEN if state in found}


def _aged(now: datetime, least: int, most: int | None) -> Q:
    older = Q(created_at__lte=now - timedelta(days=least))
    return older & Q(created_at__gt=now - timedelta(days=most)) if most is not None else older


@dataclass(frozen=True, slots=True)
class Wait:
    """How long something took, of the tickets to which it happened in the period."""

    n: int
    median: timedelta | None
    p90: timedelta | None


_WAITS = """
WITH moved AS (
    SELECT m.ticket_id, m.action, m.after, m.at FROM feedback_ticketmove m
    WHERE NOT EXISTS (SELECT 1 FROM feedback_ticketmove u WHERE u.undoes_id = m.id)
), waits (name, seconds) AS (
    SELECT 'look', extract(epoch FROM t.looked_at - t.created_at) FROM feedback_ticket t
    WHERE t.project_id = %(project)s AND t.looked_at >= %(since)s
    UNION ALL
    SELECT * FROM (
        SELECT 'decide', extract(epoch FROM min(m.at) - t.created_at) FROM feedback_ticket t
        JOIN moved m ON m.ticket_id = t.id AND m.action IN ('accept', 'dismiss', 'duplicate', 'snooze')
        WHERE t.project_id = %(project)s GROUP BY t.id HAVING min(m.at) >= %(since)s) decided
    UNION ALL
    SELECT * FROM (
        SELECT 'fix', extract(epoch FROM min(m.at) - t.created_at) FROM feedback_ticket t
        JOIN moved m ON m.ticket_id = t.id AND m.after = 'fixed' AND m.action = 'fix'
        WHERE t.project_id = %(project)s GROUP BY t.id HAVING min(m.at) >= %(since)s) fixed
)
SELECT name, count(*), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) FROM waits GROUP BY name
"""


def waits(project: Project, over: Period) -> dict[str, Wait]:
    """To the first look, the first decision and the first fix."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITS, {"project": project.pk, "since": over.since})
        found = {name: (n, median, p90) for name, n, median, p90 in cursor.fetchall()}
    return {name: _wait(*found.get(name, (0, None, None))) for name in ("look", "decide", "fix")}


def _wait(n: int, median: float | None, p90: float | None) -> Wait:
    return Wait(n, *(None if value is None else timedelta(seconds=max(0.0, float(value))) for value in (median, p90)))


def top(project: Project) -> list[Ticket]:
    """Open tickets that concern the most people."""
    rows = Ticket.objects.filter(project=project, state__in=Ticket.OPEN).select_related("predicted", "wanted")
    return list(rows.defer("vector").order_by("-reach", "-priority", "number")[:TOP])


@dataclass(frozen=True, slots=True)
class Fixes:
    version: int
    fixed: int  # and still are
    lost: int  # were, and are not any more


def fixed_by_version(project: Project) -> list[Fixes]:
    rows = (
        Ticket.objects.filter(project=project, fixed_in__isnull=False)
        .order_by("-fixed_in__number")
        .values_list("fixed_in__number")
        .annotate(fixed=Count("pk", filter=Q(state=State.FIXED)), lost=Count("pk", filter=~Q(state=State.FIXED)))
    )
    return [Fixes(*row) for row in rows]


def regressed(project: Project) -> list[Ticket]:
    """Complaints that came back, the latest first."""
    rows = Ticket.objects.filter(project=project, state=State.REGRESSED).select_related("fixed_in", "assignee")
    return list(rows.defer("vector").order_by("-state_at")[:100])


@dataclass(frozen=True, slots=True)
class Week:
    week: date  # its Monday
    thumbs: int
    up: int
    ratings: int
    rating: float | None  # mean, on a scale of 1 to 5
    spread: float | None  # standard deviation


_WEEKS = """
SELECT date_trunc('week', received_at AT TIME ZONE %(zone)s)::date,
       count(*) FILTER (WHERE kind = 'thumb'),
       count(*) FILTER (WHERE kind = 'thumb' AND polarity > 0),
       count(stars), avg(stars)::float8, stddev_samp(stars)::float8
FROM (
    SELECT received_at, kind, polarity,
           CASE WHEN kind = 'rating' AND (value ->> 'of')::float8 > 1
                THEN 1 + 4 * ((value ->> 'rating')::float8 - 1) / ((value ->> 'of')::float8 - 1) END AS stars
    FROM feedback_signal
    WHERE project_id = %(project)s AND received_at >= %(since)s AND kind IN ('thumb', 'rating') AND state <> 'aside'
) said GROUP BY 1 ORDER BY 1
"""


def satisfaction(project: Project, over: Period) -> list[Week]:
    """Weeks in which anybody gave a thumb or a rating; what was set aside does not count."""
    with connection.cursor() as cursor:
        zone = timezone.get_current_timezone_name()
        cursor.execute(_WEEKS, {"project": project.pk, "since": over.since, "zone": zone})
        return [Week(*row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Measured:
    """A version as it was measured, at a time at which it served."""

    at: datetime
    version: int
    metric: str
    value: float
    low: float
    high: float
    n: int
    event: str  # of Deployment.Kind when it began to serve, else "" for a later measurement


def quality(project: Project, deployments: Sequence[Deployment]) -> list[Measured]:
    """The live version's figures, oldest first: as known when it was deployed, and whenever measured anew since."""
    evaluations = Evaluation.objects.filter(version__in={row.version_id for row in deployments}).order_by("at", "pk")
    known: dict[int, list[Evaluation]] = {}
    for one in evaluations:
        known.setdefault(one.version_id, []).append(one)
    found: list[Measured] = []
    ends = [row.at for row in deployments[1:]] + [timezone.now()]
    for row, end in zip(deployments, ends, strict=False):
        mine = known.get(row.version_id, [])
        before = [one for one in mine if one.at <= row.at][-1:]
        during = [one for one in mine if row.at < one.at < end]
        if before:
            found.append(_measured(before[0], row, row.at, row.kind))
        found += [_measured(one, row, one.at, "" if before or place else row.kind) for place, one in enumerate(during)]
    return found


def _measured(evaluation: Evaluation, row: Deployment, at: datetime, event: str) -> Measured:
    head = headlines.of(evaluation)
    return Measured(at, row.version.number, head.metric, head.value, head.low, head.high, head.n, event)


def releases(project: Project) -> list[Deployment]:
    """Oldest first."""
    return list(Deployment.objects.filter(project=project).select_related("version").order_by("sequence"))


@dataclass(frozen=True, slots=True)
class Standing:
    """Tickets as they are now."""

    waiting: int
    regressed: int
    oldest: datetime | None  # of those that wait for a decision
    tickets: int


def standing(project: Project) -> Standing:
    waiting = Q(state__in=Ticket.WAITING)
    found = Ticket.objects.filter(project=project).aggregate(
        waiting=Count("pk", filter=waiting),
        regressed=Count("pk", filter=Q(state=State.REGRESSED)),
        oldest=Min(F("created_at"), filter=waiting),
        tickets=Count("pk"),
    )
    return Standing(**found)
