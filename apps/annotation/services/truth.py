"""From opinions to the item's current truth."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.annotation.models import Resolution
from apps.annotation.rows import rows

EXTRA_PLACES = 3  # how many more people a tie may ask before it is left to a reviewer


@dataclass(frozen=True)
class Verdict:
    done: bool
    wanted: int
    label: int | None = None
    how: str = ""
    by: int | None = None


@dataclass(frozen=True)
class Opinion:
    annotator: int
    label: int | None


def decide(opinions: Sequence[Opinion], *, wanted: int, most: int) -> Verdict:
    """One wanted: that person's answer. Several: the label most of them gave; a tie asks one more, up to `most`."""
    if len(opinions) < wanted:
        return Verdict(done=False, wanted=wanted)
    votes = Counter(opinion.label for opinion in opinions if opinion.label is not None).most_common(2)
    if not votes:
        return Verdict(done=True, wanted=wanted)  # flagged by all, labelled by nobody: a reviewer's
    if len(opinions) == 1:
        return Verdict(True, wanted, opinions[0].label, Resolution.How.SINGLE, opinions[0].annotator)
    if len(votes) == 2 and votes[0][1] == votes[1][1]:
        return Verdict(done=False, wanted=wanted + 1) if wanted < most else Verdict(done=True, wanted=wanted)
    return Verdict(True, wanted, votes[0][0], Resolution.How.CONSENSUS)


# the newest revision of each person who holds a place; late answers stand beside the count
_OPINIONS = """
SELECT annotator_id, label_id FROM (
    SELECT DISTINCT ON (annotator_id) annotator_id, label_id, retracted, late
    FROM annotation_annotation WHERE item_id = %(item)s AND task_id = %(task)s
    ORDER BY annotator_id, revision DESC
) newest WHERE NOT retracted AND NOT late
"""


def opinions_on(item: int, task: int) -> list[Opinion]:
    return [Opinion(*row) for row in rows(_OPINIONS, {"item": item, "task": task})]


# what a reviewer decided or a gold item says stands, whatever annotators answer later
SETTLE = """
moved AS (
    UPDATE annotation_task
    SET taken = %(taken)s, wanted = %(wanted)s,
        state = CASE WHEN %(done)s THEN 'done' WHEN %(taken)s >= %(wanted)s THEN 'full' ELSE 'open' END,
        closed_at = CASE WHEN %(done)s THEN now() END
    WHERE id = %(task)s
), resolved AS (
    INSERT INTO annotation_resolution AS r (item_id, project_id, split, label_id, how, by_id, changed_at)
    SELECT %(item)s, %(project)s, %(split)s::text, %(truth)s::bigint, %(how)s::text, %(by)s::bigint, clock_timestamp()
    WHERE %(truth)s::bigint IS NOT NULL
    ON CONFLICT (item_id) DO UPDATE
    SET label_id = excluded.label_id, value = NULL, how = excluded.how, by_id = excluded.by_id,
        changed_at = excluded.changed_at
    WHERE r.how NOT IN ('adjudicated', 'gold')
), unresolved AS (
    DELETE FROM annotation_resolution
    WHERE item_id = %(item)s AND %(truth)s::bigint IS NULL AND how IN ('single', 'consensus')
)
"""


def settle_values(task: int, taken: int, verdict: Verdict) -> dict[str, Any]:
    return {
        "task": task,
        "taken": taken,
        "wanted": verdict.wanted,
        "done": verdict.done,
        "truth": verdict.label,
        "how": verdict.how,
        "by": verdict.by,
    }
