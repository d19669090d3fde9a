"""CAL (Margatina et al. 2021): items that look like labelled ones and are predicted otherwise."""

import numpy as np

from ..types import Floats
from .batch import by_score
from .pool import Pool, Rng, Rows

NEIGHBOURS = 10
SCORED = 20_000  # larger pools are subsampled
CHUNK = 2_048


def cal(vectors: Floats, p: Floats, labelled: Floats, p_labelled: Floats) -> Floats:
    """Mean Kullback-Leibler divergence from the nearest labelled neighbours' predictions to an item's own, in nats.

    (N, d), (N, k), (m, d), (m, k) to (N,). KL(q ‖ p) = Σ q log q − Σ q log p is linear in q but for its first term, so
    the mean over neighbours needs only their mean prediction and their mean negative entropy.
    """
    q = np.maximum(p_labelled, 1e-12)
    negentropy = (q * np.log(q)).sum(axis=1)
    neighbours = min(NEIGHBOURS, len(labelled))
    out = np.empty(len(vectors), dtype=np.float32)
    for start in range(0, len(vectors), CHUNK):
        part = slice(start, start + CHUNK)
        near = np.argpartition(-(vectors[part] @ labelled.T), neighbours - 1, axis=1)[:, :neighbours]
        crossed = (q[near].mean(axis=1) * np.log(np.maximum(p[part], 1e-12))).sum(axis=1)
        out[part] = negentropy[near].mean(axis=1) - crossed
    return out


def contrastive(pool: Pool, n: int, rng: Rng) -> Rows:
    rows = pool.some(max(SCORED, n), rng)
    x, labelled = pool.dense(rows), np.asarray(pool.labelled, dtype=np.float32)
    p, q = pool.probabilities(rows), pool.model.probabilities(labelled)
    scores = np.full(len(pool), -1.0, dtype=np.float32)
    scores[rows] = cal(x, p, labelled, q)
    if pool.several:  # labels are independent: what is not given counts as much as what is
        scores[rows] += cal(x, 1 - p, labelled, 1 - q)
    return by_score(pool, scores, n, rng)
