"""People are asked about one item out of turn: before everything that the head or chance put into the queue.

Ranks below zero are such wishes; the head's choices begin at zero (top.py), so a refresh never displaces them. The
first asked is the first answered, complaints before flips.

No suggestion is shown with them. The model's answer is what is in doubt: shown first it would be accepted too often
(anchoring), and the complaint's wish would lead the other way. What somebody already has on their page stays as it is.
"""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.annotation.models import Audience, Lease, Task
from apps.common.rows import one, rows
from apps.content.models import Item, Split
from apps.projects.access import CAN, Capability
from apps.projects.models import Project

# microseconds since 1970 stay below 2^53 for centuries: the bands never meet, and all lie below zero
_BAND = {
    Task.Reason.FEEDBACK: -(1 << 55),
    Task.Reason.FLIP: -(1 << 54),
    Task.Reason.CHOSEN: -(1 << 53),
    Task.Reason.SUSPECT: -(1 << 52),
}

KEPT_FOR_OTHERS = timedelta(days=1)  # where somebody has answered already, others go first so long
LATELY = timedelta(days=7)  # who answered anything since then is one of those others

# the people who may answer and did so lately, and when a task for %(audience)s ends to be for those of them alone who
# have not answered its item yet (NULL: it is for everybody at once)
OTHERS = """lately AS MATERIALIZED (
    SELECT m.user_id FROM projects_membership m JOIN accounts_user u ON u.id = m.user_id
    WHERE m.project_id = %(project)s AND m.paused_at IS NULL AND u.is_active AND m.role = ANY(%(roles)s)
      AND (SELECT a.created_at FROM annotation_annotation a
           WHERE a.annotator_id = m.user_id ORDER BY a.id DESC LIMIT 1) > now() - %(lately)s::interval
      AND (%(audience)s::bigint IS NULL OR EXISTS (
          SELECT 1 FROM annotation_audience_people p
          WHERE p.audience_id = %(audience)s AND p.user_id = m.user_id))
)"""
OTHERS_UNTIL = """CASE WHEN EXISTS (
        SELECT 1 FROM annotation_annotation a WHERE a.item_id = {item}
    ) AND EXISTS (
        SELECT 1 FROM lately WHERE NOT EXISTS (
            SELECT 1 FROM annotation_annotation a WHERE a.item_id = {item} AND a.annotator_id = lately.user_id)
    ) THEN clock_timestamp() + %(kept)s::interval END"""

# one live task for an item: where there is one it moves to the front, whoever holds it keeps it
_ASK = f"""
WITH {OTHERS}
INSERT INTO annotation_task AS t (project_id, item_id, split, reason, rank, wanted, taken, state, audience_id,
                                  others_until, created_at)
VALUES (%(project)s, %(item)s, %(split)s, %(reason)s, %(rank)s, coalesce(%(people)s, %(wanted)s), 0, 'open',
        %(audience)s::bigint, {OTHERS_UNTIL.format(item="%(item)s")}, clock_timestamp())
ON CONFLICT (item_id) WHERE state IN ('open', 'full') DO UPDATE
SET reason = CASE WHEN t.rank < excluded.rank THEN t.reason ELSE excluded.reason END,
    rank = least(t.rank, excluded.rank),
    score = CASE WHEN t.rank < 0 THEN t.score END,
    suggestion = NULL,
    wanted = greatest(t.wanted, %(people)s),
    state = CASE WHEN t.taken < greatest(t.wanted, %(people)s) THEN 'open' ELSE t.state END,
    audience_id = coalesce(excluded.audience_id, t.audience_id),
    others_until = excluded.others_until
RETURNING id, (xmax = 0) AS made
"""  # noqa: S608

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


def others_values() -> dict[str, Any]:
    """What OTHERS and OTHERS_UNTIL want beside project and audience."""
    roles = [str(role) for role, may in CAN.items() if Capability.ANNOTATE in may]
    return {"roles": roles, "lately": LATELY, "kept": KEPT_FOR_OTHERS}


@transaction.atomic
def ask_out_of_turn(
    project: Project,
    item: Item,
    *,
    reason: Task.Reason,
    people: int | None = None,
    audience: Audience | None = None,
) -> Asked:
    held_out = item.split == Split.HOLDOUT
    values = {
        "project": project.pk,
        "item": item.pk,
        "split": item.split,
        "reason": str(Task.Reason.HOLDOUT if held_out else reason),
        "rank": _BAND[reason] + time.time_ns() // 1000,
        "wanted": project.wanted,
        "people": people,
        "audience": audience.pk if audience else None,
    }
    pk, made = one(_ASK, values | others_values())
    return Asked(Task.objects.get(pk=pk), bool(made))


def ask(
    project: Project,
    item: Item,
    *,
    reason: Task.Reason,
    by: User | None = None,
    people: int | None = None,
    audience: Audience | None = None,
) -> Task:
    """A live task at the very front, also for an item that has its truth: people are asked anew, without seeing it.

    `people` (None: as many as the project wants) and `audience` (None: everybody) say who. People who have not
    answered the item yet get it first, for a day, where there are such who answered anything lately.

    Hold-out items keep their reason and are labelled blind as ever; nothing of them enters training. `by` is who
    wanted it, for callers that note such things.
    """
    return ask_out_of_turn(project, item, reason=reason, people=people, audience=audience).task


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
