"""Choosing what a human should see next. A score says how unsure, a picker chooses, a planner mixes.

Everything works on arrays and returns row numbers; `rng` is always an argument; ties fall at random.
"""

import numpy as np
from numpy.typing import NDArray

from .kmeans import kmeans
from .types import Floats, Ints

Rng = np.random.Generator
Rows = NDArray[np.int64]

CHUNK = 16_384  # rows scored at once
NEAR_DUPLICATE = 0.97  # cosine of two texts that say the same thing
TYPICLUST_POOL = 20_000  # larger pools are subsampled
TYPICLUST_CLUSTERS = 500
TYPICLUST_NEIGHBOURS = 20
SPREAD_FACTOR = 10  # candidates per item wanted


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
