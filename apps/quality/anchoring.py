"""Does seeing the model's suggestion pull people towards it?

A drawn share of the tasks hides it (the project's blind share). Who got which was chance, so the difference between the
two is what showing it does. Only answers since the first hidden one are compared: before, everybody saw it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.annotation.opinion_table import closeness
from apps.common.rows import rows
from apps.projects.models import Project
from workers.learning.intervals import wilson

EDGES = (0.0, 0.5, 0.7, 0.9, 1.0)  # of the model's confidence
ENOUGH = 30  # answers on either side before a sentence says anything

# a person's first word on the item: a revision may come from the history page, where the suggestion stands for all
_FIRST = """
FROM annotation_annotation a LEFT JOIN annotation_task t ON t.id = a.task_id
WHERE a.project_id = %(project)s AND a.revision = 1 AND NOT a.late AND (a.shown IS NOT NULL OR a.hidden IS NOT NULL)
  AND (a.label_id IS NOT NULL OR a.value IS NOT NULL) AND t.reason IS DISTINCT FROM 'gold'
  AND (%(since)s::timestamptz IS NULL OR a.created_at >= %(since)s)
"""
_SINGLE = f"""
SELECT hidden, least(width_bucket(p, %(edges)s::float8[]), %(bands)s), sum(same::int), count(*) FROM (
    SELECT a.hidden IS NOT NULL AS hidden,
           (coalesce(a.hidden, a.shown) -> 'labels' ->> 0)::bigint = a.label_id AS same,
           coalesce((coalesce(a.hidden, a.shown) -> 'probabilities' ->> 0)::float8, 0) AS p
    {_FIRST}
) said GROUP BY 1, 2
"""  # noqa: S608 - made of the constant above
_VALUES = f"SELECT a.hidden IS NOT NULL, coalesce(a.hidden, a.shown), a.value {_FIRST} ORDER BY a.id DESC LIMIT 50000"
_FIRST_HIDDEN = """
SELECT min(created_at) FROM annotation_annotation WHERE project_id = %(project)s AND hidden IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often people said what the model suggests."""

    same: int
    n: int

    @property
    def share(self) -> float | None:
        return self.same / self.n if self.n else None

    @property
    def low(self) -> float:
        return wilson(self.same, self.n).low

    @property
    def high(self) -> float:
        return wilson(self.same, self.n).high


@dataclass(frozen=True, slots=True)
class Band:
    low: float
    high: float
    shown: Rate
    hidden: Rate


@dataclass(frozen=True, slots=True)
class Anchoring:
    since: datetime | None  # the first answer whose suggestion was hidden
    bands: tuple[Band, ...]  # of the model's confidence, least sure first
    shown: Rate
    hidden: Rate

    @property
    def difference(self) -> float | None:
        """Shown minus hidden. Confidence is alike on both sides, because chance drew them."""
        if self.shown.share is None or self.hidden.share is None:
            return None
        return self.shown.share - self.hidden.share

    @property
    def interval(self) -> tuple[float, float]:
        """Newcombe's (1998) of a difference of two shares, 95 %."""
        a, b = self.shown, self.hidden
        p, q, apart = a.share or 0.0, b.share or 0.0, self.difference or 0.0
        down = ((p - a.low) ** 2 + (b.high - q) ** 2) ** 0.5
        up = ((a.high - p) ** 2 + (q - b.low) ** 2) ** 0.5
        return max(-1.0, apart - down), min(1.0, apart + up)

    @property
    def enough(self) -> bool:
        return min(self.shown.n, self.hidden.n) >= ENOUGH

    @property
    def pulls(self) -> bool:
        return self.enough and self.interval[0] > 0


def measured(project: Project, since: datetime | None = None) -> Anchoring | None:
    """None where no suggestion was ever hidden or shown."""
    ((first,),) = rows(_FIRST_HIDDEN, {"project": project.pk})
    start = max(filter(None, (first, since)), default=None)
    values = {"project": project.pk, "since": start}
    if project.task_kind == Project.TaskKind.SINGLE:
        counted = rows(_SINGLE, values | {"edges": list(EDGES[1:-1]), "bands": len(EDGES) - 2})
        cells = {(bool(hidden), int(band)): Rate(int(same or 0), int(n)) for hidden, band, same, n in counted}
    else:
        cells = _of_values(rows(_VALUES, values))
    if not cells:
        return None
    bands = tuple(
        Band(EDGES[at], EDGES[at + 1], cells.get((False, at), Rate(0, 0)), cells.get((True, at), Rate(0, 0)))
        for at in range(len(EDGES) - 1)
    )
    return Anchoring(first, bands, _sum(band.shown for band in bands), _sum(band.hidden for band in bands))


def _sum(rates: Iterable[Rate]) -> Rate:
    found = list(rates)
    return Rate(sum(rate.same for rate in found), sum(rate.n for rate in found))


def _of_values(found: Iterable[tuple[Any, ...]]) -> dict[tuple[bool, int], Rate]:
    cells: dict[tuple[bool, int], Rate] = {}
    for hidden, suggestion, value in found:
        suggested, sure = suggested_value(json.loads(suggestion))
        band = next((at for at in range(len(EDGES) - 2) if sure < EDGES[at + 1]), len(EDGES) - 2)
        before = cells.get((hidden, band), Rate(0, 0))
        same = closeness(json.loads(value), suggested) == 1
        cells[hidden, band] = Rate(before.same + same, before.n + 1)
    return cells


def suggested_value(suggestion: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """The answer that was suggested, and how sure the model is of its least sure part."""
    if "spans" in suggestion:
        scores = [one.get("score", 1.0) for one in suggestion["spans"]]
        return {"spans": suggestion["spans"]}, min(scores, default=0.0)
    labels, p = suggestion["labels"], suggestion["probabilities"]
    thresholds = suggestion.get("thresholds") or [0.5] * len(labels)
    given = [label for label, one, least in zip(labels, p, thresholds, strict=False) if one >= least]
    return {"labels": given}, min((max(one, 1 - one) for one in p), default=0.0)
