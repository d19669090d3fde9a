"""What goes to the top of the queue: score everything, choose among the most uncertain, keep those with an open task."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from apps.annotation import services as annotation
from apps.annotation.models import Lease, Task
from apps.learning import vectors
from apps.projects.models import Project
from workers.learning import heads, sampling
from workers.learning.kmeans import assign, kmeans
from workers.learning.types import Choice

Ids = NDArray[np.int64]

TOP = (100, 600)  # choices made at once: fewest, most
TOP_PER_PERSON = 25  # what one annotator may get through before the next refresh
CANDIDATES = 12  # per choice: the most uncertain items that the planner spreads over
DRAWN = 20_000  # items that stand for the whole pool where there is nothing to be uncertain about
ROUNDS = 3  # attempts, when many of those chosen turn out to have no open task
SHOWN = 5  # labels in a suggestion
REMEMBER_CLOSED = 60.0  # seconds for which an item without an open task is not tried again

_closed: dict[int, tuple[float, Ids]] = {}  # project -> (until, items)


@dataclass(frozen=True, slots=True)
class Scene:
    pool: vectors.Pool
    head: heads.Head | None
    labelled: Ids  # rows
    free: NDArray[np.bool_]  # (n,) rows that may be chosen
    random_share: float


def choose(project: Project, scene: Scene, rng: np.random.Generator) -> list[Choice]:
    """Rows of the pool, the first to be labelled first; every one had an open task a moment ago."""
    free = scene.free.copy()
    places = scene.pool.places(_remembered(project.pk))
    free[places[places >= 0]] = False
    wanted = _wanted(project)
    gap = scene.head.glance(scene.pool.rows)[2] if scene.head is not None else None
    kept: list[Choice] = []
    for _ in range(ROUNDS):
        choices = _planned(scene, free, gap, wanted, rng)
        kept = _with_open_task(project, scene.pool, choices)
        if len(kept) >= 0.8 * len(choices):
            break
        free[_remember(project.pk, scene.pool, choices, kept)] = False
    return kept


def top_choices(
    scene: Scene, choices: Sequence[Choice], label_order: list[int], revision: int
) -> list[annotation.TopChoice]:
    """For the queue: items instead of rows, each with what the head thinks of it."""
    rows = np.array([choice.row for choice in choices], dtype=np.int64)
    suggestions: list[dict[str, Any] | None] = [None] * len(rows)
    if scene.head is not None and len(rows):
        p = scene.head.probabilities(np.asarray(scene.pool.rows[rows]))
        likeliest = np.argsort(-p, axis=1, kind="stable")[:, :SHOWN]
        suggestions = [
            {
                "head": revision,
                "labels": [label_order[place] for place in places],
                "probabilities": [round(float(p[n, place]), 4) for place in places],
            }
            for n, places in enumerate(likeliest)
        ]
    return [
        annotation.TopChoice(int(scene.pool.ids[choice.row]), choice.reason, choice.score, suggestion)
        for choice, suggestion in zip(choices, suggestions, strict=True)
    ]


def _wanted(project: Project) -> int:
    """More people, more choices: the top must last until the next refresh."""
    active = Q(state=Lease.State.ACTIVE, task__project=project)
    people = Lease.objects.filter(active).values("annotator").distinct().count()
    return min(TOP[1], max(TOP[0], TOP_PER_PERSON * people))


def _planned(
    scene: Scene, free: NDArray[np.bool_], gap: NDArray[np.float32] | None, wanted: int, rng: np.random.Generator
) -> list[Choice]:
    if gap is None:
        return _cold_start(scene, free, wanted, rng)
    drawn = min(round(wanted * scene.random_share), int(free.sum()))
    random = [Choice(int(row), "random", None) for row in _some(np.flatnonzero(free), drawn, rng)]
    free = free.copy()
    free[[choice.row for choice in random]] = False
    unsure = np.where(free, 1 - gap, -np.inf)
    likely = sampling.pick(unsure, min(CANDIDATES * (wanted - drawn), int(free.sum())), rng)
    likely = _spread(scene.pool, likely, wanted - drawn, rng)
    uncertain = [Choice(int(row), "uncertain", float(gap[row])) for row in likely]
    return _mixed(uncertain, random, scene.random_share)


def _spread(pool: vectors.Pool, likely: Ids, n: int, rng: np.random.Generator) -> Ids:
    """The most uncertain of each cluster of the uncertain, near-duplicates counted once."""
    if len(likely) <= n:
        return likely
    x = np.asarray(pool.rows[likely], dtype=np.float32)
    _, cluster = kmeans(x, n, rng)
    _, first = np.unique(
        cluster, return_index=True
    )  # `likely` is in order: the first of a cluster is its most uncertain
    picked = np.sort(first)
    rest = np.setdiff1d(np.arange(len(likely)), picked)
    return sampling.collapse_near_duplicates(pool.rows, likely[np.concatenate([picked, rest])[: 2 * n]])[:n]


def _cold_start(scene: Scene, free: NDArray[np.bool_], wanted: int, rng: np.random.Generator) -> list[Choice]:
    """One typical item per cluster, the largest clusters first, those that hold a label last."""
    rows = _some(np.flatnonzero(free), DRAWN, rng)
    if not len(rows):
        return []
    x = np.asarray(scene.pool.rows[rows], dtype=np.float32)
    centres, cluster = kmeans(x, min(wanted, len(rows)), rng)
    closeness = np.einsum("nd,nd->n", x, centres[cluster])
    order = np.lexsort((-closeness, cluster))
    _, first = np.unique(cluster[order], return_index=True)
    size = np.bincount(cluster, minlength=len(centres))
    taken = np.zeros(len(centres), dtype=bool)
    if len(scene.labelled):
        taken[assign(np.asarray(scene.pool.rows[scene.labelled], dtype=np.float32), centres)] = True
    typical = order[first]
    typical = typical[np.lexsort((-size[cluster[typical]], taken[cluster[typical]]))]
    return [Choice(int(rows[place]), "cold_start", None) for place in typical]


def _some(rows: Ids, n: int, rng: np.random.Generator) -> Ids:
    return rows if len(rows) <= n else np.sort(rng.choice(rows, n, replace=False))


def _mixed(uncertain: list[Choice], random: list[Choice], share: float) -> list[Choice]:
    """Random items at their share in every stretch of the list, not in a heap at its end."""
    mixed: list[Choice] = []
    ahead, drawn = uncertain[::-1], random[::-1]
    while ahead or drawn:
        due = int((len(mixed) + 1) * share) > int(len(mixed) * share)
        mixed.append(drawn.pop() if drawn and (due or not ahead) else ahead.pop())
    return mixed


def _with_open_task(project: Project, pool: vectors.Pool, choices: Sequence[Choice]) -> list[Choice]:
    items = [int(pool.ids[choice.row]) for choice in choices]
    there = set(
        Task.objects.filter(project=project, item_id__in=items, state=Task.State.OPEN, split="pool").values_list(
            "item_id", flat=True
        )
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
