"""Predicting content under a version in the background: resumable, because what is missing is asked anew each time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.core.cache import cache
from django.db import transaction
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
    """Ask for predictions of the hold-out and the regression cases, or of everything.

    Asking again looks for content and cases that came since.
    """
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
