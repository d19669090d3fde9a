"""What stands around a text: the earlier messages of its thread, where it comes from, what people wrote about it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from apps.common.rows import rows

MESSAGES = 5  # of a thread, those right before the item
LENGTH = 600  # characters of each


@dataclass(frozen=True)
class Message:
    text: str
    subject: str
    language: str
    whole: bool


@dataclass(frozen=True)
class Context:
    url: str = ""
    earlier: tuple[Message, ...] = ()
    comments: int = 0

    @classmethod
    def of_address(cls, url: str) -> "Context":
        return cls(_web(url))


_CONTEXTS = """
SELECT i.id, i.url,
       (SELECT count(*) FROM annotation_comment c WHERE c.item_id = i.id AND c.deleted_at IS NULL),
       CASE WHEN i.thread <> '' THEN (
           SELECT jsonb_agg(jsonb_build_array(m.text, m.subject, m.language, m.whole) ORDER BY m.id)
           FROM (SELECT e.id, left(e.text, %(length)s) AS text, e.subject, e.language,
                        length(e.text) <= %(length)s AS whole
                 FROM content_item e
                 WHERE e.project_id = i.project_id AND e.thread = i.thread AND e.thread <> '' AND e.id < i.id
                 ORDER BY e.id DESC LIMIT %(messages)s) m) END
FROM content_item i WHERE i.id = ANY(%(items)s)
"""


def contexts(items: Sequence[int]) -> dict[int, Context]:
    """By item. One query: it runs with every card that goes to a browser."""
    if not items:
        return {}
    found = rows(_CONTEXTS, {"items": list(items), "length": LENGTH, "messages": MESSAGES})
    return {pk: Context(_web(url), _messages(earlier), comments) for pk, url, comments, earlier in found}


def _web(url: str) -> str:
    """An import may have brought any address; only one of the web becomes a link."""
    return url if url.startswith(("https://", "http://")) else ""


def _messages(earlier: str | None) -> tuple[Message, ...]:
    return tuple(Message(*message) for message in json.loads(earlier)) if earlier else ()
