"""How far people agree beyond chance. Every coefficient carries a bootstrap interval over items and, where it has one,
a value per class; none loops over items.

Krippendorff's alpha is the default: it takes missing ratings, any number of raters and ordered values. Cohen's kappa is
for two raters, Fleiss' for a fixed number of interchangeable ones. As with accuracy, agreement on items that sampling
chose is lower than on a random sample.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..intervals import BOOTSTRAPS, percentile
from ..types import Agreement, Floats, Interval, LearningError
from .ratings import count, patterns, resampled

Level = Literal["nominal", "ordinal", "interval"]
Weights = Literal["linear", "quadratic"]


def krippendorff_alpha(
    ratings: Floats,
    *,
    level: Level = "nominal",
    n_classes: int | None = None,
    rng: np.random.Generator | None = None,
) -> Agreement:
    """Krippendorff's alpha (2011) of (n, m) ratings, NaN where missing. Items rated once say nothing and are left out.

    per_class (nominal only): each value against the rest, over 0..n_classes-1 or the values that occur.
    """
    counts, values = count(ratings, n_classes)
    shared = counts[counts.sum(axis=1) >= 2]
    if not len(shared):
        return Agreement("alpha", None, None, 0, 0)
    kinds, n = patterns(shared)
    value = _alpha(kinds, n[None].astype(np.float64), level, values)[0]
    drawn = _alpha(kinds, resampled(n, rng or np.random.default_rng(0), BOOTSTRAPS), level, values)
    per_class = _alpha_per_class(kinds, n) if level == "nominal" else ()
    return Agreement("alpha", _known(value), _interval(drawn, value), len(shared), int(shared.sum()), per_class)


def _alpha(kinds: Floats, weights: Floats, level: Level, values: Floats) -> Floats:
    """(p, k) patterns, (draws, p) items of each -> (draws,). Uses Σ δ over pairs in closed form: for squared distances
    it is m Σ v² − (Σ v)², and the ordinal distance is the squared distance between mid-ranks."""
    raters = kinds.sum(axis=1)
    given = weights @ kinds  # (draws, k) how often each value was given
    total = given.sum(axis=1)
    if level == "nominal":
        observed = weights @ ((raters**2 - (kinds**2).sum(axis=1)) / (raters - 1))
        expected = total**2 - (given**2).sum(axis=1)
    else:
        place = given.cumsum(axis=1) - given / 2 if level == "ordinal" else np.broadcast_to(values, given.shape)
        place = place - (given * place).sum(axis=1, keepdims=True) / total[:, None]  # centred: no digits are lost
        pairs = 2 * ((place**2 @ kinds.T) * raters - (place @ kinds.T) ** 2)
        observed = (weights * pairs) @ (1 / (raters - 1))
        expected = 2 * (total * (given * place**2).sum(axis=1) - (given * place).sum(axis=1) ** 2)
    return _one_minus(observed / total, expected / (total * (total - 1)))


def _alpha_per_class(kinds: Floats, n: NDArray[np.int64]) -> tuple[float | None, ...]:
    raters = kinds.sum(axis=1)
    given, total = n @ kinds, float(n @ raters)
    observed = n @ (2 * kinds * (raters[:, None] - kinds) / (raters[:, None] - 1)) / total
    expected = 2 * given * (total - given) / (total * (total - 1))
    return tuple(_known(v) for v in _one_minus(observed, expected))


def fleiss_kappa(ratings: Floats, *, n_classes: int | None = None, rng: np.random.Generator | None = None) -> Agreement:
    """Fleiss' kappa (1971) of (n, m) ratings; every item needs the same number of them, by whomever.

    Raises LearningError otherwise: alpha takes missing ratings.
    """
    counts, _ = count(ratings, n_classes)
    counts = counts[counts.sum(axis=1) > 0]
    if not len(counts):
        return Agreement("fleiss_kappa", None, None, 0, 0)
    raters = float(counts[0].sum())
    if raters < 2 or (counts.sum(axis=1) != raters).any():
        raise LearningError("Fleiss' kappa needs the same number of ratings, two or more, on every item; use alpha.")
    kinds, n = patterns(counts)

    def kappa(weights: Floats) -> Floats:
        agreed = weights @ (((kinds**2).sum(axis=1) - raters) / (raters * (raters - 1))) / weights.sum(axis=1)
        share = weights @ kinds / (weights.sum(axis=1, keepdims=True) * raters)
        chance = (share**2).sum(axis=1)
        return _one_minus(1 - agreed, 1 - chance)

    value = kappa(n[None].astype(np.float64))[0]
    drawn = kappa(resampled(n, rng or np.random.default_rng(0), BOOTSTRAPS))
    share = n @ kinds / (n.sum() * raters)
    apart = n @ (kinds * (raters - kinds)) / (n.sum() * raters * (raters - 1))
    per_class = tuple(_known(v) for v in _one_minus(apart, share * (1 - share)))
    return Agreement("fleiss_kappa", _known(value), _interval(drawn, value), len(counts), int(counts.sum()), per_class)


def cohen_kappa(
    a: Floats,
    b: Floats,
    *,
    n_classes: int,
    weights: Weights | None = None,
    rng: np.random.Generator | None = None,
) -> Agreement:
    """Cohen's kappa (1960; weighted 1968) of two raters, both (n,) classes, NaN where missing.

    Weights count a disagreement by the distance of the classes in the label order, or by its square.
    """
    both = ~(np.isnan(a) | np.isnan(b))
    n = int(both.sum())
    if not n:
        return Agreement("cohen_kappa", None, None, 0, 0)
    one, two = np.asarray(a)[both].astype(np.int64), np.asarray(b)[both].astype(np.int64)
    k = n_classes
    if min(one.min(), two.min()) < 0 or max(one.max(), two.max()) >= k:
        raise LearningError("A rating lies outside the label order.")
    cells, seen = np.unique(one * k + two, return_counts=True)
    distance = np.abs(np.arange(k)[:, None] - np.arange(k)).astype(np.float64)
    cost = {None: (distance > 0).astype(np.float64), "linear": distance, "quadratic": distance**2}[weights]

    def kappa(drawn: Floats) -> Floats:
        """(draws, c) items per cell -> (draws,)"""
        rows, columns = drawn @ np.eye(k)[cells // k], drawn @ np.eye(k)[cells % k]
        observed = drawn @ cost.ravel()[cells] / n
        expected = ((rows @ cost) * columns).sum(axis=1) / n**2
        return _one_minus(observed, expected)

    value = kappa(seen[None].astype(np.float64))[0]
    drawn = kappa(resampled(seen, rng or np.random.default_rng(0), BOOTSTRAPS))
    share_a, share_b = np.bincount(one, minlength=k) / n, np.bincount(two, minlength=k) / n
    joint = np.bincount(one[one == two], minlength=k) / n
    apart = share_a + share_b - 2 * joint  # one says it, the other does not
    chance = share_a + share_b - 2 * share_a * share_b
    per_class = tuple(_known(v) for v in _one_minus(apart, chance))
    return Agreement("cohen_kappa", _known(value), _interval(drawn, value), n, 2 * n, per_class)


def _one_minus(observed: Floats, expected: Floats) -> Floats:
    """1 − observed / expected disagreement; NaN where chance could not have disagreed."""
    possible = np.asarray(expected) > 1e-12
    out: Floats = np.where(possible, 1 - observed / np.where(possible, expected, 1), np.nan)
    return out


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _interval(drawn: Floats, value: float) -> Interval | None:
    drawn = drawn[~np.isnan(drawn)]
    return None if np.isnan(value) or not len(drawn) else percentile(drawn)
