"""Uncertainty herding (Bae et al. 2025): coverage of what is still unsure, which hands over from variety to doubt."""

import numpy as np
from numpy.typing import NDArray

from ..types import Floats
from .batch import pick
from .pool import Pool, Rng, Rows

REACH = 0.3  # of one label, as a share of the typical distance to the nearest one
LEAST_WIDTH = 0.02
REFERENCE = 3_000  # pool items that coverage is measured on
CANDIDATES = 2_000  # most unsure items that may be chosen


def herding(pool: Pool, n: int, rng: Rng) -> Rows:
    return herd(pool.vectors, pool.unsure, pool.labelled, n, rng)


def herd(vectors: Floats, weights: Floats | None, labelled: Floats, n: int, rng: Rng, *, reach: float = REACH) -> Rows:
    """Each item chosen covers what lies near it, and the next is the one that covers most of what is still unsure and
    uncovered. Rows of `vectors` (N, d), best first.

    `weights` (N,) says how unsure each row is; None counts all alike, which is MaxHerding (Bae et al. 2024), a cold
    start. An item at cosine s is covered by exp((s − 1) / reach), where the reach shrinks as labels (m, d) fill the
    space: wide circles early choose for diversity, narrow ones late for uncertainty. Coverage is measured on a sample
    of the pool, so that the cost does not grow with it.
    """
    n = min(n, len(vectors))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    seen = _sample(len(vectors), REFERENCE, rng)
    wanted = max(CANDIDATES, 2 * n)
    rows = _sample(len(vectors), wanted, rng) if weights is None else pick(weights, wanted, rng)
    reference, candidates = _dense(vectors[seen]), _dense(vectors[rows])
    weight = np.ones(len(seen), dtype=np.float32) if weights is None else weights[seen].astype(np.float32)
    near = candidates @ reference.T
    labelled = _dense(labelled)
    nearest = (reference @ labelled.T).max(axis=1) if len(labelled) else np.median(near, axis=0)
    width = np.float32(max(reach * float(np.median(1 - nearest)), LEAST_WIDTH))
    covered = np.exp((nearest - 1) / width) if len(labelled) else np.zeros(len(seen), dtype=np.float32)
    near -= 1
    near /= width
    np.exp(near, out=near)
    return rows[_greedy(near, weight, covered, n)]


def _greedy(near: NDArray[np.float32], weight: NDArray[np.float32], covered: NDArray[np.float32], n: int) -> Rows:
    """Greedy maximum of a submodular sum. A gain can only shrink, so only the leader is recomputed (Minoux 1978)."""
    gain = np.empty(len(near), dtype=np.float64)
    for start in range(0, len(near), 256):  # in pieces that stay in the cache
        gain[start : start + 256] = np.maximum(near[start : start + 256] - covered, 0) @ weight
    fresh = np.zeros(len(near), dtype=np.int64)
    chosen = np.empty(n, dtype=np.int64)
    for turn in range(n):
        leader = int(gain.argmax())
        while fresh[leader] != turn:
            gain[leader] = np.maximum(near[leader] - covered, 0) @ weight
            fresh[leader] = turn
            leader = int(gain.argmax())
        chosen[turn] = leader
        gain[leader] = -1
        np.maximum(covered, near[leader], out=covered)
    return chosen


def _sample(n: int, most: int, rng: Rng) -> Rows:
    """In random order: the first of equals is then drawn, not found."""
    return rng.permutation(n) if n <= most else rng.choice(n, most, replace=False)


def _dense(vectors: Floats) -> NDArray[np.float32]:
    return np.asarray(vectors, dtype=np.float32)
