"""Items chosen by hand, many at once: to the queue, out of sight, and back. Each act is a Change that can be undone."""

import time
from collections.abc import Sequence

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Audience, Change
from apps.annotation.services.asking import OTHERS, OTHERS_UNTIL, others_values
from apps.annotation.services.changes import MOST, within
from apps.annotation.services.unsending import BROUGHT_BACK, SHELVED
from apps.common.errors import DomainError, InvalidInput
from apps.common.rows import rows
from apps.common.wake import wake_on_commit
from apps.projects.models import Project

MOST_PEOPLE = 20
# in front of what the head and chance put into the queue, behind complaints and flips (asking.py)
_BAND = -(1 << 53)

_CHOSEN = """
SELECT id FROM content_item i
WHERE project_id = %(project)s AND id = ANY(%(items)s) AND archived_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.item_id = i.id AND g.retired_at IS NULL)
ORDER BY id FOR UPDATE
"""
_BEFORE = """
SELECT id, rank, wanted, audience_id, reason, others_until::text FROM annotation_task
WHERE item_id = ANY(%(items)s) AND state IN ('open', 'full') ORDER BY id FOR UPDATE
"""
_KEPT = ("id", "rank", "wanted", "audience", "reason", "others_until")
_SENT = f"""
WITH {OTHERS}
INSERT INTO annotation_task AS t
    (project_id, item_id, split, reason, rank, wanted, taken, state, audience_id, others_until, created_at)
SELECT project_id, id, split, CASE split WHEN 'holdout' THEN 'holdout' ELSE 'chosen' END,
       CASE WHEN %(front)s THEN %(band)s + row_number() OVER (ORDER BY id)
            ELSE annotation_arrival_rank(id, %(seed)s) END,
       %(wanted)s, 0, 'open', %(audience)s::bigint, {OTHERS_UNTIL.format(item="i.id")}, %(at)s
FROM content_item i WHERE id = ANY(%(items)s)
ON CONFLICT (item_id) WHERE state IN ('open', 'full') DO UPDATE
SET reason = excluded.reason, rank = CASE WHEN %(front)s THEN least(t.rank, excluded.rank) ELSE t.rank END,
    wanted = greatest(t.taken, excluded.wanted), audience_id = excluded.audience_id,
    state = CASE WHEN t.taken < excluded.wanted THEN 'open' ELSE 'full' END, others_until = excluded.others_until
RETURNING id, (xmax = 0) AS made
"""  # noqa: S608


def send(
    project: Project,
    by: User,
    item_ids: Sequence[int],
    *,
    wanted: int = 1,
    front: bool = False,
    audience: Audience | None = None,
) -> Change:
    """A task for each item that `wanted` people are asked; where there is one, it is made to fit. Archived items and
    gold items are left out. Hold-out items stay what they are: asked about blind. People who have not answered an item
    yet get it first, for a day, as with every question out of turn."""
    _few_enough(item_ids)
    if not 1 <= wanted <= MOST_PEOPLE:
        raise InvalidInput(_("Between 1 and %(most)d people can be asked.") % {"most": MOST_PEOPLE}, field="wanted")
    what = {"wanted": wanted, "front": front, "audience": audience.pk if audience else None}
    with within(project, by, Change.Kind.QUEUE, what) as change:
        chosen = [pk for (pk,) in rows(_CHOSEN, {"project": project.pk, "items": list(item_ids)})]
        before = rows(_BEFORE, {"items": chosen})
        band = _BAND + time.time_ns() // 1000
        values = what | {"items": chosen, "band": band, "seed": project.seed, "at": change.created_at}
        sent = rows(_SENT, values | {"project": project.pk} | others_values())
        opened = [pk for pk, made in sent if made]
        moved = [dict(zip(_KEPT, row, strict=True)) for row in before]
        change.what |= {"left_out": len(set(item_ids)) - len(chosen), "opened": opened, "moved": moved}
        change.n = len(chosen)
        wake_on_commit("learning.refresh", project.pk)
    return change


def shelve(project: Project, by: User, item_ids: Sequence[int]) -> Change:
    """Out of the queue and the lists; truth and history stay. Gold items are left out."""
    _few_enough(item_ids)
    with within(project, by, Change.Kind.SHELVE, {"shelved": True}) as change:
        values = {"project": project.pk, "items": list(item_ids), "at": change.created_at}
        shelved = [pk for (pk,) in rows(SHELVED, values)]
        change.what |= {"items": shelved, "left_out": len(set(item_ids)) - len(shelved)}
        change.n = len(shelved)
        wake_on_commit("learning.refresh", project.pk)
    return change


def bring_back(project: Project, by: User, item_ids: Sequence[int]) -> Change:
    """Archived items are in sight again, and asked about where they were when they went."""
    _few_enough(item_ids)
    with within(project, by, Change.Kind.SHELVE, {"shelved": False}) as change:
        values = {"project": project.pk, "items": list(item_ids), "at": None}
        back = [pk for (pk,) in rows(BROUGHT_BACK, values)]
        change.what |= {"items": back, "left_out": len(set(item_ids)) - len(back)}
        change.n = len(back)
        wake_on_commit("learning.refresh", project.pk)
    return change


def _few_enough(item_ids: Sequence[int]) -> None:
    if not item_ids:
        raise InvalidInput(_("Tick at least one item."), field="item")
    if len(item_ids) > MOST:
        raise DomainError(_("At most %(most)d items can be changed at once.") % {"most": MOST})
