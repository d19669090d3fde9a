"""What a live head learns from and is measured on, by task kind: truths as arrays, a fit, a score.

Truths come from the Trainable view alone, which has no hold-out row to give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

from apps.learning import binary
from apps.learning.services.head import HoldoutScore
from apps.projects.models import Project
from workers.learning import evaluate, heads

Ids = NDArray[np.int64]
LiveModel = heads.Head | heads.MultiHead

SINGLE, MULTI = Project.TaskKind.SINGLE, Project.TaskKind.MULTI
MOST_FITTED = 20_000  # labels; more say little more to a linear head and would cost seconds
EACH_CLASS = 50  # of which so many of every class stay
MOST_TUNED = 2_000  # texts up to which the thresholds of several labels are cross-fitted at every refresh

_SINGLE = "SELECT item_id, label_id FROM learning_trainable WHERE project_id = {} AND label_id IS NOT NULL"
_WITH_VALUE = "SELECT item_id FROM learning_trainable WHERE project_id = {} AND value IS NOT NULL"
_EACH_LABEL = (
    "SELECT item_id, label::bigint FROM learning_trainable, jsonb_array_elements(value -> 'labels') label"
    " WHERE project_id = {}"
)


@dataclass(frozen=True, slots=True)
class Truths:
    """n texts with a truth. Single: (n,) places in the label order, −1 for a label that is not in it; several labels:
    (n, k) bool; spans: (n,) zeros, because no head is fitted on them."""

    items: Ids
    said: NDArray[Any]

    def __len__(self) -> int:
        return len(self.items)

    def at(self, rows: NDArray[Any]) -> "Truths":
        return Truths(self.items[rows], self.said[rows])


def read(project: Project, label_order: Sequence[int]) -> Truths:
    if project.task_kind == SINGLE:
        pairs = _integers(_SINGLE, project, 2)
        return Truths(pairs[:, 0], places(label_order, pairs[:, 1]))
    items = np.unique(_integers(_WITH_VALUE, project, 1)[:, 0])
    if project.task_kind != MULTI:
        return Truths(items, np.zeros(len(items), dtype=np.int64))
    pairs = _integers(_EACH_LABEL, project, 2)
    table = np.zeros((len(items), len(label_order)), dtype=bool)
    columns = places(label_order, pairs[:, 1])
    known = columns >= 0
    table[np.searchsorted(items, pairs[known, 0]), columns[known]] = True
    return Truths(items, table)


def of_values(project: Project, truth: Sequence[tuple[int, Any]], label_order: Sequence[int]) -> Truths:
    """The same of (item, Truth) pairs that somebody has read already."""
    items = np.array([item for item, _value in truth], dtype=np.int64)
    if project.task_kind == SINGLE:
        return Truths(items, places(label_order, np.array([label for _item, label in truth], dtype=np.int64)))
    table = np.zeros((len(items), len(label_order)), dtype=bool)
    place = {pk: at for at, pk in enumerate(label_order)}
    for row, (_item, value) in enumerate(truth):
        table[row, [place[label] for label in value["labels"] if label in place]] = True
    return Truths(items, table)


def places(label_order: Sequence[int], labels: Ids) -> Ids:
    """Place of each label id in the (ascending) order; -1 for an unknown one."""
    order = np.asarray(label_order, dtype=np.int64)
    if not len(order):
        return np.full(len(labels), -1, dtype=np.int64)
    at = np.minimum(np.searchsorted(order, labels), len(order) - 1)
    return np.where(order[at] == labels, at, -1)


def fit(
    x: NDArray[np.float32], said: NDArray[Any], *, k: int, warm: LiveModel | None, rng: np.random.Generator
) -> LiveModel | None:
    """(n, d) vectors. None while nothing can be told apart yet."""
    if said.ndim == 2:
        return _fit_several(x, said, warm if isinstance(warm, heads.MultiHead) else None, rng)
    return heads.fit(x, said, n_classes=k, warm=warm if isinstance(warm, heads.Head) else None)


def teachable(said: NDArray[Any]) -> bool:
    """Whether two classes have an example, or one of several labels is there on some texts and not on others."""
    if said.ndim == 2:
        return bool((said.any(axis=0) & ~said.all(axis=0)).any()) if len(said) else False
    return len(np.unique(said)) >= 2


def classes_seen(said: NDArray[Any]) -> int:
    return int(said.any(axis=0).sum()) if said.ndim == 2 else len(np.unique(said[said >= 0]))


def said(head: LiveModel, x: NDArray[Any]) -> NDArray[Any]:
    """What the head says of (n, d) vectors: (n,) classes, or (n, k) labels given."""
    return head.labels(head.probabilities(x)) if isinstance(head, heads.MultiHead) else head.glance(x)[0]


def _fit_several(
    x: NDArray[np.float32], said: NDArray[np.bool_], warm: heads.MultiHead | None, rng: np.random.Generator
) -> heads.MultiHead:
    head = heads.fit_multi(x, said, warm=warm)
    if len(said) <= MOST_TUNED:
        return heads.tuned(head, x, said, folds=3, rng=rng)
    # beyond, they hardly move: the last ones serve on
    return heads.MultiHead(head.weights, head.bias, warm.thresholds, warm.temperature) if warm else head


def spared(said: NDArray[Any], rng: np.random.Generator) -> Ids:
    """Rows to fit on: all of them, or a random part that still holds the first examples of every class."""
    if len(said) <= MOST_FITTED:
        return np.arange(len(said))
    if said.ndim == 2:
        return rng.permutation(len(said))[:MOST_FITTED]
    shuffled = rng.permutation(len(said))
    by_class = shuffled[np.argsort(said[shuffled], kind="stable")]
    starts = np.searchsorted(said[by_class], np.arange(said.max() + 1))
    rank = np.empty(len(said), dtype=np.int64)
    rank[by_class] = np.arange(len(said)) - starts[said[by_class]]
    place = np.empty(len(said), dtype=np.int64)
    place[shuffled] = np.arange(len(said))
    return np.lexsort((place, rank >= EACH_CLASS))[:MOST_FITTED]


def moved(head: LiveModel, came_from: Ids) -> LiveModel:
    """The head with its classes where they now stand (−1: a new one, which starts at nothing)."""
    known = came_from >= 0
    weights = np.zeros((len(came_from), head.weights.shape[1]), dtype=np.float32)
    bias = np.full(len(came_from), head.bias.min(), dtype=np.float32)
    weights[known], bias[known] = head.weights[came_from[known]], head.bias[came_from[known]]
    if isinstance(head, heads.Head):
        return heads.Head(weights, bias)
    thresholds = np.full(len(came_from), 0.5, dtype=np.float32)
    thresholds[known] = head.thresholds[came_from[known]]
    return heads.MultiHead(weights, bias, thresholds, head.temperature)


def score(head: LiveModel, x: NDArray[np.float32], said: NDArray[Any], seed: int) -> HoldoutScore | None:
    """On labelled hold-out vectors (n, d)."""
    if isinstance(head, heads.MultiHead):
        return _score_several(head, x, said, seed) if len(said) else None
    x, classes = x[said >= 0], said[said >= 0]
    if not len(classes):
        return None
    table = evaluate.confusion(classes, head.glance(x)[0], head.n_classes)
    right = int(np.trace(table))
    interval = evaluate.wilson(right, len(classes))
    return HoldoutScore(len(classes), right / len(classes), interval.low, interval.high, evaluate.macro_f1(table))


def _score_several(head: heads.MultiHead, x: NDArray[np.float32], said: NDArray[np.bool_], seed: int) -> HoldoutScore:
    given = head.labels(head.probabilities(x))
    found = evaluate.evaluate_multi(said, predicted=given, rng=np.random.default_rng(seed))
    interval = found.micro_f1_interval
    return HoldoutScore(found.n, found.micro_f1, interval.low, interval.high, found.macro_f1, measure="micro_f1")


def _integers(query: str, project: Project, columns: int) -> Ids:
    return binary.copy_integers(connection, sql.SQL(query).format(sql.Literal(project.pk)), columns)
