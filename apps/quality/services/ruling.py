"""What the rule says of each text, and writing it down where nothing came in between."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.annotation.models import Resolution
from apps.annotation.opinion_table import OpinionTable, closeness, likeness
from apps.annotation.races import in_one_transaction
from apps.common.rows import rows
from apps.common.wake import wake_on_commit
from apps.projects.models import Project
from workers.learning.types import Consensus

DIGITS = 4  # of what is stored: finer changes are no news


@dataclass(frozen=True, slots=True)
class Ruling:
    item: int
    truth: Any  # a label id or a value
    certainty: float
    agreement: float  # share (of values: mean F1) of the answers that say the same
    tied: bool  # the votes alone do not decide, and the rule has nothing else to go by


def of_label(said: OpinionTable, items: NDArray[np.int64], order: Sequence[int], found: Consensus) -> list[Ruling]:
    place = np.searchsorted(items, said.items)
    labels = np.asarray(order)[found.labels]
    same = np.asarray(said.label_order)[said.codes] == labels[place]
    n = np.bincount(place, minlength=len(items))
    share = np.bincount(place, same, minlength=len(items)) / np.maximum(n, 1)
    best = found.probabilities.max(axis=1, keepdims=True)
    level: NDArray[np.bool_] = np.asarray(
        (np.isclose(found.probabilities, best, atol=1e-9).sum(axis=1) > 1) & found.tied
    )
    return [
        Ruling(int(item), int(label), float(sure), float(part), bool(tied))
        for item, label, sure, part, tied in zip(items, labels, found.quality, share, level, strict=True)
    ]


def of_labels(
    said: OpinionTable, items: NDArray[np.int64], order: Sequence[int], found: list[Consensus]
) -> list[Ruling]:
    """As sure as of the least sure label."""
    yes = np.column_stack([one.probabilities[:, 1] for one in found])
    sure = np.maximum(yes, 1 - yes).min(axis=1)
    level: NDArray[np.bool_] = np.asarray(np.isclose(yes, 0.5, atol=1e-9).any(axis=1))
    values = [{"labels": sorted(int(pk) for pk, p in zip(order, row, strict=True) if p > 0.5)} for row in yes]
    agreement = _agreement(said, items, values)
    return [
        Ruling(int(item), value, float(certain), float(same), bool(tied))
        for item, value, certain, same, tied in zip(items, values, sure, agreement, level, strict=True)
    ]


def of_spans(project: Project, said: OpinionTable) -> list[Ruling]:
    """Marks are taken by majority when the answer comes; here only how far people agree with the outcome."""
    items = np.unique(said.items)
    truths = dict(
        Resolution.objects.filter(project=project, how=Resolution.How.CONSENSUS, item__in=items.tolist()).values_list(
            "item", "value"
        )
    )
    known = np.array([item for item in items.tolist() if item in truths], dtype=np.int64)
    values = [truths[item] for item in known.tolist()]
    agreement = _agreement(said.part(np.isin(said.items, known)), known, values)
    return [
        Ruling(int(item), value, float(same), float(same), tied=False)
        for item, value, same in zip(known, values, agreement, strict=True)
    ]


def _agreement(said: OpinionTable, items: NDArray[np.int64], values: Sequence[Any]) -> NDArray[np.float64]:
    place = np.searchsorted(items, said.items)
    close = np.array([likeness(said.values[row], values[at]) for row, at in enumerate(place)], dtype=np.float64)
    n = np.bincount(place, minlength=len(items))
    found: NDArray[np.float64] = np.bincount(place, close, minlength=len(items)) / np.maximum(n, 1)
    return found


_SEEN = """
SELECT r.item_id, r.changed_at, r.label_id, (r.value - 'text_hash')::text, r.how, r.certainty, r.agreement
FROM annotation_resolution r WHERE r.project_id = %(project)s AND r.item_id = ANY(%(items)s)
"""
# whoever is asked at this moment has the last word: their answer settles the task first
_WRITE = """
WITH ruled AS (
    SELECT * FROM unnest(%(items)s::bigint[], %(labels)s::bigint[], %(values)s::text[], %(certainty)s::float8[],
                         %(agreement)s::float8[], %(seen)s::timestamptz[], %(replaces)s::boolean[])
        AS ruled (item, label, value, certainty, agreement, seen, replaces)
), quiet AS (
    SELECT u.* FROM ruled u WHERE NOT EXISTS (
        SELECT 1 FROM annotation_annotation a WHERE a.item_id = u.item AND a.id > %(newest)s
    ) AND NOT EXISTS (
        SELECT 1 FROM annotation_task t WHERE t.item_id = u.item AND t.state IN ('open', 'full', 'gold')
    )
), changed AS (
    UPDATE annotation_resolution r
    SET label_id = CASE WHEN q.replaces THEN q.label ELSE r.label_id END,
        value = CASE WHEN q.replaces THEN q.value::jsonb ELSE r.value END,
        certainty = q.certainty, agreement = q.agreement,
        changed_at = CASE WHEN q.replaces THEN clock_timestamp() ELSE r.changed_at END
    FROM quiet q
    WHERE r.item_id = q.item AND r.changed_at = q.seen AND r.how = 'consensus'
    RETURNING r.item_id, q.replaces
), made AS (
    INSERT INTO annotation_resolution (item_id, project_id, split, label_id, value, how, agreement, certainty,
                                       changed_at)
    SELECT i.id, i.project_id, i.split, q.label, q.value::jsonb, 'consensus', q.agreement, q.certainty,
           clock_timestamp()
    FROM quiet q JOIN content_item i ON i.id = q.item AND i.archived_at IS NULL
    WHERE q.seen IS NULL AND q.replaces
    ON CONFLICT (item_id) DO NOTHING RETURNING item_id
)
SELECT (SELECT count(*) FROM changed WHERE replaces) + (SELECT count(*) FROM made)
"""


@in_one_transaction
def write(project: Project, rulings: Sequence[Ruling], *, newest: int) -> int:
    """Truths by the rule, where it is sure enough; elsewhere only how sure it is. Says how many truths are others now.

    `newest` is the last annotation that the rule has seen: a text that was answered since is left alone.
    """
    seen = {row[0]: row[1:] for row in rows(_SEEN, {"project": project.pk, "items": [one.item for one in rulings]})}
    found = [row for one in rulings if (row := _row(project, one, seen.get(one.item))) is not None]
    if not found:
        return 0
    names = ("items", "labels", "values", "certainty", "agreement", "seen", "replaces")
    columns = dict(zip(names, map(list, zip(*found, strict=True)), strict=True))
    ((changed,),) = rows(_WRITE, columns | {"newest": newest})
    if changed:
        wake_on_commit("learning.refresh", project.pk)
    return int(changed)


Row = tuple[int, int | None, str | None, float, float, datetime | None, bool]


def _row(project: Project, one: Ruling, seen: tuple[Any, ...] | None) -> Row | None:
    """None where nothing would change."""
    certainty, agreement = round(one.certainty, DIGITS), round(one.agreement, DIGITS)
    sure = certainty >= project.adjudicate_below and not one.tied
    label, value = (None, json.dumps(one.truth)) if isinstance(one.truth, dict) else (one.truth, None)
    if seen is None:
        majority = project.consensus == Project.Consensus.MAJORITY  # the queue's: what it left open is a tie
        return (one.item, label, value, certainty, agreement, None, True) if sure and not majority else None
    changed_at, old_label, old_value, how, old_certainty, old_agreement = seen
    if how != Resolution.How.CONSENSUS:
        return None
    same = label == old_label if value is None else closeness(one.truth, json.loads(old_value or "{}")) == 1
    replaces = sure and not same
    if not replaces and not same:
        certainty = min(certainty, round(1 - certainty, DIGITS))  # of a truth that the rule would not have chosen
    if not replaces and old_agreement is not None:
        agreement = old_agreement  # the queue's, which counts those who could not decide too
    if not replaces and (certainty, agreement) == (old_certainty, old_agreement):
        return None
    return one.item, label, value, certainty, agreement, changed_at, replaces
