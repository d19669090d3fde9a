"""Handing out tasks: claim, renew, skip, and the sweeper that frees forgotten places.

The row that decides is the task: `taken` counts places leased or answered, and every statement here locks the task
before it moves a place. Leases run on the database's clock.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Lease, Task
from apps.annotation.rows import Again, Row, first, in_one_transaction, one, rows
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.projects.models import Project

AHEAD = 2  # items a person holds: the one on the page and the next, already loaded

# OFFSET 0 keeps the test a look-up per task: as an anti-join the planner may read and sort the whole queue.
# What SKIP LOCKED passes over are rows that another claim is taking, or that the head is ranking, at this moment.
_CLAIM = """
WITH held AS (
    SELECT l.id, l.task_id, l.token, l.claimed_at, l.expires_at, l.shown
    FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
    WHERE l.annotator_id = %(user)s AND l.state = 'active' AND t.project_id = %(project)s
), ageing AS (
    SELECT id FROM annotation_lease
    WHERE id IN (SELECT id FROM held) AND state = 'active' AND expires_at < now() + %(lease)s * interval '0.5 second'
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE annotation_lease SET expires_at = now() + %(lease)s * interval '1 second'
    WHERE id IN (SELECT id FROM ageing)
), picked AS (
    SELECT t.id FROM annotation_task t
    WHERE t.project_id = %(project)s AND t.state = 'open' AND t.taken < t.wanted
      AND NOT EXISTS (SELECT 1 FROM annotation_lease l
                      WHERE l.task_id = t.id AND l.annotator_id = %(user)s AND l.state <> 'expired' OFFSET 0)
    ORDER BY t.rank LIMIT greatest(0, %(ahead)s - (SELECT count(*) FROM held))
    FOR UPDATE {waiting}
), taken AS (
    UPDATE annotation_task t
    SET taken = t.taken + 1, state = CASE WHEN t.taken + 1 >= t.wanted THEN 'full' ELSE 'open' END
    FROM picked WHERE t.id = picked.id AND t.state = 'open' AND t.taken < t.wanted
    RETURNING t.id, t.suggestion
), leased AS (
    INSERT INTO annotation_lease AS l (task_id, annotator_id, token, state, claimed_at, expires_at, shown)
    SELECT id, %(user)s, gen_random_uuid(), 'active', now(), now() + %(lease)s * interval '1 second', suggestion
    FROM taken
    ON CONFLICT (task_id, annotator_id) DO UPDATE
    SET state = 'active', claimed_at = excluded.claimed_at, expires_at = excluded.expires_at, shown = excluded.shown
    WHERE l.state = 'expired'
    RETURNING l.id, l.task_id, l.token, l.claimed_at, l.expires_at, l.shown
), mine AS (SELECT * FROM held UNION ALL SELECT * FROM leased)
SELECT m.id, m.task_id, m.token, m.claimed_at, m.expires_at, m.shown,
       t.item_id, t.split, t.reason, t.score, t.rank, t.wanted,
       i.external_id, i.text, i.language, i.subject, i.meta, i.created_at,
       lost.places
FROM (SELECT (SELECT count(*) FROM taken) - (SELECT count(*) FROM leased) AS places) lost
LEFT JOIN (mine m JOIN annotation_task t ON t.id = m.task_id JOIN content_item i ON i.id = t.item_id) ON true
ORDER BY m.claimed_at, t.rank
"""
_CLAIM_FREE = _CLAIM.format(waiting="SKIP LOCKED")
_CLAIM_WAITING = _CLAIM.format(waiting="")

_ANY_FOR_ME = """
SELECT 1 FROM annotation_task t
WHERE t.project_id = %(project)s AND t.state = 'open'
  AND NOT EXISTS (SELECT 1 FROM annotation_lease l
                  WHERE l.task_id = t.id AND l.annotator_id = %(user)s AND l.state <> 'expired' OFFSET 0)
ORDER BY t.rank LIMIT 1
"""

_HELD = """
SELECT l.id, l.state, t.id FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
WHERE l.token = %(token)s AND l.annotator_id = %(user)s AND t.project_id = %(project)s
FOR UPDATE OF t, l
"""

_SKIP = """
WITH put_back AS (
    UPDATE annotation_task SET taken = taken - 1, state = CASE WHEN state = 'full' THEN 'open' ELSE state END
    WHERE id = %(task)s AND %(active)s
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
    FROM (SELECT task_id, count(*) AS places FROM expired GROUP BY task_id) e WHERE t.id = e.task_id
)
SELECT count(*) FROM expired
"""


def claim(project: Project, user: User, *, ahead: int = AHEAD) -> list[Lease]:
    """The leases this person holds here, oldest first, topped up to `ahead`."""
    return _claim(project, user, ahead)


def claim_within(project: Project, user: User, ahead: int = AHEAD) -> list[Lease]:
    """The same inside a transaction that already runs."""
    values = {"project": project.pk, "user": user.pk, "lease": project.lease_seconds, "ahead": ahead}
    found = _held_and_taken(_CLAIM_FREE, values)
    if not found and first(_ANY_FOR_ME, values):
        # all that is left was locked for an instant: better late than nothing
        found = _held_and_taken(_CLAIM_WAITING, values)
    return [_lease(row, project, user) for row in found]


def _held_and_taken(statement: str, values: dict[str, Any]) -> list[Row]:
    """The leases. One row comes also when there are none: it says whether a place was taken without a lease."""
    found = rows(statement, values)
    if found[0][-1]:
        raise Again  # a second tab of the same person took the same task in between
    return [row for row in found if row[0] is not None]


_claim = in_one_transaction(claim_within)


def _lease(row: Row, project: Project, user: User) -> Lease:
    pk, task_id, token, claimed_at, expires_at, shown, item_id, split, reason, score, rank, wanted = row[:12]
    external_id, text, language, subject, meta, created_at = row[12:18]
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
    lease.shown = suggestion
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
