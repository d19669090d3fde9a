"""Whether a model's confidence can be believed, measured against what chance alone would show at this n."""

import numpy as np
from numpy.typing import NDArray

from ..intervals import wilson
from ..types import Floats, Ints, LabelCalibration, ReliabilityBin

BINS = 15  # of confidence, as in Guo et al. 2017
NULL_DRAWS = 200
EPS = 1e-12

Right = NDArray[np.bool_]


def expected_calibration_error(confidence: Floats, right: Right) -> float:
    """Weighted gap between confidence and accuracy over equal-width bins (n,), (n,) -> 0..1."""
    gap = np.bincount(_bins(confidence), weights=confidence - right, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def ece_null(confidence: Floats, rng: np.random.Generator) -> float:
    """The ECE that a perfectly calibrated model with these confidences shows on average: 3 points at n = 400."""
    draws = [
        expected_calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(NULL_DRAWS)
    ]
    return float(np.mean(draws))


def negative_log_likelihood(probabilities: Floats, truth: Ints) -> float:
    """Mean over (n, k) probabilities of −log of the true class, in nats."""
    given = np.asarray(probabilities)[np.arange(len(truth)), truth]
    return float(-np.log(np.maximum(given, EPS)).mean())


def brier_score(probabilities: Floats, truth: Ints) -> float:
    """Mean squared distance of (n, k) probabilities to the truth (Brier 1950): 0 is perfect, 2 the worst."""
    p = np.asarray(probabilities, dtype=np.float64)
    return float(((p**2).sum(axis=1) - 2 * p[np.arange(len(truth)), truth] + 1).mean())


def reliability(confidence: Floats, right: Right, *, bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """For a picture: accuracy over confidence (n,), (n,) in equal-width bins, empty ones left out."""
    place = _bins(confidence, bins)
    n = np.bincount(place, minlength=bins)
    sure = np.bincount(place, weights=confidence, minlength=bins)
    hits = np.bincount(place, weights=right, minlength=bins)
    return tuple(
        ReliabilityBin(
            low=b / bins,
            high=(b + 1) / bins,
            n=int(n[b]),
            confidence=float(sure[b] / n[b]),
            accuracy=float(hits[b] / n[b]),
            interval=wilson(float(hits[b]), int(n[b])),
        )
        for b in np.flatnonzero(n)
    )


def per_label(probabilities: Floats, truth: Right, rng: np.random.Generator) -> tuple[LabelCalibration, ...]:
    """ECE, its null and the Brier score of each of k independent labels, (n, k) and (n, k)."""
    p = np.asarray(probabilities, dtype=np.float64)
    n, k = p.shape
    place = _bins(p) + BINS * np.arange(k)

    def error(right: Right) -> Floats:
        gap = np.bincount(place.ravel(), weights=(p - right).ravel(), minlength=BINS * k)
        found: Floats = np.abs(gap).reshape(k, BINS).sum(axis=1) / n
        return found

    seen = error(truth)
    null = np.mean([error(rng.random((n, k)) < p) for _ in range(NULL_DRAWS)], axis=0)
    brier = ((p - truth) ** 2).mean(axis=0)
    return tuple(LabelCalibration(float(seen[i]), float(null[i]), float(brier[i])) for i in range(k))


def _bins(confidence: Floats, bins: int = BINS) -> NDArray[np.int64]:
    return np.minimum((np.asarray(confidence) * bins).astype(np.int64), bins - 1)
