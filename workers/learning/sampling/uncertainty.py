"""How unsure a model is, from its probabilities alone. Large means unsure; (N, k) in, (N,) out."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..types import Floats
from .batch import by_score
from .pool import Pool, Rng, Rows

CHUNK = 16_384  # rows scored at once


def least_confidence(probabilities: Floats) -> Floats:
    """One minus the likeliest label's probability (Lewis & Gale 1994)."""
    out = np.empty(len(probabilities), dtype=np.float32)
    for part, p in _turned(probabilities):
        out[part] = 1 - p.max(axis=0)
    return out


def margin(probabilities: Floats) -> Floats:
    """One minus the gap between the two likeliest labels (breaking ties, Scheffer et al. 2001)."""
    out = np.empty(len(probabilities), dtype=np.float32)
    for part, p in _turned(probabilities):
        top = p.max(axis=0)
        if len(p) == 1:
            out[part] = 1 - top
            continue
        p[p.argmax(axis=0), np.arange(p.shape[1])] = -1
        out[part] = 1 - (top - p.max(axis=0))
    return out


def entropy(probabilities: Floats) -> Floats:
    """Shannon entropy in nats (Dagan & Engelson 1995)."""
    out = np.empty(len(probabilities), dtype=np.float32)
    for part, p in _turned(probabilities):
        np.maximum(p, 1e-12, out=p)
        out[part] = -(p * np.log(p)).sum(axis=0)
    return out


def _turned(probabilities: Floats) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Pieces of (N, k) as copies (k, chunk): classes down, so that a maximum over them runs along memory, at ten times
    the speed of a partition per row."""
    for start in range(0, len(probabilities), CHUNK):
        part = slice(start, start + CHUNK)
        yield part, np.array(probabilities[part].T, dtype=np.float32, order="C")


def least_confident(pool: Pool, n: int, rng: Rng) -> Rows:
    return by_score(pool, least_confidence(pool.every()), n, rng)


def smallest_margin(pool: Pool, n: int, rng: Rng) -> Rows:
    """On what the caller measured: a million margins cost less to keep than their probabilities."""
    return by_score(pool, pool.unsure_of(np.arange(len(pool))), n, rng)


def most_entropy(pool: Pool, n: int, rng: Rng) -> Rows:
    return by_score(pool, entropy(pool.every()), n, rng)
