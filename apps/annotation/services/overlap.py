"""A smaller overlap holds for waiting tasks, too. A larger one needs no such step: who is first to take a task finds
out how many it is for (claim_sql.py).

What a project's waiting tasks may have been given at most stands in its Arrival; while that differs from the settings,
there is something to do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connection

from apps.annotation.models import Arrival
from apps.annotation.races import in_one_transaction
from apps.annotation.services.handout import overlap_draw
from apps.common.rows import one, rows
from apps.projects.models import Project

SLICE = 20_000  # tasks looked at in one transaction
_LOCK = 0x0E1A  # first half of the advisory lock's key; the second is the project

# Held-out items keep their reason when they are sent to the queue by hand; that act remembers them.
_BY_HAND = """
WITH sent AS (
    SELECT what FROM annotation_change WHERE project_id = %(project)s AND kind = 'queue' AND undone_at IS NULL
), task AS (
    SELECT jsonb_array_elements(what -> 'opened')::bigint AS id FROM sent
    UNION SELECT (jsonb_array_elements(what -> 'moved') ->> 'id')::bigint FROM sent
)
SELECT t.id FROM annotation_task t JOIN task ON task.id = t.id
WHERE t.split = 'holdout' AND t.state = 'open' AND t.taken = 0
"""

_END = """
SELECT max(id) FROM (
    SELECT id FROM annotation_task WHERE project_id = %(project)s AND id > %(after)s ORDER BY id LIMIT %(slice)s
) slice
"""

# what was asked for out of turn or by hand has a rank below zero or a reason of its own
_LOWER = """
UPDATE annotation_task SET wanted = CASE WHEN annotation_share(item_id, %(draw)s) < %(share)s
                                         THEN greatest(%(ordinary)s, %(people)s) ELSE %(ordinary)s END
WHERE project_id = %(project)s AND id > %(after)s AND id <= %(end)s
  AND state = 'open' AND taken = 0 AND rank >= 0 AND reason IN ('random', 'uncertain', 'cold_start', 'holdout')
  AND annotation_share(item_id, %(draw)s) < %(was)s AND id <> ALL(%(by_hand)s)
  AND wanted > CASE WHEN annotation_share(item_id, %(draw)s) < %(share)s
                    THEN greatest(%(ordinary)s, %(people)s) ELSE %(ordinary)s END
RETURNING id
"""


@dataclass(frozen=True)
class _Overlap:
    share: float
    people: int

    def lets_fewer_than(self, other: "_Overlap") -> bool:
        return other.share > 0 and (self.share < other.share or self.people < other.people)


def follow_overlap(project: Project) -> int:
    """Waiting tasks that nobody has taken and nobody asked for are for as many people as the settings say now. Says
    how many tasks are for fewer than before; 0 also when another process is at it."""
    now = _Overlap(project.overlap_share, project.overlap_wanted)
    with _alone(project) as mine:
        arrival = Arrival.objects.filter(project=project).first() if mine else None
        if arrival is None:
            return 0
        before = _Overlap(arrival.overlap_share, arrival.overlap_wanted)
        lowered = _lower(project, before, now) if now.lets_fewer_than(before) else 0
        # items that came in meanwhile under other settings have raised it: then this is done once more
        Arrival.objects.filter(project=project, overlap_share=before.share, overlap_wanted=before.people).update(
            overlap_share=now.share, overlap_wanted=now.people
        )
    return lowered


def _lower(project: Project, before: _Overlap, now: _Overlap) -> int:
    values = {
        "project": project.pk,
        "slice": SLICE,
        "draw": overlap_draw(project),
        "share": now.share,
        "people": now.people,
        "ordinary": project.wanted,
        "was": before.share,
        "by_hand": [pk for (pk,) in rows(_BY_HAND, {"project": project.pk})],
    }
    lowered = after = 0
    while (end := one(_END, values | {"after": after})[0]) is not None:
        lowered += _lower_slice(values | {"after": after, "end": end})
        after = end
    return lowered


@in_one_transaction
def _lower_slice(values: dict[str, Any]) -> int:
    """The head ranks tasks in another order than this goes through them: when the two block each other, it begins
    anew."""
    return len(rows(_LOWER, values))


@contextmanager
def _alone(project: Project) -> Iterator[bool]:
    """True for one process at a time; the lock ends with its connection, however that ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [_LOCK, project.pk])
        (mine,) = cursor.fetchone()
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [_LOCK, project.pk])
