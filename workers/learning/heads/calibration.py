"""How far a head's probabilities may be believed, learnt from out-of-fold logits: no hold-out label is spent on it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Ints
from .features import Features, scores
from .head import Head, MultiHead
from .multinomial import Balance, fit

LEAST = 10  # examples without which nothing is said about confidence
SHRINK = 100  # below so many examples log T is drawn towards 0, because few examples say little
COLDEST, WARMEST = 0.2, 5.0

AnyHead = TypeVar("AnyHead", Head, MultiHead)


def temperature(
    x: Features,
    y: Ints,
    *,
    n_classes: int,
    c: float = 30.0,
    balance: Balance = None,
    folds: int = 5,
    rng: np.random.Generator,
) -> float:
    """Temperature (Guo et al. 2017) of a head on (n, d) features and classes (n,), cross-fitted."""
    n = len(y)
    if n < LEAST or len(np.unique(y)) < 2:
        return 1.0
    y = np.asarray(y, dtype=np.int64)
    logits, learnt = out_of_fold(
        x,
        y,
        lambda x, y: fit(x, y, n_classes=n_classes, c=c, balance=balance),
        n_classes=n_classes,
        folds=folds,
        rng=rng,
    )
    # an item whose class the fold never saw says nothing about confidence
    usable = learnt[np.arange(n), y]
    if usable.sum() < LEAST:
        return 1.0
    present, target = np.unique(y, return_inverse=True)
    return fit_temperature(logits[usable][:, present], target[usable])


def out_of_fold(
    x: Features,
    y: NDArray[Any],
    fit: Callable[[Any, Any], Head | MultiHead],
    *,
    n_classes: int,
    folds: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Logits (n, k) of every example from a head that did not see it, and whether that head knew the class (n, k).

    `y` is (n,) classes or (n, k) truths; the folds are drawn by `rng`.
    """
    n = len(y)
    fold = rng.permutation(n) % folds
    logits = np.empty((n, n_classes), dtype=np.float64)
    learnt = np.zeros((n, n_classes), dtype=bool)
    for f in range(folds):
        outside = np.flatnonzero(fold == f)
        inside = np.flatnonzero(fold != f)
        head = fit(x[inside], y[inside])
        logits[outside] = scores(x[outside], head.weights).T + head.bias
        learnt[outside] = _known(y[inside], n_classes)
    return logits, learnt


def fit_temperature(logits: Floats, y: Ints) -> float:
    """The T in [0.2, 5] that minimises the log-loss of softmax(logits / T), shrunk when n < 100. (n, k), (n,).

    One imagined mistake is spread over the other classes (Platt 1999), so that a set without errors does not ask for
    certainty.
    """
    from scipy.special import logsumexp

    n, k = logits.shape
    right = logits[np.arange(n), y]
    slip = 1 / (n + 2)
    aim = (1 - slip) * right + slip * (logits.sum(axis=1) - right) / (k - 1)
    return best_temperature(lambda t: float(np.mean(logsumexp(logits / t, axis=1) - aim / t)), n)


def fit_multi_temperature(logits: Floats, truth: NDArray[np.bool_]) -> float:
    """The same for sigmoid(logits / T) over all labels at once, (n, k) each; Platt's imagined mistake is per label."""
    n = len(logits)
    positive = truth.sum(axis=0)
    aim = np.where(truth, (positive + 1) / (positive + 2), 1 / (n - positive + 2))
    return best_temperature(lambda t: float(np.mean(np.logaddexp(0, logits / t) - aim * logits / t)), n)


def best_temperature(loss: Callable[[float], float], n: int) -> float:
    from scipy.optimize import minimize_scalar

    bounds = (np.log(COLDEST), np.log(WARMEST))
    log_t = float(minimize_scalar(lambda log_t: loss(float(np.exp(log_t))), bounds=bounds, method="bounded").x)
    return float(np.exp(log_t * min(1.0, n / SHRINK)))


def _known(y: NDArray[Any], n_classes: int) -> NDArray[np.bool_]:
    if y.ndim == 2:
        return np.asarray(y.any(axis=0))
    return np.asarray(np.bincount(y, minlength=n_classes) > 0)


def calibrated(head: AnyHead, value: float) -> AnyHead:
    return replace(head, temperature=value)
