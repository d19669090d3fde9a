"""Which texts wait for a reviewer: opened when the rule cannot settle them, closed when more answers did."""

from apps.annotation.races import in_one_transaction
from apps.common.rows import rows
from apps.projects.models import Project

# A text that was sent back comes again only after somebody has said something new.
_OPEN = """
WITH finished AS (
    SELECT DISTINCT ON (t.item_id) t.item_id, t.id AS task
    FROM annotation_task t JOIN content_item i ON i.id = t.item_id
    WHERE t.project_id = %(project)s AND t.state = 'done' AND i.archived_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM annotation_resolution r WHERE r.item_id = t.item_id)
      AND NOT EXISTS (SELECT 1 FROM annotation_task o
                      WHERE o.item_id = t.item_id AND o.state IN ('open', 'full', 'gold'))
    ORDER BY t.item_id, t.id DESC
), newest AS (
    SELECT DISTINCT ON (a.item_id, a.annotator_id) a.item_id, a.retracted, a.label_id, a.value, a.undecided, a.flagged
    FROM finished f JOIN annotation_annotation a ON a.item_id = f.item_id
    ORDER BY a.item_id, a.annotator_id, a.revision DESC
), truthless AS (
    SELECT f.item_id, f.task, CASE
        WHEN count(DISTINCT coalesce(n.label_id::text, n.value::text)) > 1 THEN 'tie'
        WHEN bool_or(n.undecided <> '') THEN 'undecided'
        WHEN bool_or(n.flagged) THEN 'flagged' ELSE 'tie' END AS why
    FROM finished f JOIN newest n ON n.item_id = f.item_id AND NOT n.retracted
    GROUP BY f.item_id, f.task
), unsure AS (
    SELECT r.item_id, (SELECT max(id) FROM annotation_task t WHERE t.item_id = r.item_id) AS task, 'unsure' AS why
    FROM annotation_resolution r JOIN content_item i ON i.id = r.item_id
    WHERE r.project_id = %(project)s AND r.how = 'consensus' AND coalesce(r.certainty, r.agreement) < %(below)s
      AND i.archived_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM annotation_task o
                      WHERE o.item_id = r.item_id AND o.state IN ('open', 'full', 'gold'))
), wanted AS (SELECT * FROM truthless UNION ALL SELECT * FROM unsure)
INSERT INTO quality_adjudication (project_id, item_id, task_id, why, state, comment, opened_at)
SELECT %(project)s, w.item_id, w.task, w.why, 'open', '', clock_timestamp() FROM wanted w
WHERE NOT EXISTS (
    SELECT 1 FROM quality_adjudication d WHERE d.item_id = w.item_id AND (d.state = 'open' OR d.closed_at > (
        SELECT coalesce(max(a.created_at), '-infinity') FROM annotation_annotation a WHERE a.item_id = w.item_id))
    AND d.state <> 'settled')
ORDER BY w.item_id
ON CONFLICT (item_id) WHERE state = 'open' DO NOTHING
RETURNING id
"""
_CLOSE = """
UPDATE quality_adjudication d SET state = 'settled', closed_at = clock_timestamp()
WHERE d.project_id = %(project)s AND d.state = 'open' AND d.why <> 'asked' AND (
    EXISTS (SELECT 1 FROM content_item i WHERE i.id = d.item_id AND i.archived_at IS NOT NULL)
    OR EXISTS (SELECT 1 FROM annotation_resolution r WHERE r.item_id = d.item_id
               AND (r.how <> 'consensus' OR coalesce(r.certainty, r.agreement, 1) >= %(below)s)))
RETURNING id
"""


@in_one_transaction
def refresh(project: Project) -> tuple[int, int]:
    """(opened, closed)."""
    values = {"project": project.pk, "below": project.adjudicate_below}
    closed = rows(_CLOSE, values)
    return len(rows(_OPEN, values)), len(closed)
