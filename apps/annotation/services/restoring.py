"""Truths, answers and tasks as they were before an act on many of them, for changes.take_back.

What people decided or answered since the act stands, and what they answered meanwhile gets the say that the act took
from it.
"""

from apps.annotation.models import Change
from apps.annotation.services.truth import EXTRA_PLACES, SETTLE, decide, opinions_on, settle_values
from apps.common.rows import Row, rows
from apps.projects.models import Project

# only where the truth still is what the act made of it. It also is where a later act was taken back again: then its
# past says that the act had made it, and that nothing but an undo came after.
_RESTORE = """
WITH acted AS (
    SELECT item_id FROM annotation_pasttruth WHERE change_id = %(change)s
    UNION SELECT item_id FROM annotation_annotation WHERE id = ANY(%(annotations)s)
), again AS (
    SELECT r.item_id, r.changed_at
    FROM acted JOIN annotation_resolution r USING (item_id)
    JOIN annotation_pasttruth made ON made.item_id = r.item_id AND made.since = %(at)s
    JOIN LATERAL (
        SELECT change_id FROM annotation_pasttruth p WHERE p.item_id = r.item_id ORDER BY p.id DESC LIMIT 1
    ) newest ON true
    JOIN annotation_change later ON later.id = newest.change_id AND (later.kind = 'undo' OR later.undone_at IS NOT NULL)
    WHERE (made.label_id, made.value, made.how, made.by_id) IS NOT DISTINCT FROM (r.label_id, r.value, r.how, r.by_id)
), its AS (
    SELECT item_id, changed_at FROM annotation_resolution WHERE project_id = %(project)s AND changed_at = %(at)s
    UNION SELECT item_id, changed_at FROM again
), touched AS (
    SELECT r.item_id FROM annotation_resolution r JOIN its ON its.item_id = r.item_id
    WHERE r.changed_at = its.changed_at FOR UPDATE OF r
), before AS (
    SELECT p.* FROM annotation_pasttruth p JOIN touched USING (item_id) WHERE p.change_id = %(change)s
), restored AS (
    UPDATE annotation_resolution r
    SET label_id = b.label_id, value = b.value, how = b.how, by_id = b.by_id, agreement = b.agreement,
        certainty = b.certainty, changed_at = clock_timestamp()
    FROM before b WHERE b.item_id = r.item_id
    RETURNING r.item_id
), gone AS (
    DELETE FROM annotation_resolution r USING touched t
    WHERE r.item_id = t.item_id AND NOT EXISTS (SELECT 1 FROM before b WHERE b.item_id = t.item_id)
    RETURNING r.item_id
)
SELECT item_id FROM restored UNION ALL SELECT item_id FROM gone
"""
_REVIVE = """
INSERT INTO annotation_resolution (item_id, project_id, split, label_id, value, how, by_id, agreement, certainty,
                                   changed_at)
SELECT p.item_id, p.project_id, i.split, p.label_id, p.value, p.how, p.by_id, p.agreement, p.certainty,
       clock_timestamp()
FROM annotation_pasttruth p JOIN content_item i ON i.id = p.item_id
WHERE p.change_id = %(change)s AND p.deleted
ON CONFLICT (item_id) DO NOTHING RETURNING item_id
"""
# what the act asked people and nobody has looked at yet
_CALL_OFF = """
UPDATE annotation_task SET state = 'closed', closed_at = clock_timestamp()
WHERE id = ANY(%(tasks)s) AND state = 'open' AND taken = 0 RETURNING id
"""
# whoever acted may have answered the text before, by itself: that answer stands again
_RETRACT = """
INSERT INTO annotation_annotation (project_id, item_id, task_id, annotator_id, key, revision, retracted, label_id,
                                   value, undecided, note, flagged, outcome, shown_version_id, shown, hidden, late,
                                   created_at)
SELECT a.project_id, a.item_id, p.task_id, a.annotator_id, gen_random_uuid(), a.revision + 1,
       p.id IS NULL OR p.retracted, CASE WHEN p.id IS NULL THEN a.label_id ELSE p.label_id END,
       CASE WHEN p.id IS NULL THEN a.value ELSE p.value END, coalesce(p.undecided, ''), coalesce(p.note, a.note),
       coalesce(p.flagged, a.flagged), coalesce(p.outcome, a.outcome), p.shown_version_id, p.shown, p.hidden,
       coalesce(p.late, a.late), clock_timestamp()
FROM annotation_annotation a LEFT JOIN annotation_annotation p
    ON p.item_id = a.item_id AND p.annotator_id = a.annotator_id AND p.revision = a.revision - 1
WHERE a.id = ANY(%(annotations)s)
  AND NOT EXISTS (SELECT 1 FROM annotation_annotation b
                  WHERE b.item_id = a.item_id AND b.annotator_id = a.annotator_id AND b.revision > a.revision)
RETURNING id
"""
_REOPEN = """
UPDATE annotation_task t SET state = CASE WHEN taken < wanted THEN 'open' ELSE 'full' END, closed_at = NULL
WHERE id = ANY(%(tasks)s) AND item_id = ANY(%(items)s) AND state = 'done' AND closed_at = %(at)s
  AND NOT EXISTS (SELECT 1 FROM annotation_task o WHERE o.item_id = t.item_id AND o.state IN ('open', 'full'))
RETURNING id
"""
# somebody had the text on their page and answered it after the act had ended its task
_ANSWERED = """
SELECT t.id, t.item_id, t.split, t.wanted, t.taken FROM annotation_task t
WHERE t.id = ANY(%(tasks)s) AND t.item_id = ANY(%(items)s) AND t.state = 'done' AND t.closed_at IS DISTINCT FROM %(at)s
  AND NOT EXISTS (SELECT 1 FROM annotation_task o WHERE o.item_id = t.item_id AND o.state IN ('open', 'full'))
  AND EXISTS (SELECT 1 FROM annotation_annotation a
              WHERE a.task_id = t.id AND a.created_at > %(at)s AND NOT a.retracted AND NOT a.late)
ORDER BY t.id FOR UPDATE
"""
_COUNT = f"WITH {SETTLE} SELECT 1"


def restore(change: Change) -> int:
    """How many truths are what they were."""
    values = {
        "project": change.project_id,
        "change": change.pk,
        "at": change.created_at,
        "annotations": change.what.get("annotations", []),
        "tasks": change.what.get("tasks", []),
    }
    items = [item for (item,) in rows(_RESTORE, values) + rows(_REVIVE, values)]
    values["items"] = items  # about what was decided since nobody is asked again
    rows(_CALL_OFF, {"tasks": change.what.get("opened", [])})
    rows(_RETRACT, values)
    rows(_REOPEN, values)
    for task in rows(_ANSWERED, values):
        _count(change.project, task)
    return len(items)


def _count(project: Project, row: Row) -> None:
    task, item, split, wanted, taken = row
    most = max(project.wanted, project.overlap_wanted if project.overlap_share else 0) + EXTRA_PLACES
    verdict = decide(opinions_on(item, task), wanted=wanted, most=most)
    rows(_COUNT, {"item": item, "project": project.pk, "split": split} | settle_values(task, taken, verdict))
