"""Uncertainty where an item carries several labels: each label is a question of its own. (N, k) in, (N,) out."""

from collections.abc import Callable

import numpy as np

from ..types import Floats
from .batch import by_score
from .pool import Pool, Rng, Rows

CHUNK = 65_536


def mean_uncertainty(probabilities: Floats) -> Floats:
    """Mean over the labels of 1 − |2p − 1|: how many labels the model wavers on."""
    return _each(probabilities, lambda unsure: unsure.mean(axis=1))


def most_uncertain_label(probabilities: Floats) -> Floats:
    """1 − |2p − 1| of the label nearest to ½ (MaxUncertainty, binary minimum; Esuli & Sebastiani 2009)."""
    return _each(probabilities, lambda unsure: unsure.max(axis=1))


def by_mean(pool: Pool, n: int, rng: Rng) -> Rows:
    return by_score(pool, mean_uncertainty(pool.every()), n, rng)


def by_most_uncertain(pool: Pool, n: int, rng: Rng) -> Rows:
    return by_score(pool, most_uncertain_label(pool.every()), n, rng)


def _each(probabilities: Floats, reduce: Callable[[Floats], Floats]) -> Floats:
    out = np.empty(len(probabilities), dtype=np.float32)
    for start in range(0, len(probabilities), CHUNK):
        part = slice(start, start + CHUNK)
        out[part] = reduce(1 - np.abs(2 * np.asarray(probabilities[part], dtype=np.float32) - 1))
    return out
