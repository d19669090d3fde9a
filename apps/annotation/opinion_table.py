"""Who said what about which item, as columns: what agreement, consensus and the work of people are computed from.

An opinion is a person's newest revision on an item that gives an answer: not taken back, not late, not given to a gold
item, and not set by hand on many items at once (whoever does that sees what the others said).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.common.rows import rows
from apps.projects.models import Label, Project
from workers.learning import quality
from workers.learning.types import Span

Ids = NDArray[np.int64]

# a revision that came after `until` did not exist then: the table is as it stood at that time
_OPINIONS = """
SELECT item_id, annotator_id, label_id, value, extract(epoch FROM created_at)::float8, reason, id
FROM (
    SELECT DISTINCT ON (a.item_id, a.annotator_id)
           a.id, a.item_id, a.annotator_id, a.label_id, a.value, a.created_at, a.retracted, a.late, t.reason,
           t.state = 'gold' OR t.reason = 'gold' AS gold
    FROM annotation_annotation a LEFT JOIN annotation_task t ON t.id = a.task_id
    WHERE a.project_id = %(project)s
      AND (%(items)s::bigint[] IS NULL OR a.item_id = ANY(%(items)s))
      AND (%(until)s::timestamptz IS NULL OR a.created_at < %(until)s)
    ORDER BY a.item_id, a.annotator_id, a.revision DESC
) newest
WHERE NOT retracted AND NOT late AND gold IS FALSE AND (label_id IS NOT NULL OR value IS NOT NULL)
  AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
ORDER BY item_id, annotator_id
"""


@dataclass(frozen=True)
class OpinionTable:
    """One row an opinion, by item and then by annotator (ids)."""

    kind: str
    label_order: tuple[int, ...]  # ids; archived ones too, because old opinions name them, but none that was merged
    items: Ids
    annotators: Ids
    codes: Ids  # single: place of the label in the order; −1 for the other kinds
    values: NDArray[np.object_]  # several labels and spans: the canonical value; None for single
    at: NDArray[np.float64]  # seconds since 1970
    reasons: NDArray[np.str_]  # why the item was asked about
    annotations: Ids

    def __len__(self) -> int:
        return len(self.items)

    def part(self, rows_: NDArray[Any]) -> "OpinionTable":
        """The same of some rows (places or a mask)."""
        return OpinionTable(
            self.kind,
            self.label_order,
            self.items[rows_],
            self.annotators[rows_],
            self.codes[rows_],
            self.values[rows_],
            self.at[rows_],
            self.reasons[rows_],
            self.annotations[rows_],
        )

    def shared(self) -> "OpinionTable":
        """Only items that two people or more gave an answer on."""
        return self.part(self.per_row >= 2)

    @cached_property
    def per_row(self) -> Ids:
        """(rows,) how many opinions the row's item has."""
        _items, place, n = np.unique(self.items, return_inverse=True, return_counts=True)
        return np.asarray(n[place], dtype=np.int64)

    def ratings(self) -> tuple[NDArray[np.float64], Ids, Ids]:
        """Single: (items, annotators) table of label places, NaN where somebody said nothing, with both ids."""
        table, items, people = quality.table(self.items, self.annotators, self.codes)
        return table, np.asarray(items), np.asarray(people)

    def has(self, label: int) -> "NDArray[np.bool_]":
        """(rows,) whether the answer gives this label (an id)."""
        if self.kind == Project.TaskKind.SINGLE:
            same: NDArray[np.bool_] = self.codes == self.place_of(label)
            return same
        named = (_labels(value) for value in self.values)
        return np.fromiter((label in labels for labels in named), dtype=bool, count=len(self))

    def place_of(self, label: int) -> int:
        return self.label_order.index(label) if label in self.label_order else -1

    def answer(self, row: int) -> Any:
        """A label id, or the value."""
        return self.label_order[self.codes[row]] if self.codes[row] >= 0 else self.values[row]

    def spans(self, row: int) -> tuple[Span, ...]:
        """Spans: what this row marks, labels as places in the order."""
        place = {pk: at for at, pk in enumerate(self.label_order)}
        return tuple(Span(one["start"], one["end"], place[one["label"]]) for one in self.values[row]["spans"])

    def agreement_with(self, truth: Any) -> float | None:
        """Of several opinions: the share (of values: mean F1) that says the same as this answer. None for fewer."""
        if len(self) < 2:
            return None
        return float(np.mean([likeness(self.answer(row), truth) for row in range(len(self))]))


def closeness(one: Any, other: Any) -> float:
    """Two answers, each a label id or a value: 1 for the same, 0 for another; spans by F1 of borders and labels."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return float(one == other)
    if "labels" in one:
        return float(set(one["labels"]) == set(other.get("labels", ())))
    a, b = _span_set(one), _span_set(other)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0


def likeness(one: Any, other: Any) -> float:
    """As the queue counts agreement: like closeness, but sets of labels by F1 too."""
    if isinstance(one, dict) and isinstance(other, dict) and "labels" in one:
        a, b = _labels(one), _labels(other)
        return 2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0
    return closeness(one, other)


def table(
    project: Project,
    *,
    items: Sequence[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> OpinionTable:
    """All opinions of a project, of some items, or of a time."""
    values = {"project": project.pk, "items": list(items) if items is not None else None}
    found = rows(_OPINIONS, values | {"since": since, "until": until})
    into = _standing_for(project)
    order = tuple(sorted(set(into.values())))
    place = {pk: order.index(now) for pk, now in into.items()}
    said = np.empty(len(found), dtype=np.object_)
    said[:] = [_now_called(json.loads(row[3]), into) if row[3] else None for row in found]
    return OpinionTable(
        kind=project.task_kind,
        label_order=order,
        items=np.array([row[0] for row in found], dtype=np.int64),
        annotators=np.array([row[1] for row in found], dtype=np.int64),
        codes=np.array([place.get(row[2], -1) for row in found], dtype=np.int64),
        values=said,
        at=np.array([row[4] for row in found], dtype=np.float64),
        reasons=np.array([row[5] for row in found], dtype=np.str_),
        annotations=np.array([row[6] for row in found], dtype=np.int64),
    )


def _standing_for(project: Project) -> dict[int, int]:
    """Every label of the project and the one that it was merged into, or itself."""
    into = dict(Label.objects.filter(project=project).values_list("pk", "merged_into"))

    def now(pk: int) -> int:
        following = into.get(pk)
        return pk if following is None else now(following)

    return {pk: now(pk) for pk in into}


def _now_called(value: dict[str, Any], into: dict[int, int]) -> dict[str, Any]:
    if "labels" in value:
        return value | {"labels": sorted({into.get(pk, pk) for pk in value["labels"]})}
    return value | {"spans": [one | {"label": into.get(one["label"], one["label"])} for one in value.get("spans", ())]}


def _labels(value: Any) -> set[int]:
    if "labels" in value:
        return set(value["labels"])
    return {one["label"] for one in value.get("spans", ())}


def _span_set(value: dict[str, Any]) -> set[tuple[int, int, int]]:
    return {(one["start"], one["end"], one["label"]) for one in value.get("spans", ())}
