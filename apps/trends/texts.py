"""Texts that came lately, whatever way: asked of the model or sent with feedback (with consent), or imported."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from apps.projects.models import Project

# one row for each thing said; `label`: what is held true or what the model said, `polarity` of feedback
SAID = """
    (SELECT s.at, s.text, s.text_hash, COALESCE(s.shown_id, s.label_id) AS label, 0 AS polarity, 'served' AS kind,
        s.id::text AS id
     FROM serving_served s WHERE s.project_id = %(project)s AND s.at >= %(since)s AND s.at < %(until)s
        AND s.text <> '' ORDER BY s.at DESC LIMIT %(most)s)
    UNION ALL
    (SELECT i.created_at, i.text, i.text_hash, COALESCE(r.label_id, p.label_id), 0, 'items', i.id::text
     FROM content_item i
     LEFT JOIN annotation_resolution r ON r.item_id = i.id
     LEFT JOIN annotation_prediction p ON p.item_id = i.id AND p.version_id = %(version)s
     WHERE i.project_id = %(project)s AND i.created_at >= %(since)s AND i.created_at < %(until)s
     ORDER BY i.id DESC LIMIT %(most)s)
    UNION ALL
    (SELECT g.received_at, COALESCE(NULLIF(g.comment, ''), g.text), g.text_hash, g.predicted_id, g.polarity, 'signals',
        g.id::text
     FROM feedback_signal g WHERE g.project_id = %(project)s AND g.received_at >= %(since)s
        AND g.received_at < %(until)s AND g.state <> 'aside' AND (g.text <> '' OR g.comment <> '')
     ORDER BY g.id DESC LIMIT %(most)s)
"""


@dataclass(frozen=True, slots=True)
class Said:
    at: datetime
    text: str
    text_hash: bytes | None
    label: int | None
    polarity: int
    kind: str  # served, items, signals
    id: str
    topic: int | None  # its number

    @property
    def is_feedback(self) -> bool:
        return self.kind == "signals"


def said(project: Project, since: datetime, until: datetime, *, version: int | None, most: int = 4_000) -> list[Said]:
    """Newest first; `most` of each kind."""
    statement = f"""
SELECT a.at, a.text, a.text_hash, a.label, a.polarity, a.kind, a.id, t.number FROM ({SAID}) a
LEFT JOIN trends_texttopic x ON x.project_id = %(project)s AND x.text_hash = a.text_hash
LEFT JOIN trends_topic t ON t.id = x.topic_id AND t.live
ORDER BY a.at DESC, a.kind, a.id
"""  # noqa: S608  constants of this module
    values: dict[str, Any] = {"project": project.pk, "since": since, "until": until, "version": version, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        rows = cursor.fetchall()
    return [Said(at, text, bytes(of) if of else None, *rest) for at, text, of, *rest in rows]
