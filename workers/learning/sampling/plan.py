"""The queue planner: which pool items come next, in which order and why."""

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from ..types import Choice, Floats, Ints, LearningError, Reason
from . import scores as sampling

Rng = np.random.Generator
# (vectors, scores or None, labelled vectors, n, rng) -> rows, best first
Strategy = Callable[[Floats, Floats | None, Floats, int, Rng], NDArray[np.int64]]

LOOK_BEYOND = (1.25, 4, 12)  # times as many are chosen as wanted, because near-duplicates fall away


def plan(
    *,
    vectors: Floats,
    probs: Floats | None = None,
    margins: Floats | None = None,
    labelled_vectors: Floats,
    labelled_classes: Ints,
    n_classes: int,
    n: int,
    random_share: float,
    rng: Rng,
    labels_so_far: int,
    allowed: NDArray[np.bool_] | None = None,
    strategy: str = "herding",
) -> list[Choice]:
    """At most n rows of `vectors` (N, d) in hand-out order.

    `probs` (N, k) are the live head's; None, or fewer than two classes labelled, means cold start. `margins` (N,), the
    third result of `Head.glance`, may stand in for them and saves the memory. `allowed` (N,) masks rows that may be
    handed out, so that a memory map need not be copied. After every m items exactly floor(m · random_share) were random
    ones, counted on from `labels_so_far`, so that the share is exact however often the plan is renewed.
    """
    if not 0 <= random_share <= 1:
        raise LearningError("The random share must lie between 0 and 1.")
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    n = min(n, len(rows))
    if n <= 0:
        return []
    cold = (probs is None and margins is None) or len(np.unique(labelled_classes)) < min(2, n_classes)
    scores = None if cold else _scores(probs, margins, rows, whole=allowed is None)
    turns = np.arange(labels_so_far, labels_so_far + n + 1)
    is_random = np.diff(np.floor(turns * random_share + 1e-9)) > 0
    view = vectors if len(rows) == len(vectors) else cast(Floats, _Rows(vectors, rows))
    wanted = int((~is_random).sum())
    for excess in LOOK_BEYOND:
        order = STRATEGIES[strategy](view, scores, labelled_vectors, min(len(rows), int(wanted * excess) + 1), rng)
        chosen = sampling.collapse_near_duplicates(view, order)
        if len(chosen) >= wanted or len(order) == len(rows):
            break
    # the twins of an earlier one are used when nothing else is left
    chosen = np.concatenate([chosen, order[~np.isin(order, chosen)]])[:wanted]
    drawn = _drawn(len(rows), chosen, n - len(chosen), rng)
    return _interleave(rows, chosen, drawn, is_random, scores)


def _scores(probs: Floats | None, margins: Floats | None, rows: NDArray[np.int64], *, whole: bool) -> Floats:
    """Uncertainty 1 − margin of each open row."""
    unsure = sampling.margin(probs) if margins is None and probs is not None else 1 - np.asarray(margins)
    return unsure if whole else unsure[rows]


class _Rows:
    """Some rows of a large array, read when asked for: nothing is copied up front."""

    def __init__(self, vectors: Floats, rows: NDArray[np.int64]) -> None:
        self.vectors, self.rows = vectors, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: NDArray[np.int64]) -> Floats:
        part: Floats = self.vectors[self.rows[index]]
        return part


def _drawn(pool: int, taken: NDArray[np.int64], n: int, rng: Rng) -> NDArray[np.int64]:
    """n positions uniformly from those not taken."""
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    draw = rng.choice(pool, min(pool, n + len(taken)), replace=False)
    return draw[~np.isin(draw, taken)][:n]


def _interleave(
    rows: NDArray[np.int64],
    chosen: NDArray[np.int64],
    drawn: NDArray[np.int64],
    is_random: NDArray[np.bool_],
    scores: Floats | None,
) -> list[Choice]:
    reason: Reason = "cold_start" if scores is None else "uncertain"
    planned, random = iter(chosen), iter(drawn)
    choices = []
    for turn in is_random:
        source: Reason = "random" if turn else reason
        position = next(random if turn else planned, None)
        if position is None:
            continue
        score = None if scores is None else float(1 - scores[position])
        choices.append(Choice(int(rows[position]), source, score))
    return choices


def _herding(v: Floats, scores: Floats | None, labelled: Floats, n: int, rng: Rng) -> NDArray[np.int64]:
    return sampling.herd(v, scores, labelled, n, rng)


def _typiclust(v: Floats, scores: Floats | None, labelled: Floats, n: int, rng: Rng) -> NDArray[np.int64]:
    return sampling.typiclust(v, labelled, n, rng)


def _margin(v: Floats, scores: Floats | None, labelled: Floats, n: int, rng: Rng) -> NDArray[np.int64]:
    # without a head there is nothing to be unsure about
    return _herding(v, None, labelled, n, rng) if scores is None else sampling.pick(scores, n, rng)


def _spread(v: Floats, scores: Floats | None, labelled: Floats, n: int, rng: Rng) -> NDArray[np.int64]:
    return _herding(v, None, labelled, n, rng) if scores is None else sampling.spread(v, scores, n, rng)


def _random(v: Floats, scores: Floats | None, labelled: Floats, n: int, rng: Rng) -> NDArray[np.int64]:
    return rng.permutation(len(v))[:n]


STRATEGIES: dict[str, Strategy] = {
    "herding": _herding,
    "typiclust": _typiclust,
    "margin": _margin,
    "spread": _spread,
    "random": _random,
}
