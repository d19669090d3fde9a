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
from apps.annotation.rows import Again, Row, first, in_one_transaction, one, rows
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.projects.models import Project

AHEAD = 2  # items a person holds: the one on the page and the next, already loaded
_OVERLAP, _BLIND = 0x0E1A, 0xB11D  # seeds of two draws that have nothing to do with one another

# Tests of a task `t`, each a look-up: OFFSET 0 keeps the planner from reading and sorting the whole queue for them.
# A person meets an item once (the database holds that, too); again only where it is asked about on purpose.
_FOR_ME = """
t.state = 'open' AND t.taken < t.wanted
AND CASE WHEN t.reason IN ('feedback', 'flip', 'suspect', 'chosen') THEN NOT EXISTS (
        SELECT 1 FROM annotation_lease l
        WHERE l.task_id = t.id AND l.annotator_id = %(user)s AND l.state <> 'expired' OFFSET 0)
    ELSE NOT EXISTS (
        SELECT 1 FROM annotation_lease l
        WHERE l.item_id = t.item_id AND l.annotator_id = %(user)s AND NOT l.again
          AND (l.task_id <> t.id OR l.state <> 'expired') OFFSET 0) END
AND (t.others_until IS NULL OR t.others_until < now() OR NOT EXISTS (
        SELECT 1 FROM annotation_annotation a WHERE a.item_id = t.item_id AND a.annotator_id = %(user)s OFFSET 0))
AND NOT EXISTS (SELECT 1 FROM content_item i WHERE i.id = t.item_id AND i.archived_at IS NOT NULL OFFSET 0)
"""

# What SKIP LOCKED passes over are rows that another claim is taking, or that the head is ranking, at this moment.
# Tasks for named people stand in an index of their own: the others never read past them.
_CLAIM = """
WITH held AS (
    SELECT l.id, l.task_id, l.token, l.claimed_at, l.expires_at, l.shown
    FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id
    WHERE l.annotator_id = %(user)s AND l.state = 'active' AND t.project_id = %(project)s AND NOT ({paused})
), ageing AS (
    SELECT id FROM annotation_lease
    WHERE id IN (SELECT id FROM held) AND state = 'active' AND expires_at < now() + %(lease)s * interval '0.5 second'
    FOR UPDATE SKIP LOCKED
), renewed AS (
    UPDATE annotation_lease SET expires_at = now() + %(lease)s * interval '1 second'
    WHERE id IN (SELECT id FROM ageing)
), need AS MATERIALIZED (
    SELECT CASE WHEN {paused} THEN 0 ELSE greatest(0, %(ahead)s - (SELECT count(*) FROM held)) END AS n
){gold}, picked AS (
    SELECT t.id, t.item_id, t.rank, t.taken, t.wanted FROM annotation_task t
    WHERE t.project_id = %(project)s AND t.audience_id IS NULL AND {for_me}
    ORDER BY t.rank LIMIT {places}
    FOR UPDATE {waiting}
), named AS (
    SELECT mine.* FROM annotation_audience_people p
    JOIN annotation_audience a ON a.id = p.audience_id AND a.project_id = %(project)s
    CROSS JOIN LATERAL (
        SELECT t.id, t.item_id, t.rank, t.taken, t.wanted FROM annotation_task t
        WHERE t.audience_id = a.id AND {for_me}
        ORDER BY t.rank LIMIT {places}
        FOR UPDATE {waiting}
    ) mine
    WHERE p.user_id = %(user)s
), chosen AS (
    -- who is first to take a task finds out how many it is for: the project's share may have grown since it came
    SELECT id, CASE WHEN for_all AND taken = 0 AND rank >= 0
                         AND annotation_share(item_id, %(overlap_draw)s) < %(overlap_share)s
                    THEN greatest(wanted, %(overlap_wanted)s) ELSE wanted END AS wanted
    FROM (SELECT *, true AS for_all FROM picked UNION ALL SELECT *, false FROM named) found
    ORDER BY rank LIMIT {places}
), taken AS (
    UPDATE annotation_task t
    SET taken = t.taken + 1, wanted = chosen.wanted,
        state = CASE WHEN t.taken + 1 >= chosen.wanted THEN 'full' ELSE 'open' END
    FROM chosen WHERE t.id = chosen.id AND t.state = 'open' AND t.taken < t.wanted
    RETURNING t.id, t.suggestion
), given AS (
    SELECT id, suggestion FROM taken{given_gold}
), leased AS (
    INSERT INTO annotation_lease AS l (task_id, annotator_id, token, state, claimed_at, expires_at, shown, hidden)
    SELECT id, %(user)s, gen_random_uuid(), 'active', now(), now() + %(lease)s * interval '1 second',
           CASE WHEN annotation_share(id, %(blind_draw)s) >= %(blind_share)s THEN suggestion END,
           CASE WHEN annotation_share(id, %(blind_draw)s) < %(blind_share)s THEN suggestion END
    FROM given
    ON CONFLICT (task_id, annotator_id) DO UPDATE
    SET state = 'active', claimed_at = excluded.claimed_at, expires_at = excluded.expires_at,
        shown = excluded.shown, hidden = excluded.hidden
    WHERE l.state = 'expired'
    RETURNING l.id, l.task_id, l.token, l.claimed_at, l.expires_at, l.shown
), mine AS (SELECT * FROM held UNION ALL SELECT * FROM leased)
SELECT m.id, m.task_id, m.token, m.claimed_at, m.expires_at, m.shown,
       t.item_id, t.split, CASE t.reason WHEN 'gold' THEN 'random' ELSE t.reason END, t.score, t.rank, t.wanted,
       i.external_id, i.text, i.language, i.subject, i.meta, i.created_at, i.thread, i.url,
       lost.places
FROM (SELECT (SELECT count(*) FROM given) - (SELECT count(*) FROM leased) AS places) lost
LEFT JOIN (mine m JOIN annotation_task t ON t.id = m.task_id JOIN content_item i ON i.id = t.item_id) ON true
ORDER BY m.claimed_at, t.rank
"""

_PAUSED = """EXISTS (SELECT 1 FROM projects_membership
    WHERE project_id = %(project)s AND user_id = %(user)s AND paused_at IS NOT NULL)"""

# Gold tasks are never taken: everybody may have each once. A newcomer gets nothing else until they had their number;
# for the others `draws` says of each place whether it is for gold. Which one comes is drawn anew for each person.
_GOLD = """, wish AS MATERIALIZED (
    SELECT CASE WHEN newcomer THEN least(n, greatest(0, %(training)s - had))
                ELSE (SELECT count(*) FROM unnest(%(draws)s::boolean[]) WITH ORDINALITY d (gold, place)
                      WHERE gold AND place > %(ahead)s - n) END AS n
    FROM need, (SELECT EXISTS (SELECT 1 FROM projects_membership WHERE project_id = %(project)s
                               AND user_id = %(user)s AND trained_at IS NULL AND %(training)s > 0) AS newcomer) who,
         LATERAL (SELECT CASE WHEN newcomer THEN (
             SELECT count(*) FROM annotation_task t JOIN annotation_lease l ON l.task_id = t.id
             WHERE t.project_id = %(project)s AND t.state = 'gold'
               AND l.annotator_id = %(user)s AND l.state IN ('active', 'answered')) END AS had) training
), golden AS (
    SELECT t.id, t.suggestion FROM annotation_task t
    WHERE t.project_id = %(project)s AND t.state = 'gold'
      AND EXISTS (SELECT 1 FROM annotation_gold g JOIN content_item i ON i.id = g.item_id
                  WHERE g.item_id = t.item_id AND g.retired_at IS NULL AND i.archived_at IS NULL
                    AND g.by_id IS DISTINCT FROM %(user)s OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM annotation_lease l
                      WHERE l.item_id = t.item_id AND l.annotator_id = %(user)s
                        AND (l.task_id <> t.id OR l.state <> 'expired') OFFSET 0)
      AND NOT EXISTS (SELECT 1 FROM annotation_annotation a
                      WHERE a.item_id = t.item_id AND a.annotator_id = %(user)s OFFSET 0)
    ORDER BY hashint8extended(t.id, %(user)s) LIMIT (SELECT n FROM wish)
)"""
_GIVEN_GOLD = " UNION ALL SELECT id, suggestion FROM golden"


def _claim_statement(*, waiting: str, gold: bool) -> str:
    places = "(SELECT n FROM need)"
    return _CLAIM.format(
        paused=_PAUSED,
        gold=_GOLD if gold else "",
        given_gold=_GIVEN_GOLD if gold else "",
        places=f"greatest(0, {places} - (SELECT count(*) FROM golden))" if gold else places,
        for_me=_FOR_ME,
        waiting=waiting,
    )


_CLAIMS = {
    (free, gold): _claim_statement(waiting="SKIP LOCKED" if free else "", gold=gold)
    for free in (True, False)
    for gold in (True, False)
}

_ANY_FOR_ME = f"""
SELECT 1 FROM annotation_task t
WHERE t.project_id = %(project)s AND NOT ({_PAUSED}) AND {_FOR_ME}
  AND (t.audience_id IS NULL OR EXISTS (SELECT 1 FROM annotation_audience_people p
                                        WHERE p.audience_id = t.audience_id AND p.user_id = %(user)s))
LIMIT 1
"""

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
    draws = [random.random() < project.gold_share for _place in range(ahead)] if project.gold_share else []
    gold = any(draws) or project.training_items > 0
    values = _values(project, user, ahead)
    if gold:
        values |= {"draws": draws, "training": project.training_items}
    found = _held_and_taken(_CLAIMS[True, gold], values)
    if not found and first(_ANY_FOR_ME, values):
        # all that is left was locked for an instant: better late than nothing
        found = _held_and_taken(_CLAIMS[False, gold], values)
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
    external_id, text, language, subject, meta, created_at, thread, url = row[12:20]
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
