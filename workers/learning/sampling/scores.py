"""Choosing what a human should see next. A score says how unsure, a picker chooses, a planner mixes.

Everything works on arrays and returns row numbers; `rng` is always an argument; ties fall at random.
"""

import numpy as np
from numpy.typing import NDArray

from ..types import Floats
from .kmeans import kmeans

Rng = np.random.Generator
Rows = NDArray[np.int64]

CHUNK = 16_384  # rows scored at once
NEAR_DUPLICATE = 0.97  # cosine of two texts that say the same thing
TYPICLUST_POOL = 20_000  # larger pools are subsampled
TYPICLUST_CLUSTERS = 500
TYPICLUST_NEIGHBOURS = 20
SPREAD_FACTOR = 10  # candidates per item wanted
REACH = 0.3  # of one label, as a share of the typical distance to the nearest one; measured on Banking77
LEAST_REACH = 0.02
HERD_REFERENCE = 3_000  # pool items that coverage is measured on
HERD_CANDIDATES = 2_000  # most unsure items that may be chosen


def least_confidence(probabilities: Floats) -> Floats:
    """One minus the likeliest label's probability; large means unsure. (n, k) -> (n,)."""
    unsure: Floats = 1 - probabilities.max(axis=1)
    return unsure


def margin(probabilities: Floats) -> Floats:
    """One minus the gap between the two likeliest labels (breaking ties, Scheffer et al. 2001); large means unsure."""
    out = np.empty(len(probabilities), dtype=np.float32)
    for start in range(0, len(probabilities), CHUNK):
        # classes down: both maxima then run along memory, ten times the speed of a partition per row
        part = np.ascontiguousarray(probabilities[start : start + CHUNK].T, dtype=np.float32)
        top = part.max(axis=0)
        if len(part) == 1:
            out[start : start + CHUNK] = 1 - top
            continue
        part[part.argmax(axis=0), np.arange(part.shape[1])] = -1
        out[start : start + CHUNK] = 1 - (top - part.max(axis=0))
    return out


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy in nats; large means unsure. (n, k) -> (n,)."""
    p = np.maximum(probabilities, 1e-12)
    nats: Floats = -(p * np.log(p)).sum(axis=1)
    return nats


def pick(scores: Floats, n: int, rng: Rng) -> Rows:
    """Rows of the n largest scores, largest first, ties at random. Fewer when there are fewer rows."""
    n = max(0, min(n, len(scores)))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    if n < len(scores) // 4:
        least = np.partition(scores, len(scores) - n)[len(scores) - n]
        rows = np.flatnonzero(scores >= least)  # every tie at the border stays in the draw
    else:
        rows = np.arange(len(scores))
    return rows[np.lexsort((rng.random(len(rows)), -scores[rows]))][:n]


def collapse_near_duplicates(vectors: Floats, order: Rows, *, cosine: float = NEAR_DUPLICATE) -> Rows:
    """Keep, in the order given, the rows that are not almost the same as one kept before. Vectors are unit rows."""
    x = np.asarray(vectors[order], dtype=np.float32)
    twin = np.tril(x @ x.T >= cosine, k=-1)
    kept = np.ones(len(order), dtype=bool)
    for i in np.flatnonzero(twin.any(axis=1)):
        kept[i] = not (twin[i] & kept).any()
    return order[kept]


def typiclust(vectors: Floats, labelled_vectors: Floats, n: int, rng: Rng) -> Rows:
    """TypiClust (Hacohen et al. 2022): cluster everything, go to the largest clusters without a label, take the most
    typical item of each (smallest mean distance to its neighbours). Rows of `vectors`, most wanted first."""
    n = min(n, len(vectors))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    rows = _subsample(len(vectors), max(TYPICLUST_POOL, n), rng)
    x = np.vstack([_dense(labelled_vectors), _dense(vectors[rows])])
    known = len(labelled_vectors)
    k = min(known + n, max(TYPICLUST_CLUSTERS, n), len(x))
    _, cluster = kmeans(x, k, rng)
    labelled, size = np.bincount(cluster[:known], minlength=k), np.bincount(cluster[known:], minlength=k)
    members = [known + np.flatnonzero(cluster[known:] == c) for c in range(k)]
    ranked = [m[_typicality(x[m]).argsort()[::-1]] for m in members]
    order = np.lexsort((-size, labelled))
    chosen: list[int] = []
    for turn in range(max(len(m) for m in ranked)):  # a second item of a cluster only when each has given one
        chosen += [int(ranked[c][turn]) for c in order if turn < len(ranked[c])]
        if len(chosen) >= n:
            break
    picked: Rows = rows[np.array(chosen[:n], dtype=np.int64) - known]
    return picked


def spread(vectors: Floats, scores: Floats, n: int, rng: Rng) -> Rows:
    """The most unsure of each k-means cluster of the 10 × n most unsure: uncertainty without a batch of one topic."""
    candidates = pick(scores, SPREAD_FACTOR * n, rng)
    if len(candidates) <= n:
        return candidates
    _, cluster = kmeans(_dense(vectors[candidates]), n, rng)
    _, first = np.unique(cluster, return_index=True)  # candidates are in order of uncertainty
    first.sort()
    rest = np.setdiff1d(np.arange(len(candidates)), first)
    picked: Rows = candidates[np.concatenate([first, rest])][:n]
    return picked


def herd(
    vectors: Floats,
    weights: Floats | None,
    labelled_vectors: Floats,
    n: int,
    rng: Rng,
) -> Rows:
    """Uncertainty herding (Bae et al. 2025): each item chosen covers what lies near it, and the next is the one that
    covers most of what is still unsure and uncovered. Rows of `vectors`, best first.

    `weights` (n,) says how unsure each row is; None counts all alike, which is MaxHerding (Bae et al. 2024), a cold
    start. An item at cosine s is covered by exp((s − 1) / reach), where the reach shrinks as labels fill the space:
    wide circles early choose for diversity, narrow ones late for uncertainty. Coverage is measured on a sample of the
    pool, so that the cost does not grow with it.
    """
    n = min(n, len(vectors))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    seen = _subsample(len(vectors), HERD_REFERENCE, rng)
    wanted = max(HERD_CANDIDATES, 2 * n)
    rows = _subsample(len(vectors), wanted, rng) if weights is None else np.sort(pick(weights, wanted, rng))
    reference, candidates = _dense(vectors[seen]), _dense(vectors[rows])
    weight = np.ones(len(seen), dtype=np.float32) if weights is None else weights[seen].astype(np.float32)
    near = candidates @ reference.T
    labelled = _dense(labelled_vectors)
    nearest = (reference @ labelled.T).max(axis=1) if len(labelled) else np.median(near, axis=0)
    reach = np.float32(max(REACH * float(np.median(1 - nearest)), LEAST_REACH))
    covered = np.exp((nearest - 1) / reach) if len(labelled) else np.zeros(len(seen), dtype=np.float32)
    near -= 1
    near /= reach
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


def _typicality(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean closeness to the nearest neighbours inside a cluster, (m,)."""
    if len(x) < 2:
        return np.ones(len(x), dtype=np.float32)
    close = x @ x.T
    neighbours = min(TYPICLUST_NEIGHBOURS, len(x) - 1)
    nearest = np.partition(close, len(x) - neighbours - 1, axis=1)[:, -neighbours - 1 :]
    typical: NDArray[np.float32] = nearest.mean(axis=1)
    return typical


def _subsample(n: int, most: int, rng: Rng) -> Rows:
    if n <= most:
        return np.arange(n)
    return np.sort(rng.choice(n, most, replace=False))


def _dense(vectors: Floats) -> NDArray[np.float32]:
    return np.asarray(vectors, dtype=np.float32)
