"""Handing out tasks: claim, renew, skip, and the sweeper that frees forgotten places.

The row that decides is the task: `taken` counts places leased or answered, and every statement here locks the task
before it moves a place. Leases run on the database's clock.
"""

import json
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Lease, Task
from apps.annotation.races import Again, in_one_transaction
from apps.annotation.services.claim_sql import ANY_FOR_ME, CLAIMS
from apps.common.errors import DomainError
from apps.common.rows import Row, first, one, rows
from apps.content.models import Item
from apps.projects.models import Project

AHEAD = 2  # items a person holds: the one on the page and the next, already loaded
_dice = random.Random()  # noqa: S311  # what is drawn is no secret
_OVERLAP, _BLIND = 0x0E1A, 0xB11D  # seeds of two draws that have nothing to do with one another

_HELD = """
SELECT l.id, l.state, t.id FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
WHERE l.token = %(token)s AND l.annotator_id = %(user)s AND t.project_id = %(project)s
FOR UPDATE OF t, l
"""

_SKIP = """
WITH put_back AS (
    UPDATE annotation_task SET taken = taken - 1, state = CASE WHEN state = 'full' THEN 'open' ELSE state END
    WHERE id = %(task)s AND %(active)s AND reason <> 'gold'
)
UPDATE annotation_lease SET state = 'skipped' WHERE id = %(lease)s RETURNING id
"""

_RENEW = """
UPDATE annotation_lease l SET expires_at = now() + %(lease)s * interval '1 second'
FROM annotation_task t
WHERE t.id = l.task_id AND t.project_id = %(project)s
  AND l.annotator_id = %(user)s AND l.token = ANY(%(tokens)s) AND l.state = 'active'
RETURNING l.id
"""

# a lease or task that is locked is being answered just now: leave it to the next round
_SWEEP = """
WITH due AS (
    SELECT l.id FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
    WHERE l.state = 'active' AND l.expires_at < now()
    ORDER BY l.expires_at LIMIT 10000 FOR UPDATE OF l, t SKIP LOCKED
), expired AS (
    UPDATE annotation_lease l SET state = 'expired' FROM due WHERE l.id = due.id RETURNING l.task_id
), freed AS (
    UPDATE annotation_task t
    SET taken = t.taken - e.places, state = CASE WHEN t.state = 'full' THEN 'open' ELSE t.state END
    FROM (SELECT task_id, count(*) AS places FROM expired GROUP BY task_id) e
    WHERE t.id = e.task_id AND t.reason <> 'gold'
)
SELECT count(*) FROM expired
"""


def claim(project: Project, user: User, *, ahead: int = AHEAD) -> list[Lease]:
    """The leases this person holds here, oldest first, topped up to `ahead`."""
    return _claim(project, user, ahead)


def claim_within(project: Project, user: User, ahead: int = AHEAD) -> list[Lease]:
    """The same inside a transaction that already runs."""
    share = project.gold_share
    draws = [_dice.random() < share for _place in range(ahead)]
    gold = any(draws) or project.training_items > 0
    values = _values(project, user, ahead)
    if gold:
        values |= {"draws": draws, "dice": _dice.random(), "training": project.training_items}
    found = _held_and_taken(CLAIMS[True, gold], values)
    if not found and first(ANY_FOR_ME, values):
        # all that is left was locked for an instant: better late than nothing
        found = _held_and_taken(CLAIMS[False, gold], values)
    return [_lease(row, project, user) for row in found]


def _values(project: Project, user: User, ahead: int) -> dict[str, Any]:
    return {
        "project": project.pk,
        "user": user.pk,
        "lease": project.lease_seconds,
        "ahead": ahead,
        "overlap_draw": overlap_draw(project),
        "overlap_share": project.overlap_share,
        "overlap_wanted": project.overlap_wanted,
        "blind_draw": (user.pk << 20) + (project.seed << 16) + _BLIND,
        "blind_share": project.blind_share,
    }


def overlap_draw(project: Project) -> int:
    """The draw that says which items several people label."""
    return (project.seed << 16) + _OVERLAP


def _held_and_taken(statement: str, values: dict[str, Any]) -> list[Row]:
    """The leases. One row comes also when there are none: it says whether a place was taken without a lease."""
    found = rows(statement, values)
    if found[0][-1]:
        raise Again  # a second tab of the same person took the same task in between
    return [row for row in found if row[0] is not None]


_claim = in_one_transaction(claim_within)


def _lease(row: Row, project: Project, user: User) -> Lease:
    pk, task_id, token, claimed_at, expires_at, shown, item_id, split, reason, score, rank, wanted = row[:12]
    external_id, text, language, subject, meta, created_at, thread, url, around = row[12:21]
    suggestion = json.loads(shown) if shown else None
    item = Item(
        id=item_id,
        project=project,
        external_id=external_id,
        text=text,
        split=split,
        language=language,
        subject=subject,
        meta=json.loads(meta),
        created_at=created_at,
        thread=thread,
        url=url,
    )
    task = Task(
        id=task_id,
        project=project,
        item=item,
        split=split,
        reason=reason,
        score=score,
        rank=rank,
        wanted=wanted,
        suggestion=suggestion,
    )
    lease = Lease(id=pk, task=task, annotator_id=user.pk, token=token, claimed_at=claimed_at, expires_at=expires_at)
    lease.shown, lease.around = suggestion, around
    for made in (item, task, lease):
        made._state.adding, made._state.db = False, "default"
    return lease


@transaction.atomic
def skip(project: Project, user: User, token: UUID) -> list[Lease]:
    """Puts the task back for others; this person does not meet it again."""
    held = first(_HELD, {"token": token, "user": user.pk, "project": project.pk})
    if held is None:
        raise DomainError(_("This item was not handed out to you. Load the page again to get the next one."))
    lease, state, task = held
    if state in {Lease.State.ACTIVE, Lease.State.EXPIRED}:
        rows(_SKIP, {"lease": lease, "task": task, "active": state == Lease.State.ACTIVE})
    return claim(project, user)


def renew(project: Project, user: User, tokens: Sequence[UUID]) -> int:
    """Somebody is at it: their leases run from now again. Says how many still are theirs."""
    values = {"lease": project.lease_seconds, "project": project.pk, "user": user.pk, "tokens": list(tokens)}
    return len(rows(_RENEW, values))


def sweep() -> int:
    """Frees the places of leases that ran out. Says how many."""
    return int(one(_SWEEP, {})[0])
