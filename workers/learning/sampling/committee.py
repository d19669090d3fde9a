"""Disagreement between models: what one model does not know, apart from what nobody can."""

import numpy as np

from ..types import Floats
from .batch import by_score
from .pool import Pool, Rng, Rows, fitted

MEMBERS = 5
MEMBER_ITERATIONS = 40  # members only have to disagree where the data does
SCORED = 20_000  # larger pools are subsampled


def bald(members: Floats) -> Floats:
    """Mutual information between an item's class and the model (Houlsby et al. 2011; Gal et al. 2017), in nats.

    (m, N, k) probabilities of m members to (N,): the entropy of their mean minus the mean of their entropies. Members
    may be heads on bootstraps of the labels or passes of one network with dropout left on (MC-dropout).
    """
    mean = members.mean(axis=0)
    each = np.mean([_entropy(p) for p in members], axis=0)
    information: Floats = np.maximum(_entropy(mean) - each, 0)
    return information


def bald_multilabel(members: Floats) -> Floats:
    """The same summed over independent labels: (m, N, k) probabilities of each label to (N,)."""
    information = sum(bald(np.stack([members[..., j], 1 - members[..., j]], axis=-1)) for j in range(members.shape[2]))
    return np.asarray(information)


def bootstrap(pool: Pool, rows: Rows, rng: Rng) -> Floats:
    """(members, len(rows), k): heads on draws with replacement from the labels (bagging, Breiman 1996)."""
    x = pool.dense(rows)
    out = np.empty((MEMBERS, len(rows), pool.n_classes), dtype=np.float32)
    for member in out:
        drawn = rng.integers(0, len(pool.labelled), len(pool.labelled))
        head = fitted(pool.labelled[drawn], pool.classes[drawn], pool.n_classes, max_iter=MEMBER_ITERATIONS)
        member[:] = head.probabilities(x)
    return out


def committee(pool: Pool, n: int, rng: Rng) -> Rows:
    rows = pool.some(max(SCORED, n), rng)
    members = bootstrap(pool, rows, rng)
    scores = np.full(len(pool), -1.0)
    scores[rows] = bald_multilabel(members) if pool.several else bald(members)
    return by_score(pool, scores, n, rng)


def _entropy(p: Floats) -> Floats:
    p = np.maximum(p, 1e-12)
    nats: Floats = -(p * np.log(p)).sum(axis=-1)
    return nats
