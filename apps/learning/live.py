"""One refresh of a project's live head: read the truths, fit, score the pool, choose, publish, look at the hold-out.

Runs in the worker of the default queue; numpy and scipy only. Training labels come from the Trainable view alone, and
the vectors that are scored from vectors.Pool, which holds no hold-out item: neither has one to give.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Max
from numpy.typing import NDArray
from psycopg import sql
from threadpoolctl import threadpool_limits

from apps.annotation.models import Arrival, Resolution
from apps.learning import binary, choosing, lessons, queries, vectors
from apps.learning.lessons import LiveModel
from apps.learning.models import Encoding, LiveHead
from apps.learning.services import head as service
from apps.learning.services import stopping
from apps.projects.models import Label, Project
from apps.registry import queries as registry
from workers.learning import heads
from workers.learning.sampling import SpanScores
from workers.learning.types import LearningError

log = logging.getLogger(__name__)

Ids = NDArray[np.int64]


_SAID_OF_SPANS = """
SELECT p.item_id, p.confidence, p.margin, coalesce((p.value ->> 'tokens')::int, 1) FROM annotation_prediction p
JOIN content_item i ON i.id = p.item_id AND i.split = 'pool' WHERE p.version_id = %s
"""


@dataclass
class Timing:
    steps: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.steps[name] = self.steps.get(name, 0.0) + time.perf_counter() - started


@dataclass(frozen=True, slots=True)
class State:
    """What the database says at the start of a refresh."""

    head: LiveHead
    digest: str
    seen_through: int
    label_order: list[int]
    fitted_through: datetime | None
    truths: lessons.Truths
    busy: Ids  # pool items that are resolved or in somebody's hands


_holdout: dict[int, tuple[str, Ids, NDArray[np.float32]]] = {}


def refresh(project_id: int) -> None:
    """Refit while it is due; does nothing when another worker is at it, because that one asks again at its end."""
    if not queries.projects_to_refresh(project_id):
        return
    # these matrices are small: on a busy machine a second BLAS thread waits more than it helps (measured: 9 s for 0.5)
    with service.alone(project_id) as mine, threadpool_limits(1, user_api="blas"):
        while mine and queries.projects_to_refresh(project_id):
            project = Project.objects.get(pk=project_id)
            if not _once(project):
                return


def _once(project: Project) -> bool:
    timing = Timing()
    with timing.step("read"):
        state = _read(project)
    with timing.step("vectors"):
        pool = vectors.pool(project.pk, state.digest, state.seen_through)
    if not len(pool):
        return False
    revision = state.head.revision + 1
    with timing.step("fit"):
        head = _fit(project, state, pool)
    rng = np.random.default_rng([project.seed, revision])
    with timing.step("choose"):
        scene = _scene(project, state, pool, head)
        choices = choosing.choose(project, scene, rng)
        top = choosing.top_choices(project, scene, choices, state.label_order, revision)
    with timing.step("evaluate"):
        score = _evaluate(project, state, head) if head is not None else None
        stability = _stability(state, scene, score, rng)
    fitted = service.Fitted(
        revision=revision,
        encoder_digest=state.digest,
        weights=head.to_bytes() if head is not None else None,
        label_order=state.label_order,
        n_labels=len(state.truths),
        fitted_through=state.fitted_through,
        seen_through=state.seen_through,
        stability=stability,
        sampled=service.Sampled(
            strategy=choosing.strategy_of(project),
            reasons=dict(Counter(choice.reason for choice in choices)),
            pool=int(scene.free.sum()),
            seconds=timing.steps["choose"],
        ),
    )
    with timing.step("publish"):
        service.publish(project, fitted, top, score)
    service.took(project, revision, timing.steps)
    return True


def _read(project: Project) -> State:
    head = LiveHead.objects.filter(project=project).first() or LiveHead(project=project)
    encoding = Encoding.objects.get(project=project)
    arrived = Arrival.objects.filter(project=project).values_list("last_item", flat=True).first() or 0
    digest, through = encoding.encoder_digest, min(encoding.through_item, arrived)
    under_way = queries.newest_item(project, pool=True) > encoding.through_item
    if head.encoder_digest not in ("", digest) and under_way:
        # the encoder was changed: the old vectors, which stay, serve until the new ones are complete
        digest, through = head.encoder_digest, head.seen_through
    # read before the rows: what comes in between counts as new again, never as seen
    newest = Resolution.objects.filter(project=project).aggregate(at=Max("changed_at"))["at"]
    label_order = list(
        Label.objects.filter(project=project, archived_at=None).order_by("pk").values_list("pk", flat=True)
    )
    return State(
        head=head,
        digest=digest,
        seen_through=through,
        label_order=label_order,
        fitted_through=newest,
        truths=lessons.read(project, label_order),
        busy=np.concatenate(
            [
                _integers(
                    "SELECT item_id FROM annotation_resolution WHERE project_id = {} AND split = 'pool'", project, 1
                ),
                _integers(
                    "SELECT t.item_id FROM annotation_lease l JOIN annotation_task t ON t.id = l.task_id"
                    " WHERE l.state = 'active' AND t.project_id = {}",
                    project,
                    1,
                ),
            ]
        )[:, 0],
    )


def _integers(query: str, project: Project, columns: int) -> Ids:
    return binary.copy_integers(connection, sql.SQL(query).format(sql.Literal(project.pk)), columns)


def _scene(project: Project, state: State, pool: vectors.Pool, head: LiveModel | None) -> choosing.Scene:
    free = pool.ids <= state.seen_through  # what came later has no task yet
    busy = pool.places(state.busy)
    free[busy[busy >= 0]] = False
    labelled, truths = _examples(state, pool)
    spans = _span_scores(project, pool) if project.task_kind == Project.TaskKind.SPANS else None
    return choosing.Scene(pool, head, labelled, truths, len(state.label_order), free, spans)


def _examples(state: State, pool: vectors.Pool) -> tuple[Ids, lessons.Truths]:
    """(rows, truths) of the labelled items that have a vector."""
    rows = pool.places(state.truths.items)
    usable = rows >= 0
    if state.truths.said.ndim == 1:
        usable &= state.truths.said >= 0
    return rows[usable], state.truths.at(usable)


def _fit(project: Project, state: State, pool: vectors.Pool) -> LiveModel | None:
    """None while nothing can be told apart yet, and for spans, which a head cannot mark."""
    rows, truths = _examples(state, pool)
    if project.task_kind == Project.TaskKind.SPANS or not lessons.teachable(truths.said):
        return None
    rng = np.random.default_rng(project.seed)
    kept = lessons.spared(truths.said, rng)
    x = np.asarray(pool.rows[rows[kept]], dtype=np.float32)
    return lessons.fit(x, truths.said[kept], k=len(state.label_order), warm=_warm(state), rng=rng)


def _span_scores(project: Project, pool: vectors.Pool) -> SpanScores | None:
    """What the serving version said of every row of the pool; None before one serves.

    A text that it has not read yet counts as an ordinary one.
    """
    version = registry.live_version(project)
    if version is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_SAID_OF_SPANS, [version.pk])
        found = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, 4)
    rows = pool.places(found[:, 0].astype(np.int64))
    found, rows = found[rows >= 0], rows[rows >= 0]
    if not len(rows):
        return None
    scores = np.tile(np.median(found[:, 1:], axis=0), (len(pool), 1))
    scores[rows] = found[:, 1:]
    return SpanScores(
        confidence=scores[:, 0].astype(np.float32),
        margin=scores[:, 1].astype(np.float32),
        tokens=scores[:, 2].astype(np.int64),
    )


def _warm(state: State) -> LiveModel | None:
    """The last head, its classes moved to where they now stand; new ones start at nothing."""
    old = state.head
    if old.weights is None or old.encoder_digest != state.digest:
        return None
    try:
        head = heads.open(bytes(old.weights))
    except LearningError as error:
        log.warning("live head of project %s: %s", old.project_id, error)
        return None
    if isinstance(head, heads.TextHead):
        return None
    if old.label_order == state.label_order:
        return head
    return lessons.moved(head, lessons.places(old.label_order, np.asarray(state.label_order, dtype=np.int64)))


def _stability(
    state: State, scene: choosing.Scene, score: service.HoldoutScore | None, rng: np.random.Generator
) -> dict[str, Any] | None:
    """Its record with one more round of labels; None when none is full yet."""
    head, pool, truths = scene.head, scene.pool, state.truths
    frame = f"{state.digest[:12]}:{state.label_order}"
    if head is None or not stopping.due(state.head.stability, len(truths), frame):
        return None
    look = stopping.Look(
        pool=pool.ids[pool.ids <= state.seen_through],
        said=lambda items: lessons.said(head, np.asarray(pool.rows[pool.places(items)])),
        labelled=truths.items,
        labels=len(truths),
        classes=lessons.classes_seen(truths.said),
        score=score.accuracy if score else None,
        frame=frame,
    )
    return stopping.noted(state.head.stability, look, rng)


def _evaluate(project: Project, state: State, head: LiveModel) -> service.HoldoutScore | None:
    """On the labelled hold-out only, which sampling did not choose."""
    truth = queries.holdout_truth(project)
    if not truth:
        return None
    truths = lessons.of_values(project, truth, state.label_order)
    ids, x = _holdout_vectors(project.pk, state.digest, truths.items)
    return lessons.score(head, x, truths.said[np.searchsorted(truths.items, ids)], project.seed)


def _holdout_vectors(project_id: int, digest: str, items: Ids) -> tuple[Ids, NDArray[np.float32]]:
    """Ascending by item. Vectors never change, so only those of newly labelled items are fetched."""
    kept = _holdout.get(project_id)
    if kept is None or kept[0] != digest:
        kept = (digest, *vectors.of_items(items.tolist(), digest))
    missing = np.setdiff1d(items, kept[1])
    if len(missing):
        ids, x = vectors.of_items(missing.tolist(), digest)
        if len(ids):
            merged = np.concatenate([kept[1], ids])
            order = np.argsort(merged)
            old = kept[2] if len(kept[1]) else x[:0]
            kept = (digest, merged[order], np.concatenate([old, x])[order])
    _holdout[project_id] = kept
    wanted = np.isin(kept[1], items)
    return kept[1][wanted], kept[2][wanted]
