"""One refresh of a project's live head: read the truths, fit, score the pool, choose, publish, look at the hold-out.

Runs in the worker of the default queue; numpy and scipy only. Training labels come from the Trainable view alone, and
the vectors that are scored from vectors.Pool, which holds no hold-out item: neither has one to give.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from django.db import connection
from django.db.models import Max
from numpy.typing import NDArray
from psycopg import sql
from threadpoolctl import threadpool_limits

from apps.annotation.models import Arrival, Resolution
from apps.learning import binary, choosing, queries, vectors
from apps.learning.models import Encoding, LiveHead
from apps.learning.services import head as service
from apps.projects.models import Label, Project
from workers.learning import evaluate, heads
from workers.learning.types import LearningError

log = logging.getLogger(__name__)

Ids = NDArray[np.int64]

MOST_FITTED = 20_000  # labels; more say little more to a linear head and would cost seconds
EACH_CLASS = 50  # of which so many of every class stay


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
    trained: Ids  # (n, 2): item, label
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
    with timing.step("choose"):
        scene = _scene(project, state, pool, head)
        choices = choosing.choose(project, scene, np.random.default_rng([project.seed, revision]))
        top = choosing.top_choices(scene, choices, state.label_order, revision)
    with timing.step("evaluate"):
        score = _evaluate(project, state, head) if head is not None else None
    fitted = service.Fitted(
        revision=revision,
        encoder_digest=state.digest,
        weights=head.to_bytes() if head is not None else None,
        label_order=state.label_order,
        n_labels=len(state.trained),
        fitted_through=state.fitted_through,
        seen_through=state.seen_through,
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
    return State(
        head=head,
        digest=digest,
        seen_through=through,
        label_order=list(
            Label.objects.filter(project=project, archived_at=None).order_by("pk").values_list("pk", flat=True)
        ),
        fitted_through=newest,
        trained=_integers("SELECT item_id, label_id FROM learning_trainable WHERE project_id = {}", project, 2),
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


def _scene(project: Project, state: State, pool: vectors.Pool, head: heads.Head | None) -> choosing.Scene:
    free = pool.ids <= state.seen_through  # what came later has no task yet
    busy = pool.places(state.busy)
    free[busy[busy >= 0]] = False
    labelled, classes = _examples(state, pool)
    return choosing.Scene(pool, head, labelled, classes, len(state.label_order), free)


def _examples(state: State, pool: vectors.Pool) -> tuple[Ids, Ids]:
    """(rows, classes) of the labelled items that have a vector."""
    rows = pool.places(state.trained[:, 0])
    classes = _classes(state.label_order, state.trained[:, 1])
    usable = (rows >= 0) & (classes >= 0)
    return rows[usable], classes[usable]


def _fit(project: Project, state: State, pool: vectors.Pool) -> heads.Head | None:
    """None while fewer than two classes have an example with a vector: nothing can be told apart yet."""
    rows, classes = _examples(state, pool)
    if len(np.unique(classes)) < 2:
        return None
    kept = _spared(classes, np.random.default_rng(project.seed))
    x = np.asarray(pool.rows[rows[kept]], dtype=np.float32)
    return heads.fit(x, classes[kept], n_classes=len(state.label_order), warm=_warm(state))


def _classes(label_order: list[int], labels: Ids) -> Ids:
    """Place of each label id in the (ascending) order; -1 for an unknown one."""
    order = np.asarray(label_order, dtype=np.int64)
    if not len(order):
        return np.full(len(labels), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(order, labels), len(order) - 1)
    return np.where(order[at] == labels, at, -1)


def _spared(classes: Ids, rng: np.random.Generator) -> Ids:
    """Rows to fit on: all of them, or a random part that still holds the first examples of every class."""
    if len(classes) <= MOST_FITTED:
        return np.arange(len(classes))
    shuffled = rng.permutation(len(classes))
    by_class = shuffled[np.argsort(classes[shuffled], kind="stable")]
    starts = np.searchsorted(classes[by_class], np.arange(classes.max() + 1))
    rank = np.empty(len(classes), dtype=np.int64)
    rank[by_class] = np.arange(len(classes)) - starts[classes[by_class]]
    place = np.empty(len(classes), dtype=np.int64)
    place[shuffled] = np.arange(len(classes))
    return np.lexsort((place, rank >= EACH_CLASS))[:MOST_FITTED]


def _warm(state: State) -> heads.Head | None:
    """The last head, its classes moved to where they now stand; new ones start at nothing."""
    old = state.head
    if old.weights is None or old.encoder_digest != state.digest:
        return None
    try:
        head = heads.Head.from_bytes(bytes(old.weights))
    except LearningError as error:
        log.warning("live head of project %s: %s", old.project_id, error)
        return None
    if old.label_order == state.label_order:
        return head
    came_from = _classes(old.label_order, np.asarray(state.label_order, dtype=np.int64))
    known = came_from >= 0
    weights = np.zeros((len(came_from), head.weights.shape[1]), dtype=np.float32)
    bias = np.full(len(came_from), head.bias.min(), dtype=np.float32)
    weights[known], bias[known] = head.weights[came_from[known]], head.bias[came_from[known]]
    return heads.Head(weights, bias)


def _evaluate(project: Project, state: State, head: heads.Head) -> service.HoldoutScore | None:
    """On the labelled hold-out only, which sampling did not choose."""
    truth = queries.holdout_truth(project)
    if not truth:
        return None
    items, labels = np.asarray(truth, dtype=np.int64).T
    ids, x = _holdout_vectors(project.pk, state.digest, items)
    classes = _classes(state.label_order, labels[np.searchsorted(items, ids)])
    x, classes = x[classes >= 0], classes[classes >= 0]
    if not len(classes):
        return None
    table = evaluate.confusion(classes, head.glance(x)[0], len(state.label_order))
    right = int(np.trace(table))
    interval = evaluate.wilson(right, len(classes))
    return service.HoldoutScore(
        n=len(classes),
        accuracy=right / len(classes),
        low=interval.low,
        high=interval.high,
        macro_f1=evaluate.macro_f1(table),
    )


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
