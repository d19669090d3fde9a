"""The way back from sending.py's acts, for changes.take_back."""

import json

from django.utils import timezone

from apps.annotation.models import Change
from apps.common.rows import rows

_MOVED_BACK = """
UPDATE annotation_task t
SET rank = b.rank, wanted = greatest(t.taken, b.wanted), audience_id = a.id, reason = b.reason,
    others_until = b.others_until,
    state = CASE WHEN t.taken < b.wanted THEN 'open' ELSE 'full' END
FROM jsonb_to_recordset(%(moved)s::jsonb) AS b (id bigint, rank bigint, wanted int, audience bigint, reason text,
                                              others_until timestamptz)
LEFT JOIN annotation_audience a ON a.id = b.audience
WHERE t.id = b.id AND t.state IN ('open', 'full') RETURNING t.id
"""
_CALLED_OFF = "SELECT id FROM annotation_task WHERE id = ANY(%(tasks)s) AND state = 'closed'"
# a task that ends with its item bears the same time: by that it comes back with it
SHELVED = """
WITH shelved AS (
    UPDATE content_item SET archived_at = %(at)s
    WHERE project_id = %(project)s AND id = ANY(%(items)s) AND archived_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM annotation_gold g WHERE g.item_id = content_item.id AND g.retired_at IS NULL)
    RETURNING id
), ended AS (
    UPDATE annotation_task t SET state = 'closed', closed_at = %(at)s FROM shelved
    WHERE t.item_id = shelved.id AND t.state IN ('open', 'full')
)
SELECT id FROM shelved
"""
BROUGHT_BACK = """
WITH was AS (
    SELECT id, archived_at FROM content_item
    WHERE project_id = %(project)s AND id = ANY(%(items)s) AND archived_at IS NOT NULL
      AND (%(at)s::timestamptz IS NULL OR archived_at = %(at)s) ORDER BY id FOR UPDATE
), back AS (
    UPDATE content_item i SET archived_at = NULL FROM was WHERE i.id = was.id
), asked AS (
    UPDATE annotation_task t
    SET state = CASE WHEN t.taken < t.wanted THEN 'open' ELSE 'full' END, closed_at = NULL
    FROM was WHERE t.item_id = was.id AND t.state = 'closed' AND t.closed_at = was.archived_at
)
SELECT id FROM was
"""


def put_back(change: Change) -> int:
    """Tasks are what they were before the act, items are where they were; those it opened are called off elsewhere."""
    n = 0
    if moved := change.what.get("moved"):
        n += len(rows(_MOVED_BACK, {"moved": json.dumps(moved)}))
    if change.kind == Change.Kind.QUEUE:
        n += len(rows(_CALLED_OFF, {"tasks": change.what.get("opened", [])}))
    if change.kind == Change.Kind.SHELVE and change.what.get("shelved"):
        values = {"project": change.project_id, "items": change.what["items"], "at": change.created_at}
        n += len(rows(BROUGHT_BACK, values))
    elif change.kind == Change.Kind.SHELVE:
        values = {"project": change.project_id, "items": change.what["items"], "at": timezone.now()}
        n += len(rows(SHELVED, values))
    return n
