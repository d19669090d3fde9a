"""Phrases that are on the rise: in how many texts they occur now, against before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc

from ..types import Floats
from . import terms

LEAST = 4  # recent texts with the phrase
FDR = 0.05
PRIOR = 500.0  # texts' worth of the two windows together


@dataclass(frozen=True, slots=True)
class Rising:
    text: str
    recent: int  # texts
    before: int
    times: float  # its share now over its share before, smoothed
    z: float


def rising(before: Sequence[str], recent: Sequence[str], *, most: int = 20) -> list[Rising]:
    """What is told apart from chance at a false discovery rate of 5 % (Benjamini & Hochberg 1995), strongest first.

    Tested by the log-likelihood ratio (Dunning 1993), ordered by the weighted log-odds with an informative Dirichlet
    prior (Monroe, Colaresi & Quinn 2008), which does not fall for the rare.
    """
    if not before or not recent:
        return []
    new, old = terms.counts(recent), terms.counts(before)
    candidates = sorted(term for term, count in new.items() if count >= LEAST)
    if not candidates:
        return []
    a = np.array([new[term] for term in candidates], dtype=np.float64)
    b = np.array([old[term] for term in candidates], dtype=np.float64)
    up = a / len(recent) > b / len(before)
    p = np.where(up, chdtrc(1, g_squared(a, len(recent), b, len(before))) / 2, 1.0)
    found = np.flatnonzero(discoveries(p))
    z = _z(a, len(recent), b, len(before))
    times = ((a + 0.5) / (len(recent) + 1)) / ((b + 0.5) / (len(before) + 1))
    ranked = [candidates[at] for at in found[np.argsort(-z[found], kind="stable")]]
    place = {term: at for at, term in enumerate(candidates)}
    return [
        Rising(term, new[term], old[term], float(times[place[term]]), float(z[place[term]]))
        for term in terms.without_parts(ranked, new, most)
    ]


def g_squared(a: Floats, n: int, b: Floats, m: int) -> Floats:
    """Dunning's statistic of (t,) phrases in `a` of n and `b` of m texts; chi-square with one degree of freedom."""
    share = (a + b) / (n + m)
    parts = [(a, n * share), (n - a, n * (1 - share)), (b, m * share), (m - b, m * (1 - share))]
    with np.errstate(divide="ignore", invalid="ignore"):
        terms_of = [np.where(seen > 0, seen * np.log(seen / np.maximum(due, 1e-12)), 0.0) for seen, due in parts]
    total: Floats = np.sum(terms_of, axis=0)
    return 2 * total


def discoveries(p: Floats, rate: float = FDR) -> np.ndarray:
    """(t,) bool: the Benjamini-Hochberg selection."""
    order = np.argsort(p)
    passed = np.flatnonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))
    chosen = np.zeros(len(p), dtype=bool)
    if len(passed):
        chosen[order[: passed[-1] + 1]] = True
    return chosen


def _z(a: Floats, n: int, b: Floats, m: int) -> Floats:
    prior = PRIOR * (a + b) / (n + m)
    rest = PRIOR - prior
    log_odds = np.log((a + prior) / (n - a + rest)) - np.log((b + prior) / (m - b + rest))
    z: Floats = log_odds / np.sqrt(1 / (a + prior) + 1 / (b + prior))
    return z
