"""Learning from what a teacher says (Hinton, Vinyals, Dean 2015): targets, their loss, and a linear head on it.

A text with a label costs alpha · T² · CE(teacher / T, student / T) + (1 − alpha) · CE(label, student); one without
costs the first term alone, in full. For several labels a text, every label is a small problem of its own.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

from ..heads.lbfgs import minimise
from ..types import Floats

MAX_ITER = 200
TOLERANCE = 1e-4
LEAST = 1e-7  # a probability below this says no more than this


@dataclass(frozen=True, slots=True)
class Targets:
    """What n texts should be answered with."""

    soft: NDArray[np.float32]  # (n, k): the teacher's probabilities at the temperature
    hard: NDArray[np.float32]  # (n, k): zeros and ones; zeros alone where nobody gave a label
    labelled: NDArray[np.bool_]  # (n,)
    temperature: float
    alpha: float  # weight of the teacher where there is a label
    multi: bool

    def weights(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(of the teacher's part, of the label's part), (n, 1) each."""
        teacher = np.where(self.labelled, self.alpha, 1.0).astype(np.float32)[:, None]
        return teacher, 1 - teacher


def softened(probabilities: Floats, temperature: float, *, multi: bool) -> NDArray[np.float32]:
    """(n, k) probabilities as they would be with logits divided by the temperature."""
    p = np.clip(probabilities.astype(np.float64), LEAST, 1 - LEAST)
    soft: Floats = (
        expit((np.log(p) - np.log1p(-p)) / temperature) if multi else softmax(np.log(p) / temperature, axis=1)
    )
    return soft.astype(np.float32)


def fit_head(x: Floats, targets: Targets, *, c: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(k, d) weights and (k,) biases of the linear head on (n, d) vectors that follows the targets best, with
    ½‖W‖²/c as penalty (scikit-learn's parametrisation, biases free). Deterministic."""
    mean = x.mean(axis=0)
    z = np.hstack([np.asarray(x, dtype=np.float32) - mean, np.ones((len(x), 1), dtype=np.float32)])
    k, width, n = targets.soft.shape[1], z.shape[1], len(x)
    penalty = np.full(width, 1 / c, dtype=np.float32)
    penalty[-1] = 0

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(k, width).astype(np.float32)
        value, slope = _loss(z @ w.T, targets)
        pull = w * penalty
        gradient = slope.T @ z + pull
        return (value + 0.5 * float((pull * w).sum(dtype=np.float64))) / n, gradient.ravel().astype(np.float64) / n

    found = minimise(loss, np.zeros(k * width), tolerance=TOLERANCE, max_iter=MAX_ITER).x
    solution = found.reshape(k, width).astype(np.float32)
    weights = solution[:, :-1]
    return np.ascontiguousarray(weights), solution[:, -1] - weights @ mean.astype(np.float32)


def _loss(logits: NDArray[np.float32], targets: Targets) -> tuple[float, NDArray[np.float32]]:
    """Sum over the texts, and its gradient (n, k)."""
    t = targets.temperature
    teacher, label = targets.weights()
    soft, soft_slope = _entropy(logits / t, targets.soft, targets.multi)
    hard, hard_slope = _entropy(logits, targets.hard, targets.multi)
    value = float((teacher * t * t * soft).sum(dtype=np.float64) + (label * hard).sum(dtype=np.float64))
    return value, teacher * t * soft_slope + label * hard_slope


def _entropy(
    logits: NDArray[np.float32], target: NDArray[np.float32], multi: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cross-entropy of each entry (n, k) and its gradient by the logits. Rows without a target are weighed with 0."""
    if multi:
        return np.logaddexp(0, logits) - target * logits, expit(logits) - target
    log_p = log_softmax(logits, axis=1)
    return -target * log_p, np.exp(log_p) - target
