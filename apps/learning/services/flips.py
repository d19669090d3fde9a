"""Items of which two versions say different things."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import connection

from apps.learning import queries
from apps.projects.models import Project
from apps.registry.models import ModelVersion

# Hold-out items stay out of these lists: people label them blind, so no page shows what a model thinks of them before.
PAIRS = """
FROM annotation_prediction b
JOIN annotation_prediction a ON a.item_id = b.item_id AND a.version_id = %(old)s
JOIN content_item i ON i.id = b.item_id AND i.split = 'pool'
"""
_FLIPS = """
SELECT b.item_id, i.text, a.label_id, b.label_id, a.confidence, b.confidence, a.value::text, b.value::text {pairs}
WHERE b.version_id = %(new)s AND {differ} AND b.item_id > %(after)s
  AND (%(items)s::bigint[] IS NULL OR b.item_id = ANY(%(items)s::bigint[]))
  AND (%(before)s::bigint IS NULL OR {before}) AND (%(now)s::bigint IS NULL OR {now})
ORDER BY b.item_id LIMIT %(limit)s
"""
_WENT = (
    "{had}.value -> 'labels' @> to_jsonb(%({label})s::bigint)"
    " AND NOT {has}.value -> 'labels' @> to_jsonb(%({label})s::bigint)"
)
_SPANS_OF = "jsonb_path_query_array({0}.value, '$.spans[*].{1}')"
# task kind -> when two answers differ, and when a label went away or came
DIFFER = {
    Project.TaskKind.SINGLE: ("a.label_id <> b.label_id", "a.label_id = %(before)s", "b.label_id = %(now)s"),
    Project.TaskKind.ENGAGEMENT: ("a.label_id <> b.label_id", "a.label_id = %(before)s", "b.label_id = %(now)s"),
    Project.TaskKind.MULTI: (
        "a.value -> 'labels' <> b.value -> 'labels'",
        _WENT.format(had="a", has="b", label="before"),
        _WENT.format(had="b", has="a", label="now"),
    ),
    Project.TaskKind.SPANS: (
        "("
        + " OR ".join(
            f"{_SPANS_OF.format('a', part)} <> {_SPANS_OF.format('b', part)}" for part in ("start", "end", "label")
        )
        + ")",
        "jsonb_path_query_array(a.value, '$.spans[*].label') @> to_jsonb(%(before)s::bigint)",
        "jsonb_path_query_array(b.value, '$.spans[*].label') @> to_jsonb(%(now)s::bigint)",
    ),
}
_GONE = """
SELECT {columns}, count(*) {pairs}
CROSS JOIN LATERAL jsonb_array_elements({had}.value -> %(name)s) said
WHERE b.version_id = %(new)s AND NOT EXISTS (
    SELECT 1 FROM jsonb_array_elements({has}.value -> %(name)s) other WHERE {same})
GROUP BY {label}
"""


def _counts_sql(task: Project.TaskKind) -> str:
    if task in (Project.TaskKind.SINGLE, Project.TaskKind.ENGAGEMENT):
        differ = f"{PAIRS} WHERE b.version_id = %(new)s AND {DIFFER[task][0]}"
        return f"SELECT a.label_id, b.label_id, count(*) {differ} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    spans = task == Project.TaskKind.SPANS
    label = "(said ->> 'label')::bigint" if spans else "said::bigint"
    same = "other - 'score' = said - 'score'" if spans else "other = said"
    parts = (
        _GONE.format(columns=columns, pairs=PAIRS, had=had, has=has, same=same, label=label)
        for columns, had, has in ((f"{label}, NULL::bigint", "a", "b"), (f"NULL::bigint, {label}", "b", "a"))
    )
    return " UNION ALL ".join(parts) + " ORDER BY 3 DESC, 1, 2"


@dataclass(frozen=True, slots=True)
class Flip:
    item: int
    text: str
    before: int | None  # label ids: the likeliest; None for spans
    now: int | None
    confidence_before: float
    confidence_now: float
    value_before: dict[str, Any] | None = None  # the other task kinds: all that was said
    value_now: dict[str, Any] | None = None


def flips(
    old: ModelVersion,
    new: ModelVersion,
    *,
    limit: int,
    after: int = 0,
    before: int | None = None,
    now: int | None = None,
    items: Sequence[int] | None = None,
) -> list[Flip]:
    """Items of which two versions say different things, in item order, after a given item.

    `before` and `now` are labels that went away and came; `items`, where given, the only ones looked at.
    """
    values: dict[str, Any] = {
        "old": old.pk,
        "new": new.pk,
        "after": after,
        "before": before,
        "now": now,
        "limit": limit,
    }
    values["items"] = None if items is None else list(items)
    differ, gone, come = DIFFER[Project.TaskKind(new.task)]
    with connection.cursor() as cursor:
        cursor.execute(_FLIPS.format(pairs=PAIRS, differ=differ, before=gone, now=come), values)
        return [
            Flip(*row[:6], *(json.loads(value) if value else None for value in row[6:])) for row in cursor.fetchall()
        ]


def flip_counts(old: ModelVersion, new: ModelVersion) -> list[tuple[int | None, int | None, int]]:
    """(label before, label now, items), most frequent first; kept until more predictions have come in.

    Where a text has several labels or spans, each that went away counts as (label, None), each that came as
    (None, label).
    """
    job = queries.repredict_of(new)
    key = f"flips:{old.pk}:{new.pk}:{job.done if job else 0}:{job.attempt if job else 0}"
    known: list[tuple[int | None, int | None, int]] | None = cache.get(key)
    if known is None:
        task = Project.TaskKind(new.task)
        with connection.cursor() as cursor:
            name = "spans" if task == Project.TaskKind.SPANS else "labels"
            cursor.execute(_counts_sql(task), {"old": old.pk, "new": new.pk, "name": name})
            known = cursor.fetchall()
        cache.set(key, known, 3_600)
    return known
