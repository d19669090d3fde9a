"""People are asked about one item out of turn: before everything that the head or chance put into the queue.

Ranks below zero are such wishes; the head's choices begin at zero (top.py), so a refresh never displaces them. The
first asked is the first answered, complaints before flips.

No suggestion is shown with them. The model's answer is what is in doubt: shown first it would be accepted too often
(anchoring), and the complaint's wish would lead the other way. What somebody already has on their page stays as it is.
"""

import time
from dataclasses import dataclass

from django.db import transaction

from apps.accounts.models import User
from apps.annotation.models import Lease, Task
from apps.annotation.rows import one, rows
from apps.content.models import Item, Split
from apps.projects.models import Project

# microseconds since 1970 stay below 2^53 for centuries: the bands never meet, and all lie below zero
_BAND = {
    Task.Reason.FEEDBACK: -(1 << 55),
    Task.Reason.FLIP: -(1 << 54),
    Task.Reason.SUSPECT: -(1 << 53),
    Task.Reason.CHOSEN: -(1 << 52),
}

# one live task for an item: where there is one it moves to the front, whoever holds it keeps it
_ASK = """
INSERT INTO annotation_task AS t (project_id, item_id, split, reason, rank, wanted, taken, state, created_at)
VALUES (%(project)s, %(item)s, %(split)s, %(reason)s, %(rank)s, %(wanted)s, 0, 'open', clock_timestamp())
ON CONFLICT (item_id) WHERE state IN ('open', 'full') DO UPDATE
SET reason = CASE WHEN t.rank < excluded.rank THEN t.reason ELSE excluded.reason END,
    rank = least(t.rank, excluded.rank),
    score = CASE WHEN t.rank < 0 THEN t.score END,
    suggestion = NULL
RETURNING id, (xmax = 0) AS made
"""

_PUT_BACK = """
UPDATE annotation_task
SET rank = annotation_arrival_rank(item_id, %(seed)s),
    reason = CASE split WHEN 'holdout' THEN 'holdout' ELSE 'random' END
WHERE id = %(task)s AND rank < 0 AND state IN ('open', 'full')
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    task: Task
    made: bool  # False: a task that was in the queue already has moved to the front


@transaction.atomic
def ask_out_of_turn(project: Project, item: Item, *, reason: Task.Reason) -> Asked:
    held_out = item.split == Split.HOLDOUT
    values = {
        "project": project.pk,
        "item": item.pk,
        "split": item.split,
        "reason": str(Task.Reason.HOLDOUT if held_out else reason),
        "rank": _BAND[reason] + time.time_ns() // 1000,
        "wanted": project.wanted,
    }
    pk, made = one(_ASK, values)
    return Asked(Task.objects.get(pk=pk), bool(made))


def ask(project: Project, item: Item, *, reason: Task.Reason, by: User | None = None) -> Task:
    """A live task at the very front, also for an item that has its truth: people are asked anew, without seeing it.

    Hold-out items keep their reason and are labelled blind as ever; nothing of them enters training. `by` is who
    wanted it, for callers that note such things.
    """
    return ask_out_of_turn(project, item, reason=reason).task


def answered(task: Task) -> bool:
    return Lease.objects.filter(task=task, state=Lease.State.ANSWERED).exists()


@transaction.atomic
def withdraw(task: Task, *, made: bool) -> bool:
    """Takes the wish back unless somebody has answered. A task that it made is closed, an older one goes back to its
    place in the queue; what is on somebody's page may still be answered, and counts."""
    locked = Task.objects.select_for_update().filter(pk=task.pk, state__in=[Task.State.OPEN, Task.State.FULL]).first()
    if locked is None or answered(locked):
        return False
    if made:
        one(
            "UPDATE annotation_task SET state = 'closed', closed_at = now() WHERE id = %(task)s RETURNING id",
            {"task": task.pk},
        )
    else:
        rows(_PUT_BACK, {"task": task.pk, "seed": task.project.seed})
    return True
