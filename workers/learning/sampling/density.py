"""Information density (Settles & Craven 2008): an unsure item counts as much as there are others like it."""

import numpy as np

from ..types import Floats
from .batch import by_score
from .pool import Pool, Rng, Rows

CHUNK = 16_384


def density(vectors: Floats) -> Floats:
    """Mean cosine of each item to all others, (N, d) to (N,). Unit rows: it is the cosine to the mean vector."""
    pieces = [np.asarray(vectors[at], dtype=np.float32) for at in _chunks(len(vectors))]
    if not pieces:
        return np.empty(0, dtype=np.float32)
    mean = sum(piece.sum(axis=0) for piece in pieces) / len(vectors)
    return np.concatenate([piece @ mean for piece in pieces])


def density_margin(pool: Pool, n: int, rng: Rng) -> Rows:
    """Margin times density, with an exponent of one."""
    scores = pool.unsure_of(np.arange(len(pool))) * np.maximum(density(pool.vectors), 1e-3)
    return by_score(pool, scores, n, rng)


def _chunks(n: int) -> list[Rows]:
    return [np.arange(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]
