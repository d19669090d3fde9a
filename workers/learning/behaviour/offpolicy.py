"""What another policy would have earned, from the log of the one that ran.

Self-normalised inverse propensity scoring (Swaminathan & Joachims, "The Self-Normalized Estimator for Counterfactual
Learning", NeurIPS 2015) with weights clipped at √n times their mean (Ionides, "Truncated Importance Sampling", JCGS
2008). The effective sample size is Kish's (Σw)² / Σw². The mean of the unclipped weights is 1 where the log covers what
the other policy does; far from it the estimate speaks of other texts than those that were asked, and is refused.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..intervals import percentile, resampled_sums
from ..types import Floats, Interval, Ints, LearningError

LEAST_SIZE = 100.0  # effective rows below which no figure is given
MOST_UNSUPPORTED = 0.05  # of the rows: the log could not show there what the other policy shows
WEIGHT_MEAN = (0.8, 1.25)
MOST_CUT = 0.2  # of the weight that clipping may take away
BINS = 500  # groups are thrown together at random beyond; resampling that many costs the same at any size


@dataclass(frozen=True, slots=True)
class Estimate:
    value: float  # mean reward under the other policy
    interval: Interval  # 95 %, percentile bootstrap over groups
    size: float  # effective sample size
    rows: int
    logged: float  # mean reward of what was really shown
    clip: float  # the largest weight that counts in full
    clipped: int  # rows with a larger one


def estimate(
    rewards: Floats,
    logged: Floats,
    target: Floats,
    *,
    rng: np.random.Generator,
    groups: Ints | None = None,
) -> Estimate:
    """(n,) rewards of what was shown; (n,) the probabilities with which exactly that was shown, NaN where nobody knows;
    (n,) the probabilities with which the other policy would have shown it; (n,) `groups`, equal where rows are one
    person's.

    LearningError, in words, where the log cannot answer: no propensities, nothing but one certain choice, too little
    overlap.
    """
    rewards, logged, target = (np.asarray(values, dtype=np.float64) for values in (rewards, logged, target))
    _refuse_unknown(logged)
    _refuse_unsupported(logged, target)
    weights = target / logged
    _refuse_far(weights)
    clip = float(np.sqrt(len(weights)) * max(weights.mean(), 1e-12))
    kept = np.minimum(weights, clip)
    if 1 - kept.sum() / weights.sum() > MOST_CUT:
        raise LearningError(
            "A few answers that were hardly ever shown would decide everything here. Let more answers be explored, or "
            "wait for more of them."
        )
    size = float(kept.sum() ** 2 / (kept**2).sum())
    if size < LEAST_SIZE:
        raise LearningError(
            f"The log is worth only {size:.0f} answers for this question; {LEAST_SIZE:.0f} are needed. Wait for more "
            "answers, or let more of them be explored."
        )
    sums = _per_group(np.column_stack([kept * rewards, kept]), groups, rng)
    drawn = resampled_sums(sums, rng)
    held = drawn[:, 1] > 0
    return Estimate(
        value=float((kept * rewards).sum() / kept.sum()),
        interval=percentile(drawn[held, 0] / drawn[held, 1]),
        size=size,
        rows=len(rewards),
        logged=float(rewards.mean()),
        clip=clip,
        clipped=int((weights > clip).sum()),
    )


def _refuse_unknown(logged: NDArray[np.float64]) -> None:
    if not len(logged):
        raise LearningError("Nothing that was shown has been logged yet.")
    unknown = int(np.isnan(logged).sum())
    if unknown:
        raise LearningError(
            f"For {unknown} of {len(logged)} answers nobody knows how probable it was that they were shown: without "
            "propensities there is no such estimate."
        )
    if (logged <= 0).any() or (logged > 1).any():
        raise LearningError("A logged propensity lies outside 0 to 1.")


def _refuse_unsupported(logged: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    certain = logged >= 1
    unsupported = certain & (target < 1)
    if certain.all() and unsupported.any():
        raise LearningError(
            "Every answer was shown for certain, so the log says nothing about other answers. Let a small share of "
            "answers be explored in the serving settings; then ask again."
        )
    if unsupported.mean() > MOST_UNSUPPORTED:
        raise LearningError(
            f"For {unsupported.mean():.0%} of the answers something else could never have been shown. Let a small "
            "share of answers be explored in the serving settings; then ask again."
        )


def _refuse_far(weights: NDArray[np.float64]) -> None:
    low, high = WEIGHT_MEAN
    mean = float(weights.mean())
    if not low <= mean <= high:
        raise LearningError(
            f"What the other policy shows is hardly in the log (the weights have mean {mean:.2f} instead of 1). Let "
            "more answers be explored, or wait for more of them."
        )


def _per_group(rows: NDArray[np.float64], groups: Ints | None, rng: np.random.Generator) -> NDArray[np.float64]:
    """(n, m) to (g, m) sums: people, not rows, are what a resample draws."""
    code = np.arange(len(rows)) if groups is None else np.unique(groups, return_inverse=True)[1]
    n = int(code.max()) + 1
    if n > BINS:
        code, n = rng.permutation(n)[code] % BINS, BINS
    return np.column_stack([np.bincount(code, weights=column, minlength=n) for column in rows.T])
