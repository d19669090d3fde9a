"""Multinomial logistic regression: what is refitted after every few labels. numpy and scipy only.

Minimises  c · Σ w · log-loss + ½‖W‖²  (scikit-learn's parametrisation, intercept not penalised) by L-BFGS.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Ints, LearningError
from .features import Design, Features
from .frame import Frame, class_weights
from .head import Head
from .lbfgs import minimise

ABSENT_GAP = 6.0  # how far below every logit seen in training a class without examples is put, in nats
MAX_ITER = 200
TOLERANCE = 1e-4  # on the largest entry of the mean gradient; below it accuracy moves by less than 0.1 point

Balance = Literal["balanced"] | NDArray[np.float32] | None


def fit(
    x: Features,
    y: Ints,
    *,
    n_classes: int,
    c: float = 30.0,
    balance: Balance = None,
    warm: Head | None = None,
    max_iter: int = MAX_ITER,
) -> Head:
    """Fit (n, d) features with classes y in 0..n_classes-1. Deterministic.

    `balance` weighs the loss: "balanced" gives every class the same say, (k,) factors are taken as they are. A class
    without examples gets no direction and a bias below everything seen, never NaN. `warm` is where the search starts,
    not a prior: the optimum is the same. Raises LearningError without a single example.
    """
    y = np.asarray(y, dtype=np.int64)
    if not len(y):
        raise LearningError("There is no labelled item to learn from yet.")
    if y.min() < 0 or y.max() >= n_classes:
        raise LearningError("A label lies outside the label order.")
    present, target = np.unique(y, return_inverse=True)
    if len(present) == 1:
        return _only(int(present[0]), n_classes, x.shape[1])
    frame = Frame(x)
    start = frame.start(len(present))
    if warm is not None and warm.weights.shape == (n_classes, x.shape[1]):
        start = frame.start_at(warm.weights[present], warm.bias[present])
    factors = class_weights(y, n_classes, balance)
    solution = _minimise(
        frame.design, target, None if factors is None else factors[y], c=c, start=start, max_iter=max_iter
    )
    logits = np.empty((len(present), len(y)), dtype=np.float32)
    frame.design.scores(solution, logits)
    weights, bias = frame.back(solution)
    # an absent class sits below the whole training set wherever the mean lies, because it has no direction
    return _spread_out(weights, bias, present, n_classes, float(logits.min()) - ABSENT_GAP)


def _minimise(
    design: Design, y: Ints, weight: Floats | None, *, c: float, start: NDArray[np.float64], max_iter: int
) -> NDArray[np.float32]:
    """Unknowns (k, width): a row of weights and an intercept per class."""
    n, (k, width) = design.n, start.shape
    penalty = np.full(width, 1 / c, dtype=np.float32)
    penalty[-1] = 0
    items = np.arange(n)
    p = np.empty((k, n), dtype=np.float32)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(k, width).astype(np.float32)
        design.scores(w, p)
        np.subtract(p, p.max(axis=0), out=p)
        right = p[y, items]
        np.exp(p, out=p)
        total = p.sum(axis=0)
        np.divide(p, total, out=p)
        p[y, items] -= 1
        each = np.log(total.astype(np.float64)) - right
        if weight is not None:
            each *= weight
            np.multiply(p, weight, out=p)
        pull = w * penalty
        value = each.sum() + 0.5 * (pull * w).sum(dtype=np.float64)
        slope = design.pull(p)
        slope += pull
        return float(value) / n, slope.ravel().astype(np.float64) / n

    found = minimise(loss, start.ravel(), tolerance=TOLERANCE, max_iter=max_iter)
    return found.x.reshape(k, width).astype(np.float32)


def _spread_out(weights: Floats, bias: Floats, present: Ints, n_classes: int, low: float) -> Head:
    all_weights = np.zeros((n_classes, weights.shape[1]), dtype=np.float32)
    all_bias = np.full(n_classes, low, dtype=np.float32)
    all_weights[present] = weights
    all_bias[present] = bias
    return Head(all_weights, all_bias)


def _only(label: int, n_classes: int, d: int) -> Head:
    bias = np.full(n_classes, -ABSENT_GAP, dtype=np.float32)
    bias[label] = 0
    return Head(np.zeros((n_classes, d), dtype=np.float32), bias)
