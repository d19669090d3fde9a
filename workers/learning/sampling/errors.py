"""Label errors first: items that carry a label nobody has checked and that the model disputes."""

import numpy as np

from ..types import Floats, Ints
from .batch import by_score
from .pool import Pool, Rng, Rows


def disputed(probabilities: Floats, labels: Ints) -> Floats:
    """One minus the normalised margin of the given label (Northcutt et al. 2021): (N, k), (N,) to (N,) in 0..1.

    The model must not have learnt from these labels.
    """
    p = np.array(probabilities, dtype=np.float32)
    items = np.arange(len(p))
    own = p[items, labels]
    p[items, labels] = -np.inf
    score: Floats = 1 - (own - np.maximum(p.max(axis=1), 0) + 1) / 2
    return score


def label_errors(pool: Pool, n: int, rng: Rng) -> Rows:
    """Disputed labels first, the most disputed at the top; then items without a label, the most unsure first."""
    unsure = pool.unsure_of(np.arange(len(pool)))
    if pool.doubted is None or pool.several:
        return by_score(pool, unsure, n, rng)
    carries = np.flatnonzero(pool.doubted >= 0)
    scores = unsure - 2  # below every label, the undisputed ones too
    scores[carries] = disputed(pool.probabilities(carries), pool.doubted[carries])
    return by_score(pool, scores, n, rng)
