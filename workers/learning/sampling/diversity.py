"""Choosing for variety alone: cold starts, and what they can and cannot see."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .kmeans import kmeans
from .pool import Pool, Rng, Rows

MOST = 20_000  # larger pools are subsampled
CLUSTERS = 500
NEIGHBOURS = 20


def uniform(pool: Pool, n: int, rng: Rng) -> Rows:
    """What every other strategy is measured against."""
    return rng.permutation(len(pool))[: max(n, 0)]


def kmeans_centres(pool: Pool, n: int, rng: Rng) -> Rows:
    """The item nearest to each of n + m k-means centres, those of clusters without a label first, large ones first
    (Bodó et al. 2011; Yuan et al. 2020)."""
    return _one_per_cluster(pool, n, rng, clusters=len(pool.labelled) + n, typical=_closeness_to_centre)


def typiclust(pool: Pool, n: int, rng: Rng) -> Rows:
    """TypiClust (Hacohen et al. 2022): cluster everything, go to the largest clusters without a label, take the most
    typical item of each (smallest mean distance to its neighbours)."""
    clusters = min(len(pool.labelled) + n, max(CLUSTERS, n))
    return _one_per_cluster(pool, n, rng, clusters=clusters, typical=_typicality)


def core_set(pool: Pool, n: int, rng: Rng) -> Rows:
    """k-center greedy (Sener & Savarese 2018): the next item is the one farthest from all that are labelled or chosen.
    Covers the edges first, outliers included."""
    n = min(n, len(pool))
    rows = pool.some(max(MOST, n), rng)
    x = pool.dense(rows)
    nearest = np.full(len(rows), -np.inf, dtype=np.float32)  # cosine to the closest one taken
    for start in range(0, len(pool.labelled), 1_024):
        block = np.asarray(pool.labelled[start : start + 1_024], dtype=np.float32)
        np.maximum(nearest, (x @ block.T).max(axis=1), out=nearest)
    chosen = np.empty(max(n, 0), dtype=np.int64)
    for turn in range(len(chosen)):
        chosen[turn] = nearest.argmin()
        np.maximum(nearest, x @ x[chosen[turn]], out=nearest)
        nearest[chosen[: turn + 1]] = np.inf
    return rows[chosen]


def _one_per_cluster(
    pool: Pool, n: int, rng: Rng, *, clusters: int, typical: Callable[[NDArray[np.float32]], NDArray[np.float32]]
) -> Rows:
    n = min(n, len(pool))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    rows = pool.some(max(MOST, n), rng)
    x = np.vstack([np.asarray(pool.labelled, dtype=np.float32), pool.dense(rows)])
    known = len(pool.labelled)
    k = min(clusters, len(x))
    _, cluster = kmeans(x, k, rng)
    labelled, size = np.bincount(cluster[:known], minlength=k), np.bincount(cluster[known:], minlength=k)
    order = np.argsort(cluster[known:], kind="stable") + known
    members = np.split(order, np.cumsum(size)[:-1])
    ranked = [m[np.argsort(-typical(x[m]), kind="stable")] for m in members]
    best = np.lexsort((-size, labelled))
    chosen: list[int] = []
    for turn in range(int(size.max())):  # a second item of a cluster only when each has given one
        chosen += [int(ranked[c][turn]) for c in best if turn < len(ranked[c])]
        if len(chosen) >= n:
            break
    picked: Rows = rows[np.array(chosen[:n], dtype=np.int64) - known]
    return picked


def _typicality(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """Mean closeness to the nearest neighbours inside a cluster, (m,)."""
    if len(x) < 2:
        return np.ones(len(x), dtype=np.float32)
    close = x @ x.T
    neighbours = min(NEIGHBOURS, len(x) - 1)
    nearest = np.partition(close, len(x) - neighbours - 1, axis=1)[:, -neighbours - 1 :]
    typical: NDArray[np.float32] = nearest.mean(axis=1)
    return typical


def _closeness_to_centre(x: NDArray[np.float32]) -> NDArray[np.float32]:
    close: NDArray[np.float32] = x @ x.mean(axis=0) if len(x) else np.empty(0, dtype=np.float32)
    return close
