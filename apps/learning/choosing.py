"""What goes to the top of the queue: score everything, let the planner choose, keep what has an open task."""

import math
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from apps.annotation import services as annotation
from apps.annotation.models import Lease, Prediction, Task
from apps.learning import lessons, vectors
from apps.learning.lessons import LiveModel
from apps.projects.models import Project
from apps.registry import queries as registry
from workers.learning.heads import MultiHead
from workers.learning.sampling import DEFAULT, STRATEGIES, SpanScores, plan
from workers.learning.types import Choice

Ids = NDArray[np.int64]

TOP = (100, 600)  # choices made at once: fewest, most
TOP_PER_PERSON = 25  # what one annotator may get through before the next refresh
ROUNDS = 3  # attempts, when many of those chosen turn out to have no open task
SHOWN = 5  # labels in a suggestion
PIECE = 65_536  # rows scored by one thread at a time
CORES = min(8, os.cpu_count() or 1)
REMEMBER_CLOSED = 60.0  # seconds for which an item without an open task is not tried again

_closed: dict[int, tuple[float, Ids]] = {}  # project -> (until, items)


@dataclass(frozen=True, slots=True)
class Scene:
    pool: vectors.Pool
    head: LiveModel | None
    labelled: Ids  # rows
    truths: lessons.Truths  # of the labelled rows
    n_classes: int
    free: NDArray[np.bool_]  # (n,) rows that may be chosen
    spans: SpanScores | None = None  # what the serving version said, where no head can be


def choose(project: Project, scene: Scene, rng: np.random.Generator) -> list[Choice]:
    """Rows of the pool, the first to be labelled first; every one had an open task a moment ago."""
    free = scene.free.copy()
    places = scene.pool.places(_remembered(project.pk))
    free[places[places >= 0]] = False
    gap = _gaps(scene.head, scene.pool.rows) if scene.head is not None else None
    kept: list[Choice] = []
    for _ in range(ROUNDS):
        choices = _planned(project, scene, free, gap, rng)
        kept = _with_open_task(project, scene.pool, choices)
        if len(kept) >= 0.8 * len(choices):
            break
        free[_remember(project.pk, scene.pool, choices, kept)] = False
    return kept


def top_choices(
    project: Project, scene: Scene, choices: Sequence[Choice], label_order: list[int], revision: int
) -> list[annotation.TopChoice]:
    """For the queue: items instead of rows, each with what the head, or for spans the serving version, thinks of it."""
    items = [int(scene.pool.ids[choice.row]) for choice in choices]
    suggestions: list[dict[str, Any] | None] = [None] * len(items)
    if scene.head is not None and items:
        rows = np.array([choice.row for choice in choices], dtype=np.int64)
        p = scene.head.probabilities(np.asarray(scene.pool.rows[rows]))
        suggestions = [_suggestion(scene.head, each, label_order, revision) for each in p]
    elif project.task_kind == Project.TaskKind.SPANS:
        marked = _marked(project, items, set(label_order))
        suggestions = [marked.get(item) for item in items]
    return [
        annotation.TopChoice(item, choice.reason, choice.score, suggestion)
        for item, choice, suggestion in zip(items, choices, suggestions, strict=True)
    ]


def _suggestion(head: LiveModel, p: NDArray[np.float32], label_order: list[int], revision: int) -> dict[str, Any]:
    """(k,) probabilities of one text. The likeliest labels; of several labels all that pass their thresholds."""
    places = np.argsort(-p, kind="stable")
    thresholds = head.thresholds if isinstance(head, MultiHead) else None
    shown = (
        SHOWN
        if thresholds is None
        else max(SHOWN, int(np.max(np.flatnonzero((p >= thresholds)[places]) + 1, initial=0)))
    )
    found: dict[str, Any] = {
        "head": revision,
        "labels": [label_order[place] for place in places[:shown]],
        "probabilities": [round(float(p[place]), 4) for place in places[:shown]],
    }
    if thresholds is not None:
        # rounded down, so that what the head says is still said after rounding
        found["thresholds"] = [math.floor(float(thresholds[place]) * 1e4) / 1e4 for place in places[:shown]]
    return found


def _marked(project: Project, items: Sequence[int], known: set[int]) -> dict[int, dict[str, Any]]:
    """What the serving version marked in these texts, as far as it has read them and its labels still exist."""
    version = registry.live_version(project)
    if version is None:
        return {}
    said = Prediction.objects.filter(version=version, item_id__in=items).values_list("item_id", "value")
    return {
        item: {
            "version": version.number,
            "spans": [
                {name: span[name] for name in ("start", "end", "label", "score")}
                for span in value["spans"]
                if span["label"] in known
            ],
        }
        for item, value in said
        if value is not None
    }


def _wanted(project: Project) -> int:
    """More people, more choices: the top must last until the next refresh."""
    active = Q(state=Lease.State.ACTIVE, task__project=project)
    people = Lease.objects.filter(active).values("annotator").distinct().count()
    return min(TOP[1], max(TOP[0], TOP_PER_PERSON * people))


def _gaps(head: LiveModel, rows: NDArray[np.float16]) -> NDArray[np.float32]:
    """Margin of every row; a large pool in pieces, one to a core, each with a BLAS of one thread."""
    if len(rows) <= PIECE:
        return head.glance(rows)[2]
    with ThreadPoolExecutor(CORES) as threads:
        pieces = threads.map(lambda start: head.glance(rows[start : start + PIECE])[2], range(0, len(rows), PIECE))
        return np.concatenate(list(pieces))


def _planned(
    project: Project,
    scene: Scene,
    free: NDArray[np.bool_],
    gap: NDArray[np.float32] | None,
    rng: np.random.Generator,
) -> list[Choice]:
    return plan(
        vectors=scene.pool.rows,
        margins=gap,
        labelled_vectors=np.asarray(scene.pool.rows[scene.labelled], dtype=np.float32),
        labelled_classes=scene.truths.said,
        n_classes=scene.n_classes,
        n=_wanted(project),
        random_share=project.random_share,
        rng=rng,
        labels_so_far=len(scene.labelled),
        allowed=free,
        strategy=strategy_of(project),
        head=scene.head,
        spans=scene.spans,
    )


def strategy_of(project: Project) -> str:
    """The chosen one; the default where none was chosen or it is no longer known."""
    return project.strategy if project.strategy in STRATEGIES else DEFAULT


def _with_open_task(project: Project, pool: vectors.Pool, choices: Sequence[Choice]) -> list[Choice]:
    items = [int(pool.ids[choice.row]) for choice in choices]
    there = set(
        Task.objects.filter(project=project, item_id__in=items, state=Task.State.OPEN, split="pool")
        .filter(item__archived_at=None)
        .values_list("item_id", flat=True)
    )
    return [choice for choice, item in zip(choices, items, strict=True) if item in there]


def _remembered(project_id: int) -> Ids:
    until, items = _closed.get(project_id, (0.0, np.empty(0, dtype=np.int64)))
    if until < time.monotonic():
        _closed.pop(project_id, None)
        return np.empty(0, dtype=np.int64)
    return items


def _remember(project_id: int, pool: vectors.Pool, choices: Sequence[Choice], kept: Sequence[Choice]) -> list[int]:
    """Rows that were chosen in vain."""
    gone = sorted({choice.row for choice in choices} - {choice.row for choice in kept})
    before = _remembered(project_id)
    _closed[project_id] = (time.monotonic() + REMEMBER_CLOSED, np.append(before, pool.ids[gone]))
    return gone
