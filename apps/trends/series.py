"""Hourly counts as arrays: what the charts and the alarms read."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db.models import Min, QuerySet, Sum
from numpy.typing import NDArray

from apps.registry.models import Deployment
from apps.trends.models import AlarmRule, Bucket, Measure
from apps.trends.sentiment import sentiment

WEEKS = 10
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Hourly:
    """Successive hours since the epoch from `first`; `n` items, and by stream those that count."""

    first: int
    n: Counts
    hits: dict[int | None, Counts]  # by label id; None for the one stream of a rule that has no label

    def time(self, at: int) -> datetime:
        return _EPOCH + timedelta(hours=self.first + at)

    def index(self, at: datetime) -> int:
        return hour_number(at) - self.first


def hour_number(at: datetime) -> int:
    return int((at - _EPOCH).total_seconds() // 3600)


def of_rule(rule: AlarmRule, until: datetime) -> Hourly | None:
    """The whole hours before `until`, ten weeks at most; None where nothing ever came."""
    measure = _measure(rule)
    rows = Bucket.objects.filter(project=rule.project_id, measure=measure, hour__lt=until)
    rows = rows.filter(hour__gte=until - timedelta(weeks=WEEKS))
    if rule.stream == AlarmRule.Stream.COMPLAINTS:
        rows = rows.exclude(polarity=0)  # who neither praises nor complains is no part of that share
    oldest = rows.aggregate(oldest=Min("hour"))["oldest"]
    if oldest is None:
        return None
    first = hour_number(oldest)
    t = hour_number(until) - first
    n = _array(rows.values_list("hour").annotate(n=Sum("n")), first, t)
    return Hourly(first, n, _hits(rule, rows, first, t))


def _measure(rule: AlarmRule) -> str:
    of_feedback = (AlarmRule.Stream.COMPLAINTS, AlarmRule.Stream.SIGNALS)
    return Measure.SIGNALS if rule.stream in of_feedback else Measure.SERVED


def _hits(rule: AlarmRule, rows: QuerySet[Bucket], first: int, t: int) -> dict[int | None, Counts]:
    per_hour = rows.values_list("hour").annotate(n=Sum("n"))
    if rule.stream == AlarmRule.Stream.COMPLAINTS:
        return {None: _array(per_hour.filter(polarity__lt=0), first, t)}
    if rule.stream == AlarmRule.Stream.NEGATIVE:
        negative = sentiment(rule.project).negative
        return {None: _array(per_hour.filter(label__in=negative), first, t)} if negative else {}
    if rule.stream == AlarmRule.Stream.LABEL:
        return {rule.label_id: _array(per_hour.filter(label=rule.label_id), first, t)}
    if rule.stream == AlarmRule.Stream.EACH_LABEL:
        found: dict[int | None, Counts] = {}
        for label, hour, n in rows.exclude(label=None).values_list("label", "hour").annotate(n=Sum("n")):
            found.setdefault(label, np.zeros(t, dtype=np.int64))[hour_number(hour) - first] = n
        return found
    return {}


def _array(pairs: Iterable[tuple[datetime, int]], first: int, t: int) -> Counts:
    out = np.zeros(t, dtype=np.int64)
    for hour, n in pairs:
        out[hour_number(hour) - first] = n
    return out


def releases(project_id: int, hourly: Hourly) -> list[int]:
    """Hours with which another version answers."""
    times = Deployment.objects.filter(project=project_id).values_list("at", flat=True)
    return sorted({at for at in (hourly.index(time) for time in times) if 0 < at < len(hourly.n)})
