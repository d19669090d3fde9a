"""From opinions to the item's current truth."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.annotation.models import Resolution
from apps.annotation.services.values import Parts, parts, said_by
from apps.common.rows import rows

EXTRA_PLACES = 3  # how many more people a tie may ask before it is left to a reviewer


@dataclass(frozen=True)
class Verdict:
    done: bool
    wanted: int
    label: int | None = None
    how: str = ""
    by: int | None = None
    value: dict[str, Any] | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Opinion:
    """Without label and value: flagged, or cannot decide."""

    annotator: int
    label: int | None = None
    value: dict[str, Any] | None = None

    @property
    def answers(self) -> bool:
        return self.label is not None or self.value is not None


def decide(opinions: Sequence[Opinion], *, wanted: int, most: int) -> Verdict:
    """One wanted: that person's answer. Several: what most of them gave; a tie asks one more, up to `most`."""
    if len(opinions) < wanted:
        return Verdict(done=False, wanted=wanted)
    answers = [opinion for opinion in opinions if opinion.answers]
    if not answers:
        return Verdict(done=True, wanted=wanted)  # flagged by all, answered by nobody: a reviewer's
    if len(opinions) == 1:
        label, value = answers[0].label, answers[0].value
        truth = None if value is None else said_by(parts(value) or frozenset(), value)
        return Verdict(True, wanted, label, Resolution.How.SINGLE, answers[0].annotator, truth)
    found = _most_labels(answers) if answers[0].value is None else _most_parts(answers)
    if found is None:
        return Verdict(done=False, wanted=wanted + 1) if wanted < most else Verdict(done=True, wanted=wanted)
    label, value, same = found
    return Verdict(
        True, wanted, label, Resolution.How.CONSENSUS, None, value, agreement=round(sum(same) / len(opinions), 4)
    )


Found = tuple[int | None, dict[str, Any] | None, list[float]]  # label, value, how much each answer says the same


def _most_labels(answers: Sequence[Opinion]) -> Found | None:
    votes = Counter(opinion.label for opinion in answers).most_common(2)
    if len(votes) == 2 and votes[0][1] == votes[1][1]:
        return None
    return votes[0][0], None, [float(opinion.label == votes[0][0]) for opinion in answers]


def _most_parts(answers: Sequence[Opinion]) -> Found | None:
    """Labels, or exact spans, that more than half gave. Nothing in common is a tie, unless most said "nothing"."""
    given = [parts(opinion.value) or frozenset() for opinion in answers]
    votes = Counter(part for said in given for part in said)
    kept = frozenset(part for part, n in votes.items() if 2 * n > len(given))
    if not kept and 2 * sum(not said for said in given) <= len(given):
        return None
    spoken = [opinion.value for opinion in answers if opinion.value is not None]
    kind = "labels" if "labels" in spoken[0] else "spans"
    every = {kind: [one for value in spoken for one in value[kind]]}
    return None, said_by(kept, every), [f1(said, kept) for said in given]


def f1(said: Parts, truth: Parts) -> float:
    """2 |A ∩ B| / (|A| + |B|); two empty sets say the same."""
    return 2 * len(said & truth) / (len(said) + len(truth)) if said or truth else 1.0


# the newest revision of each person who holds a place; late answers stand beside the count
_OPINIONS = """
SELECT annotator_id, label_id, value FROM (
    SELECT DISTINCT ON (annotator_id) annotator_id, label_id, value, retracted, late
    FROM annotation_annotation WHERE item_id = %(item)s AND task_id = %(task)s
    ORDER BY annotator_id, revision DESC
) newest WHERE NOT retracted AND NOT late
"""


def opinions_on(item: int, task: int) -> list[Opinion]:
    found = rows(_OPINIONS, {"item": item, "task": task})
    return [Opinion(person, label, json.loads(value) if value else None) for person, label, value in found]


# What a reviewer decided or a gold item says stands, whatever annotators answer later, and nobody else is asked. A
# truth from before this task stands until the task has its own: people who are asked anew do not take it away by
# beginning to answer.
SETTLE = """
moved AS (
    UPDATE annotation_task
    SET taken = %(taken)s, wanted = %(wanted)s,
        state = CASE WHEN %(done)s THEN 'done' WHEN state = 'closed' THEN 'closed'
                     WHEN state = 'done' AND EXISTS (SELECT 1 FROM annotation_resolution
                          WHERE item_id = %(item)s AND how IN ('adjudicated', 'gold')) THEN 'done'
                     WHEN %(taken)s >= %(wanted)s THEN 'full' ELSE 'open' END,
        closed_at = CASE WHEN %(done)s THEN now() WHEN state = 'closed' THEN closed_at END
    WHERE id = %(task)s
), resolved AS (
    INSERT INTO annotation_resolution AS r (item_id, project_id, split, label_id, value, how, by_id, agreement,
                                            changed_at)
    SELECT %(item)s, %(project)s, %(split)s::text, %(truth)s::bigint, %(truth_value)s::jsonb, %(how)s::text,
           %(by)s::bigint, %(agreement)s::float8, clock_timestamp()
    WHERE %(settled)s
    ON CONFLICT (item_id) DO UPDATE
    SET label_id = excluded.label_id, value = excluded.value, how = excluded.how, by_id = excluded.by_id,
        agreement = excluded.agreement, certainty = NULL, changed_at = excluded.changed_at
    WHERE r.how NOT IN ('adjudicated', 'gold')
), unresolved AS (
    DELETE FROM annotation_resolution
    WHERE item_id = %(item)s AND NOT %(settled)s AND how IN ('single', 'consensus')
      AND (%(done)s OR changed_at > (SELECT created_at FROM annotation_task WHERE id = %(task)s))
)
"""


def settle_values(task: int, taken: int, verdict: Verdict) -> dict[str, Any]:
    return {
        "task": task,
        "taken": taken,
        "wanted": verdict.wanted,
        "done": verdict.done,
        "settled": verdict.label is not None or verdict.value is not None,
        "truth": verdict.label,
        "truth_value": None if verdict.value is None else json.dumps(verdict.value),
        "how": verdict.how,
        "by": verdict.by,
        "agreement": verdict.agreement,
    }
