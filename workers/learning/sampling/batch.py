"""From scores to a batch: the best ones, spread over topics when there are many, without near-duplicates."""

import numpy as np

from ..types import Floats
from .kmeans import kmeans
from .pool import Pool, Rng, Rows

SPREAD_FROM = 64  # larger batches of the best alone fill with one topic; a plan of 50 asks for a quarter more
SPREAD_FACTOR, SPREAD_MOST = 10, 5_000  # candidates per item wanted, and in all (but never under twice what is wanted)
SPREAD_ROUNDS = 3  # of k-means: the clusters only have to keep topics apart
NEAR_DUPLICATE = 0.97  # cosine of two texts that say the same thing


def pick(scores: Floats, n: int, rng: Rng) -> Rows:
    """Rows of the n largest scores (N,), largest first, ties at random. Fewer when there are fewer rows."""
    n = max(0, min(n, len(scores)))
    if n == 0:
        return np.empty(0, dtype=np.int64)
    if n < len(scores) // 4:
        least = np.partition(scores, len(scores) - n)[len(scores) - n]
        rows = np.flatnonzero(scores >= least)  # every tie at the border stays in the draw
    else:
        rows = np.arange(len(scores))
    return rows[np.lexsort((rng.random(len(rows)), -scores[rows]))][:n]


def by_score(pool: Pool, scores: Floats, n: int, rng: Rng) -> Rows:
    """The n largest scores (N,); of a large batch the largest in each cluster of the unsure."""
    return pick(scores, n, rng) if n <= SPREAD_FROM else spread(pool.vectors, scores, n, rng)


def spread(vectors: Floats, scores: Floats, n: int, rng: Rng) -> Rows:
    """The largest score of each k-means cluster of the 10 × n largest (cluster margin, Citovsky et al. 2021)."""
    candidates = pick(scores, max(2 * n, min(SPREAD_FACTOR * n, SPREAD_MOST)), rng)
    if len(candidates) <= n:
        return candidates
    _, cluster = kmeans(np.asarray(vectors[candidates], dtype=np.float32), n, rng, max_iter=SPREAD_ROUNDS)
    _, first = np.unique(cluster, return_index=True)  # candidates are in order of their score
    first.sort()
    rest = np.setdiff1d(np.arange(len(candidates)), first)
    picked: Rows = candidates[np.concatenate([first, rest])][:n]
    return picked


def spread_margin(pool: Pool, n: int, rng: Rng) -> Rows:
    """`spread` whatever the size of the batch."""
    return spread(pool.vectors, pool.unsure_of(np.arange(len(pool))), n, rng) if n > 0 else np.empty(0, dtype=np.int64)


def collapse_near_duplicates(vectors: Floats, order: Rows, *, cosine: float = NEAR_DUPLICATE) -> Rows:
    """Keep, in the order given, the rows that are not almost the same as one kept before. Vectors are unit rows."""
    x = np.asarray(vectors[order], dtype=np.float32)
    twin = np.tril(x @ x.T >= cosine, k=-1)
    kept = np.ones(len(order), dtype=bool)
    for i in np.flatnonzero(twin.any(axis=1)):
        kept[i] = not (twin[i] & kept).any()
    return order[kept]
