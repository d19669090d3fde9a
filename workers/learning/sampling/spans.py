"""Uncertainty of labelled spans, from the tag probabilities of each item's tokens, and choosing under a token budget.

Every item is one array (t, k) of probabilities over k tags; `outside` is the tag of a token in no span.
"""

from collections.abc import Sequence

import numpy as np

from ..types import Floats, Ints
from .batch import by_score
from .pool import Pool, Rng, Rows
from .uncertainty import margin

TOP = 3  # tokens whose margins count: a long sentence is not unsure because it is long


def mnlp(items: Sequence[Floats]) -> Floats:
    """Maximum normalised log-probability (Shen et al. 2018): exp of the mean log-probability of the tokens' likeliest
    tags, (N,). Large means sure; the mean keeps long sentences from looking unsure."""
    return np.array([np.exp(np.log(np.maximum(p.max(axis=1), 1e-12)).mean()) if len(p) else 1.0 for p in items])


def token_margin(items: Sequence[Floats], outside: int = 0) -> Floats:
    """One minus the mean of the TOP largest token uncertainties, (N,). Large means sure.

    A token's uncertainty is one minus its margin, times the probability that it lies in a span: otherwise the many
    tokens outside drown the few that matter.
    """
    out = np.ones(len(items))
    for i, p in enumerate(items):
        if len(p):
            unsure = margin(p) * (1 - p[:, outside])
            out[i] = 1 - np.sort(unsure)[-TOP:].mean()
    return out


def within_budget(order: Sequence[int], tokens: Ints, budget: int) -> int:
    """How many of the first items of `order` fit into a budget of tokens (N,); at least one."""
    spent = np.cumsum(np.asarray(tokens)[np.asarray(order, dtype=np.int64)])
    return max(1, int(np.searchsorted(spent, budget, side="right"))) if len(order) else 0


def least_confident_tags(pool: Pool, n: int, rng: Rng) -> Rows:
    scores = pool.unsure_of(np.arange(len(pool))) if pool.spans is None else 1 - pool.spans.confidence
    return by_score(pool, scores, n, rng)


def smallest_token_margin(pool: Pool, n: int, rng: Rng) -> Rows:
    scores = pool.unsure_of(np.arange(len(pool))) if pool.spans is None else 1 - pool.spans.margin
    return by_score(pool, scores, n, rng)
