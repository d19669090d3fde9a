"""What the head chose goes to the top of the queue, with hold-out tasks mixed in at the project's share.

Ranks below zero are questions out of turn (asking.py): they are not the head's to move.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.annotation.models import Task
from apps.annotation.queries import holdout_labelled
from apps.annotation.races import in_one_transaction
from apps.common.rows import rows
from apps.projects.models import Project


@dataclass(frozen=True)
class TopChoice:
    item_id: int
    reason: str  # a Task.Reason of the pool
    score: float | None
    suggestion: dict[str, Any] | None


_OPEN_HOLDOUT = """
SELECT item_id FROM annotation_task
WHERE project_id = %(project)s AND state = 'open' AND split = 'holdout' AND audience_id IS NULL AND rank >= 0
ORDER BY rank LIMIT %(most)s
"""

_OPEN_AMONG = """
SELECT item_id FROM annotation_task
WHERE project_id = %(project)s AND state = 'open' AND split = 'pool' AND audience_id IS NULL AND rank >= 0
  AND item_id = ANY(%(items)s)
"""

# only open tasks move: what is on somebody's page keeps the suggestion it was shown with
_SET = """
WITH top AS (
    SELECT * FROM unnest(%(items)s::bigint[], %(ranks)s::bigint[], %(reasons)s::text[], %(scores)s::float8[],
                         %(suggestions)s::text[]) AS top (item_id, rank, reason, score, suggestion)
), moving AS (
    SELECT t.id FROM annotation_task t JOIN top ON top.item_id = t.item_id
    WHERE t.project_id = %(project)s AND t.state = 'open' AND t.audience_id IS NULL AND t.rank >= 0
    UNION
    SELECT id FROM annotation_task
    WHERE project_id = %(project)s AND state = 'open' AND audience_id IS NULL AND rank >= 0 AND rank < %(top)s
), placed AS (
    SELECT t.id, top.item_id IS NOT NULL AS chosen, top.reason, top.score, top.suggestion::jsonb AS suggestion,
           coalesce(top.rank, CASE WHEN t.split = 'holdout' AND %(missing)s = 0 THEN %(last)s + t.item_id
                                   ELSE annotation_arrival_rank(t.item_id, %(seed)s) END) AS rank
    FROM moving JOIN annotation_task t ON t.id = moving.id LEFT JOIN top ON top.item_id = t.item_id
)
UPDATE annotation_task t
SET rank = p.rank,
    reason = CASE WHEN t.split = 'holdout' OR t.reason IN ('feedback', 'flip', 'suspect', 'chosen') THEN t.reason
                  WHEN p.chosen THEN p.reason ELSE 'random' END,
    score = p.score,
    suggestion = CASE WHEN t.split = 'holdout' THEN NULL WHEN p.chosen THEN p.suggestion ELSE t.suggestion END
FROM placed p WHERE t.id = p.id AND t.state = 'open' AND t.rank >= 0
RETURNING p.chosen
"""


@in_one_transaction
def set_top(project: Project, choices: Sequence[TopChoice]) -> int:
    """Ranks 0, 1, 2 … for these choices and the hold-out tasks between them. Says how many tasks now are on top.

    It locks tasks in another order than people who claim them: when the two block each other, this one may begin anew.
    """
    still_open = {row[0] for row in rows(_OPEN_AMONG, {"project": project.pk, "items": [c.item_id for c in choices]})}
    chosen = [choice for choice in choices if choice.item_id in still_open]
    missing = max(0, project.holdout_target - holdout_labelled(project))
    most = min(missing, _holdout_places(len(chosen), project.holdout_share))
    held = [row[0] for row in rows(_OPEN_HOLDOUT, {"project": project.pk, "most": most})]
    top = interleave(chosen, [TopChoice(item, Task.Reason.HOLDOUT, None, None) for item in held], project.holdout_share)
    values = {
        "project": project.pk,
        "seed": project.seed,
        "missing": missing,
        "top": Task.TOP,
        "last": Task.LAST,
        "items": [choice.item_id for choice in top],
        "ranks": list(range(len(top))),
        "reasons": [str(choice.reason) for choice in top],
        "scores": [choice.score for choice in top],
        "suggestions": [json.dumps(choice.suggestion) if choice.suggestion else None for choice in top],
    }
    return sum(1 for (is_chosen,) in rows(_SET, values) if is_chosen)


def _holdout_places(choices: int, share: float) -> int:
    if share >= 1:
        return 1_000_000
    return round(choices * share / (1 - share))


def interleave(choices: Sequence[TopChoice], held: Sequence[TopChoice], share: float) -> list[TopChoice]:
    """After every prefix of length n, floor(n × share) places went to hold-out tasks while there were any."""
    mixed: list[TopChoice] = []
    pool, waiting = list(reversed(choices)), list(reversed(held))
    while pool or waiting:
        due = int((len(mixed) + 1) * share + 1e-9) > int(len(mixed) * share + 1e-9)
        mixed.append(waiting.pop() if waiting and (due or not pool) else pool.pop())
    return mixed
