"""Heads on targets that are distributions and examples that weigh: clicks out of showings, corrections by users.

The same function is minimised as in multinomial.py and multilabel.py, with −Σ target · log p in the place of the log of
one class. Those stay as they are: what has plain labels is fitted there, bit for bit as before.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..types import Floats, LearningError
from .calibration import best_temperature
from .features import Design, Features, scores
from .frame import Frame
from .head import Head, MultiHead
from .lbfgs import Vector, minimise
from .multinomial import ABSENT_GAP, MAX_ITER, TOLERANCE

NOTHING = 1e-9  # total mass below which a class has no example
TRUSTS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # c that `trust` chooses from

Loss = Callable[[NDArray[np.float32]], tuple[float, NDArray[np.float32]]]  # of logits (k, n): sum and its slope


def fit_soft(
    x: Features, target: Floats, *, weight: Floats | None = None, c: float = 30.0, max_iter: int = MAX_ITER
) -> Head:
    """Minimise c · Σ weight · cross-entropy(target, p) + ½‖W‖² on (n, d) features and (n, k) rows that sum to one.

    With rows that are certain and equal weights it finds what `fit` finds. A class without any mass is ruled out as
    there. Deterministic. Raises LearningError without a single example that weighs.
    """
    target, weight = _checked(target, weight)
    keep = weight > 0
    if not keep.all():
        x, target, weight = x[np.flatnonzero(keep)], target[keep], weight[keep]
    n, k = target.shape
    present = np.flatnonzero(target.T @ weight > NOTHING)
    out_weights = np.zeros((k, x.shape[1]), dtype=np.float32)
    out_bias = np.full(k, -ABSENT_GAP, dtype=np.float32)
    if len(present) == 1:
        out_bias[present] = 0
        return Head(out_weights, out_bias)
    frame = Frame(x)
    aim = np.ascontiguousarray(target[:, present].T)
    solution = _walk(frame, len(present), _cross_entropy(aim, weight), c=c, max_iter=max_iter)
    logits = np.empty((len(present), n), dtype=np.float32)
    frame.design.scores(solution, logits)
    out_bias[:] = logits.min() - ABSENT_GAP
    out_weights[present], out_bias[present] = frame.back(solution)
    return Head(out_weights, out_bias)


def fit_multi_soft(
    x: Features, target: Floats, *, weight: Floats | None = None, c: float = 30.0, max_iter: int = MAX_ITER
) -> MultiHead:
    """The same for k independent labels: (n, k) probabilities that each one fits. Thresholds are ½."""
    target, weight = _checked(target, weight)
    k = target.shape[1]
    share = (target.T @ weight) / weight.sum()
    learnable = np.flatnonzero((share > NOTHING) & (share < 1 - NOTHING))
    weights = np.zeros((k, x.shape[1]), dtype=np.float32)
    bias = np.where(share > 0.5, ABSENT_GAP, -ABSENT_GAP).astype(np.float32)
    if len(learnable):
        frame = Frame(x)
        aim = np.ascontiguousarray(target[:, learnable].T)
        solution = _walk(frame, len(learnable), _binary(aim, weight), c=c, max_iter=max_iter)
        weights[learnable], bias[learnable] = frame.back(solution)
    return MultiHead(weights, bias, np.full(k, 0.5, dtype=np.float32))


def trust(
    x: Features,
    target: Floats,
    weight: Floats,
    *,
    among: Sequence[float] = TRUSTS,
    folds: int = 5,
    rng: np.random.Generator,
) -> tuple[float, NDArray[np.float64]]:
    """The c with the lowest cross-fitted loss, and the out-of-fold logits (n, k) under it.

    What is right for labels that people gave on purpose (c = 30) believes far too much of a few clicks. (The smallest
    c within one standard error of the best was tried: it gave away nearly all that clicks on 500 items could tell.)
    """
    target, weight = _checked(target, weight)
    n = len(target)
    fold = rng.permutation(n) % min(folds, n)
    logits = {c: np.zeros(target.shape) for c in among}
    for f in range(int(fold.max()) + 1):
        outside, inside = np.flatnonzero(fold == f), np.flatnonzero(fold != f)
        if not len(inside):
            continue
        for c in among:
            head = fit_soft(x[inside], target[inside], weight=weight[inside], c=c)
            logits[c][outside] = scores(x[outside], head.weights).T + head.bias
    best = min(among, key=lambda c: float(weight @ cross_entropy(logits[c], target)))
    return best, logits[best]


def temperature(logits: Floats, target: Floats, weight: Floats) -> float:
    """The T in [0.2, 5] that minimises the weighted cross-entropy of softmax(logits / T), shrunk when n < 100."""
    logits, weight = np.asarray(logits, dtype=np.float64), np.asarray(weight, dtype=np.float64)
    return best_temperature(lambda t: float(weight @ cross_entropy(logits / t, target) / weight.sum()), len(logits))


def cross_entropy(logits: Floats, target: Floats) -> NDArray[np.float64]:
    """(n,) in nats, of (n, k) logits against (n, k) targets."""
    from scipy.special import log_softmax

    found: NDArray[np.float64] = -(target * log_softmax(np.asarray(logits, dtype=np.float64), axis=1)).sum(axis=1)
    return found


def _checked(target: Floats, weight: Floats | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    target = np.asarray(target, dtype=np.float32)
    weight = np.ones(len(target), dtype=np.float32) if weight is None else np.asarray(weight, dtype=np.float32)
    if not len(target) or not (weight > 0).any():
        raise LearningError("There is no labelled item to learn from yet.")
    if (weight < 0).any() or (target < 0).any() or not (np.isfinite(weight).all() and np.isfinite(target).all()):
        raise LearningError("The weights and targets of examples are numbers from 0 on.")
    return target, weight


def _walk(frame: Frame, k: int, loss: Loss, *, c: float, max_iter: int) -> NDArray[np.float32]:
    """Unknowns (k, width): a row of weights and an intercept per class."""
    design: Design = frame.design
    n, start = design.n, frame.start(k)
    penalty = np.full(start.shape[1], 1 / c, dtype=np.float32)
    penalty[-1] = 0
    logits = np.empty((k, n), dtype=np.float32)

    def function(flat: Vector) -> tuple[float, Vector]:
        w = flat.reshape(start.shape).astype(np.float32)
        design.scores(w, logits)
        total, residual = loss(logits)
        pull = w * penalty
        slope = design.pull(residual) + pull
        return (total + 0.5 * float((pull * w).sum(dtype=np.float64))) / n, slope.ravel().astype(np.float64) / n

    found = minimise(function, start.ravel(), tolerance=TOLERANCE, max_iter=max_iter)
    return found.x.reshape(start.shape).astype(np.float32)


def _cross_entropy(aim: NDArray[np.float32], weight: NDArray[np.float32]) -> Loss:
    mass = aim.sum(axis=0)

    def loss(logits: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        p = logits - logits.max(axis=0)
        hit = (aim * p).sum(axis=0)
        np.exp(p, out=p)
        total = p.sum(axis=0)
        each = mass * np.log(total.astype(np.float64)) - hit
        p *= mass / total
        p -= aim
        p *= weight
        return float((each * weight).sum()), p

    return loss


def _binary(aim: NDArray[np.float32], weight: NDArray[np.float32]) -> Loss:
    def loss(logits: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        each = np.logaddexp(np.float32(0), logits) - aim * logits
        residual: NDArray[np.float32] = (expit(logits) - aim) * weight
        return float((each * weight).sum(dtype=np.float64)), residual

    return loss
