"""New items become tasks; labels that came with them become resolutions. Set-based, in slices, resumable."""

import time

from django.db import transaction
from django.db.models.functions import Greatest

from apps.annotation.models import Arrival, Task
from apps.annotation.queries import holdout_labelled
from apps.annotation.services.handout import overlap_draw
from apps.common.rows import one, rows
from apps.projects.models import Project

SLICE = 20_000  # items in one transaction
PATIENCE = 10.0  # seconds to wait for imports that are writing just now
_LOCK = 0x51EE  # first half of the advisory lock's key; the second is the project

_NEWEST = "SELECT coalesce(max(id), 0) FROM content_item WHERE project_id = %(project)s"

_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE relation = 'content_item'::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""

_SLICE = """
WITH slice AS (
    SELECT i.id, i.split, g.label, g.value FROM content_item i LEFT JOIN content_givenlabel g ON g.item_id = i.id
    WHERE i.project_id = %(project)s AND i.id > %(after)s AND i.id <= %(newest)s ORDER BY i.id LIMIT %(slice)s
), named AS (
    SELECT coalesce(merged_into_id, id) AS id, name FROM projects_label WHERE project_id = %(project)s
), labelled AS (
    SELECT s.id, s.split, l.id AS label, NULL::jsonb AS value FROM slice s JOIN named l ON l.name = s.label
    UNION ALL
    -- a truth with a name that is gone since the import would be a wrong one: those items are asked about again
    SELECT s.id, s.split, NULL, jsonb_build_object('labels', coalesce(jsonb_agg(l.id ORDER BY l.id)
                                                                      FILTER (WHERE l.id IS NOT NULL), '[]'))
    FROM slice s LEFT JOIN LATERAL jsonb_array_elements_text(s.value -> 'labels') given (name) ON true
    LEFT JOIN named l ON l.name = given.name
    WHERE s.value -> 'labels' IS NOT NULL GROUP BY s.id, s.split HAVING count(given.name) = count(l.id)
    UNION ALL
    SELECT s.id, s.split, NULL, jsonb_build_object('spans', coalesce(
        jsonb_agg(given.span || jsonb_build_object('label', l.id) ORDER BY given.place) FILTER (WHERE l.id IS NOT NULL),
        '[]'))
    FROM slice s LEFT JOIN LATERAL jsonb_array_elements(s.value -> 'spans') WITH ORDINALITY given (span, place) ON true
    LEFT JOIN named l ON l.name = given.span ->> 'label'
    WHERE s.value -> 'spans' IS NOT NULL GROUP BY s.id, s.split HAVING count(given.span) = count(l.id)
), resolved AS (
    INSERT INTO annotation_resolution (item_id, project_id, split, label_id, value, how, changed_at)
    SELECT id, %(project)s, split, label, value, 'imported', clock_timestamp() FROM labelled ON CONFLICT DO NOTHING
), opened AS (
    INSERT INTO annotation_task (project_id, item_id, split, reason, rank, wanted, taken, state, created_at)
    SELECT %(project)s, id, split, CASE split WHEN 'holdout' THEN 'holdout' ELSE 'random' END,
           annotation_arrival_rank(id, %(seed)s),
           CASE WHEN annotation_share(id, %(overlap_draw)s) < %(overlap_share)s
                THEN greatest(%(wanted)s, %(overlap_wanted)s) ELSE %(wanted)s END, 0, 'open', now()
    FROM slice s WHERE NOT EXISTS (SELECT 1 FROM labelled d WHERE d.id = s.id)
      -- asked about out of turn and answered already; OFFSET 0 keeps this a look-up per item
      AND NOT EXISTS (SELECT 1 FROM annotation_task t WHERE t.item_id = s.id OFFSET 0)
    ON CONFLICT DO NOTHING RETURNING 1
)
SELECT (SELECT max(id) FROM slice), (SELECT count(*) FROM opened)
"""

# hold-out tasks go between the pool tasks at the head of the queue, at their share, as many as are still wanted
_SPREAD = """
WITH head AS (
    SELECT min(rank) AS first, (max(rank) - min(rank))::float8 / greatest(count(*) - 1, 1) AS step
    FROM (SELECT rank FROM annotation_task
          WHERE project_id = %(project)s AND state = 'open' AND audience_id IS NULL AND split = 'pool'
            AND rank >= %(top)s
          ORDER BY rank LIMIT 2000) nearest
), held AS (
    SELECT id, item_id, row_number() OVER (ORDER BY hashint8extended(item_id, %(seed)s)) AS place
    FROM annotation_task
    WHERE project_id = %(project)s AND state = 'open' AND split = 'holdout' AND rank >= %(top)s
), placed AS (
    SELECT held.id,
           CASE WHEN place > %(missing)s THEN %(last)s + place
                ELSE coalesce(first, %(top)s) + floor((place - 0.5) * %(gap)s * coalesce(step, 1))::bigint
           END AS rank
    FROM held, head
)
UPDATE annotation_task t SET rank = placed.rank FROM placed
WHERE t.id = placed.id AND t.state = 'open' AND t.rank <> placed.rank
RETURNING 1
"""


def take_in(project: Project) -> int:
    """Opens tasks for the items that came since the last time. Says how many; 0 when another process is at it."""
    newest = _newest_settled(project)
    if newest is None:
        return 0
    if project.task_kind == Project.TaskKind.ENGAGEMENT:
        # behaviour labels these items: nobody is asked
        Arrival.objects.filter(project=project).update(last_item=newest)
        return 0
    opened = 0
    while True:
        taken = _take_slice(project, newest)
        if taken is None:
            break
        opened += taken
    if opened:
        _spread_holdout(project)
    return opened


def _newest_settled(project: Project) -> int | None:
    """The newest item below which no other is still to appear.

    Item ids are drawn before they are committed, so a slow import may show lower ids later. Whoever drew one below the
    newest visible id was writing to the table before we looked; once those writers are done, all of them are visible.
    """
    newest = int(one(_NEWEST, {"project": project.pk})[0])
    arrival, _created = Arrival.objects.get_or_create(project=project)
    if newest <= arrival.last_item:
        return None
    writers = {row[0] for row in rows(_WRITERS, {})}
    deadline = time.monotonic() + PATIENCE
    while writers:
        if time.monotonic() > deadline:
            return None
        time.sleep(0.05)
        writers &= {row[0] for row in rows(_WRITERS, {})}
    return newest


@transaction.atomic
def _take_slice(project: Project, newest: int) -> int | None:
    """One slice in one transaction; None when nothing is left or another process holds the lock."""
    (locked,) = one("SELECT pg_try_advisory_xact_lock(%(kind)s, %(project)s)", {"kind": _LOCK, "project": project.pk})
    if not locked:
        return None
    after = Arrival.objects.values_list("last_item", flat=True).get(project=project)
    if after >= newest:
        return None
    values = {
        "project": project.pk,
        "after": after,
        "newest": newest,
        "slice": SLICE,
        "seed": project.seed,
        "wanted": project.wanted,
        "overlap_draw": overlap_draw(project),
        "overlap_share": project.overlap_share,
        "overlap_wanted": project.overlap_wanted,
    }
    last, opened = one(_SLICE, values)
    Arrival.objects.filter(project=project).update(
        last_item=last or newest,
        overlap_share=Greatest("overlap_share", project.overlap_share),
        overlap_wanted=Greatest("overlap_wanted", project.overlap_wanted),
    )
    return int(opened)


def _spread_holdout(project: Project) -> None:
    share = project.holdout_share
    missing = max(0, project.holdout_target - holdout_labelled(project)) if share else 0
    gap = (1 - share) / share if share else 0.0
    values = {"project": project.pk, "seed": project.seed, "missing": missing, "gap": gap}
    rows(_SPREAD, values | {"top": Task.TOP, "last": Task.LAST})
