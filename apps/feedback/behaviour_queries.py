"""What people did with the answers that they were shown: one statement, whatever the number of signals.

An answer counts once, and of one person only so many in a day as the project's rules allow: the first ones, whatever
came of them. What was set aside as spam does not count. An answer whose label was drawn at random (exploration) has no
confidence of its own and falls into no band.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.common.numbers import per_cent
from apps.common.rows import rows
from apps.feedback.models import FeedbackPolicy
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from workers.learning.intervals import wilson
from workers.learning.types import Interval

MEMORY = "SET LOCAL work_mem = '128MB'; SET LOCAL jit = off"  # a million signals are grouped without touching the disk
KEPT = 60  # seconds
MEASURES = ("accepted", "clicked", "dismissed")
DIMENSIONS = ("label", "band", "version", "language", "week")
EDGES = (0.5, 0.7, 0.8, 0.9, 0.95)

_REACTIONS = """
max(predicted_id) AS label, max(confidence) AS confidence, max(version_id) AS version, max(language) AS language,
max(subject) AS subject, min(occurred_at) AS at, bool_or(kind = 'shown') AS shown, bool_or(kind = 'clicked') AS clicked,
bool_or(kind = 'accepted') AS accepted, bool_or(kind = 'dismissed') AS dismissed,
max((value->>'ms')::float8) FILTER (WHERE kind = 'dwell') AS ms
FROM feedback_signal
WHERE project_id = %(project)s AND occurred_at >= %(since)s AND state <> 'aside'
  AND kind IN ('shown', 'clicked', 'accepted', 'dismissed', 'dwell')
"""
CAPPED = f"""
exposures AS MATERIALIZED (
    SELECT served_id, {_REACTIONS} AND served_id IS NOT NULL GROUP BY served_id
    UNION ALL
    SELECT NULL::uuid, {_REACTIONS} AND served_id IS NULL
    GROUP BY item_id, version_id, subject, occurred_at::date  -- about items: once a day for each person
), placed AS (
    SELECT *, CASE WHEN subject = '' THEN 1
        ELSE row_number() OVER (PARTITION BY subject, (at AT TIME ZONE %(zone)s)::date ORDER BY at, served_id)
        END AS place
    FROM exposures
)
"""  # noqa: S608 - made of the constant above
_RATES = f"""
WITH {CAPPED}, counted AS (
    SELECT *, width_bucket(confidence, %(edges)s::float8[]) AS band,
        date_trunc('week', at AT TIME ZONE %(zone)s)::date AS week
    FROM placed WHERE place <= %(cap)s
)
SELECT grouping(label, band, version, language, week), label, band, version, language, week, count(*),
    count(*) FILTER (WHERE accepted), count(*) FILTER (WHERE clicked), count(*) FILTER (WHERE dismissed),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), count(ms), count(*) FILTER (WHERE shown)
FROM counted GROUP BY GROUPING SETS ((), (label), (band), (version), (language), (week))
"""  # noqa: S608
_SET_OF = {31: "all", 15: "label", 23: "band", 27: "version", 29: "language", 30: "week"}  # by grouping()'s bits


@dataclass(frozen=True, slots=True)
class Rate:
    n: int
    share: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Group:
    """Answers that have something in common, and what became of them."""

    key: Any  # label id, band, version id, language, first day of the week; None: nothing known
    name: str
    shown: int
    accepted: Rate
    clicked: Rate
    dismissed: Rate
    dwell_ms: float | None  # median
    dwelt: int

    @property
    def dwell_seconds(self) -> float | None:
        return None if self.dwell_ms is None else self.dwell_ms / 1000

    def rate(self, measure: str) -> Rate:
        found: Rate = getattr(self, measure)
        return found


@dataclass(frozen=True)
class Behaviour:
    since: datetime
    cap: int
    all: Group
    reported: int  # of the answers, those that the host said were shown
    by: dict[str, list[Group]] = field(default_factory=dict)


def lately(project: Project, weeks: int) -> Behaviour:
    """Of the last weeks; kept for a minute, for a page is looked at from several sides."""
    key = f"behaviour:{project.pk}:{weeks}:{get_language()}"
    found: Behaviour | None = cache.get(key)
    if found is None:
        found = behaviour(project, since_of(weeks))
        cache.set(key, found, KEPT)
    return found


def since_of(weeks: int) -> datetime:
    return timezone.now() - timedelta(weeks=weeks)


def behaviour(project: Project, since: datetime) -> Behaviour:
    cap = person_cap(project)
    values = {"project": project.pk, "since": since, "cap": cap, "zone": settings.TIME_ZONE, "edges": list(EDGES)}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(MEMORY)
        found = rows(_RATES, values)
    names = _names(project)
    by: dict[str, list[Group]] = {dimension: [] for dimension in DIMENSIONS}
    total, reported = _group(None, "", (0, 0, 0, 0, None, 0)), 0
    for grouping, *keys, shown, accepted, clicked, dismissed, ms, dwelt, said in found:
        dimension = _SET_OF[grouping]
        counts = (shown, accepted, clicked, dismissed, ms, dwelt)
        if dimension == "all":
            total, reported = _group(None, "", counts), said
        else:
            key = keys[DIMENSIONS.index(dimension)]
            by[dimension].append(_group(key, names[dimension](key), counts))
    return Behaviour(since, cap, total, reported, {dimension: _ordered(dimension, by[dimension]) for dimension in by})


def person_cap(project: Project) -> int:
    policy = FeedbackPolicy.objects.filter(project=project).first() or FeedbackPolicy(project=project)
    return policy.person_cap


def _group(key: Any, name: str, counts: Sequence[Any]) -> Group:
    shown, accepted, clicked, dismissed, ms, dwelt = counts
    return Group(key, name, shown, _rate(accepted, shown), _rate(clicked, shown), _rate(dismissed, shown), ms, dwelt)


def _rate(n: int, of: int) -> Rate:
    return Rate(n, n / of if of else 0.0, wilson(n, of))


def _ordered(dimension: str, groups: list[Group]) -> list[Group]:
    if dimension in {"band", "week"}:
        return sorted((group for group in groups if group.key is not None), key=lambda group: group.key) + [
            group for group in groups if group.key is None
        ]
    if dimension == "version":
        return sorted(groups, key=lambda group: -(group.key or 0))
    return sorted(groups, key=lambda group: (-group.shown, group.name))


def _names(project: Project) -> Mapping[str, Any]:
    labels = dict(Label.objects.filter(project=project).values_list("pk", "name"))
    versions = dict(ModelVersion.objects.filter(project=project).values_list("pk", "number"))
    return {
        "label": lambda key: labels.get(key, _("not known")),
        "band": band_name,
        "version": lambda key: f"v{versions[key]}" if key in versions else _("not known"),
        "language": lambda key: key or _("not known"),
        "week": lambda key: key.isoformat() if isinstance(key, date) else "",
    }


def band_name(band: int | None) -> str:
    if band is None:
        return _("not known")
    low, high = (0.0, *EDGES)[band], (*EDGES, 1.0)[band]
    return f"{per_cent(low, 0)} – {per_cent(high, 0)}"
