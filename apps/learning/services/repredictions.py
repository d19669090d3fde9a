"""Predicting content under a version in the background: resumable, because what is missing is asked anew each time."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from numpy.typing import NDArray

from apps.annotation.models import Prediction
from apps.common.errors import DomainError
from apps.content.models import Item, Split
from apps.feedback.services import outcomes
from apps.learning import queries
from apps.learning.models import Repredict
from apps.learning.services import prediction_copy
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import ModelVersion
from workers.learning.types import SpanAnswer

STALE_AFTER = timedelta(seconds=30)
CANDIDATES = 3  # newest versions whose predictions of the hold-out are kept complete
AT_ONCE = 3  # versions woken at a time because regression cases were added; the others' turn comes
CHUNK = 8_192  # items predicted and stored in one transaction where vectors are there already
SLOW_CHUNK = 512  # where each text goes through a network: every chunk is a heartbeat
WAKE_EVERY = 30  # seconds between two messages for one job: the queue may be long


class Superseded(DomainError):
    """Another worker has taken this job; what this one computed is not written."""


@dataclass(frozen=True, slots=True)
class Chunk:
    items: list[int]
    texts: list[str]


def want(version: ModelVersion, *, pool: bool) -> Repredict:
    """Ask for predictions of the hold-out and the regression cases, or of everything. Asking again looks for content that came since."""
    row, _new = Repredict.objects.get_or_create(version=version)
    changes: dict[str, Any] = {"finished_at": None, "error": "", "heartbeat_at": None}
    if pool:
        changes["wanted_pool"] = True
    Repredict.objects.filter(pk=row.pk).update(**changes)
    row.refresh_from_db()
    return row


def claim(version_id: int) -> Repredict | None:
    """Take the job for this process; None while another worker's heart still beats or nothing is left to do."""
    free = Q(heartbeat_at=None) | Q(heartbeat_at__lt=timezone.now() - STALE_AFTER)
    mine = Repredict.objects.filter(free, pk=version_id, finished_at=None)
    if not mine.update(attempt=F("attempt") + 1, heartbeat_at=Now()):
        return None
    job = Repredict.objects.select_related("version__project").get(pk=version_id)
    done = Prediction.objects.filter(version_id=version_id, item__in=_wanted(job)).count()
    _held(job).update(total=_wanted(job).count(), done=done)
    return job


def _wanted(job: Repredict) -> QuerySet[Item]:
    """Everything, or what a version is judged by: the hold-out and the regression cases."""
    items = Item.objects.filter(project_id=job.version.project_id)
    if job.wanted_pool:
        return items
    held = items.filter(split=Split.HOLDOUT).order_by().values("pk")
    return items.filter(pk__in=held.union(outcomes.asked_items(job.version.project_id)))


def _held(job: Repredict) -> QuerySet[Repredict]:
    """The fence: only the newest attempt may write."""
    return Repredict.objects.filter(pk=job.pk, attempt=job.attempt, finished_at=None)


def missing(job: Repredict) -> Iterator[Chunk]:
    """Items without a prediction of this version, in item order, read a chunk at a time."""
    after, size = 0, CHUNK if job.version.kind == ModelVersion.Kind.HEAD else SLOW_CHUNK
    # EXISTS becomes an anti-join over the unique index; NOT IN would compare each item with every prediction
    answered = Exists(Prediction.objects.filter(version_id=job.pk, item_id=OuterRef("pk")))
    while True:
        items = _wanted(job).filter(~answered, pk__gt=after)
        rows = list(items.order_by("pk").values_list("pk", "text")[:size])
        if not rows:
            return
        after = rows[-1][0]
        yield Chunk([pk for pk, _text in rows], [text for _pk, text in rows])


Answers = NDArray[np.float32] | Sequence[SpanAnswer]  # (n, k) probabilities, or what was read in n texts


@transaction.atomic
def store(job: Repredict, items: list[int], answers: Answers) -> None:
    """Keep a chunk's answers, or raise Superseded. The locked row lets one attempt write at a time."""
    if not _held(job).update(done=F("done") + len(items), heartbeat_at=Now()):
        raise Superseded("")
    version = job.version
    order = [int(pk) for pk, _name in version.label_order]
    if not isinstance(answers, np.ndarray):
        prediction_copy.store_spans(items, job.pk, order, answers)
    elif version.task == Project.TaskKind.MULTI:
        prediction_copy.store_labels(items, job.pk, order, answers, version.thresholds)
    else:
        prediction_copy.store(np.array(items, dtype=np.int64), job.pk, np.array(order, dtype=np.int64), answers)


def release(job: Repredict) -> None:
    """Let another process, or this one later, go on."""
    _held(job).update(heartbeat_at=None)


def finish(job: Repredict, error: str = "") -> bool:
    return bool(_held(job).update(finished_at=Now(), heartbeat_at=None, error=error))


def revive() -> list[int]:
    """Versions whose predictions are unfinished and untended, or out of date because content came in."""
    for project in Project.objects.filter(archived_at=None, versions__isnull=False).distinct():
        _want_again(project)
    free = Q(heartbeat_at=None) | Q(heartbeat_at__lt=timezone.now() - STALE_AFTER)
    ids = Repredict.objects.filter(free, finished_at=None).values_list("pk", flat=True)
    return [pk for pk in ids if cache.add(f"repredict-sent:{pk}", 1, WAKE_EVERY)]


def _want_again(project: Project) -> None:
    live = registry.live_version(project)
    if live and _behind(live, pool=True):
        want(live, pool=True)
    for version in registry.versions(project)[:CANDIDATES]:
        if version != live and _behind(version, pool=False):
            want(version, pool=False)
    for version in outcomes.behind(project, among=_idle(project), limit=AT_ONCE):
        want(version, pool=False)


def _idle(project: Project) -> QuerySet[Repredict, Any]:
    """Versions whose predictions are neither being made nor impossible."""
    return Repredict.objects.filter(version__project=project, finished_at__isnull=False, error="").values("version")


def _behind(version: ModelVersion, *, pool: bool) -> bool:
    """New items have higher ids than all that were predicted; both maxima are one step into an index."""
    if not _idle(version.project).filter(version=version).exists():
        return False
    newest = Prediction.objects.filter(version=version).aggregate(top=Max("item_id"))["top"] or 0
    return queries.newest_item(version.project, pool=pool) > newest


# Hold-out items stay out of these lists: people label them blind, so no page shows what a model thinks of them before.
_PAIRS = """
FROM annotation_prediction b
JOIN annotation_prediction a ON a.item_id = b.item_id AND a.version_id = %(old)s
JOIN content_item i ON i.id = b.item_id AND i.split = 'pool'
"""
_FLIPS = """
SELECT b.item_id, i.text, a.label_id, b.label_id, a.confidence, b.confidence, a.value::text, b.value::text {pairs}
WHERE b.version_id = %(new)s AND {differ} AND b.item_id > %(after)s
  AND (%(before)s::bigint IS NULL OR {before}) AND (%(now)s::bigint IS NULL OR {now})
ORDER BY b.item_id LIMIT %(limit)s
"""
_WENT = (
    "{had}.value -> 'labels' @> to_jsonb(%({label})s::bigint)"
    " AND NOT {has}.value -> 'labels' @> to_jsonb(%({label})s::bigint)"
)
_SPANS_OF = "jsonb_path_query_array({0}.value, '$.spans[*].{1}')"
# task kind -> when two answers differ, and when a label went away or came
_DIFFER = {
    Project.TaskKind.SINGLE: ("a.label_id <> b.label_id", "a.label_id = %(before)s", "b.label_id = %(now)s"),
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
    if task == Project.TaskKind.SINGLE:
        differ = f"{_PAIRS} WHERE b.version_id = %(new)s AND {_DIFFER[task][0]}"
        return f"SELECT a.label_id, b.label_id, count(*) {differ} GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
    spans = task == Project.TaskKind.SPANS
    label = "(said ->> 'label')::bigint" if spans else "said::bigint"
    same = "other - 'score' = said - 'score'" if spans else "other = said"
    parts = (
        _GONE.format(columns=columns, pairs=_PAIRS, had=had, has=has, same=same, label=label)
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
) -> list[Flip]:
    """Items of which two versions say different things, in item order, after a given item.

    `before` and `now` are labels that went away and came.
    """
    values = {"old": old.pk, "new": new.pk, "after": after, "before": before, "now": now, "limit": limit}
    differ, gone, come = _DIFFER[Project.TaskKind(new.task)]
    with connection.cursor() as cursor:
        cursor.execute(_FLIPS.format(pairs=_PAIRS, differ=differ, before=gone, now=come), values)
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
