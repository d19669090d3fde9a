"""Several labels for one text: an independent logistic regression for each, found together.

Minimises  c · Σ w · log-loss + ½‖W‖²  over all labels by L-BFGS (binary relevance). Thresholds are cross-fitted.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..types import Floats, LearningError
from .calibration import fit_multi_temperature, out_of_fold
from .features import Design, Features
from .frame import Frame
from .head import MultiHead
from .lbfgs import minimise
from .multinomial import ABSENT_GAP, MAX_ITER, TOLERANCE

Truth = NDArray[np.bool_]  # (n, k)

FEW = 20  # positives at which a label's own best threshold and the common one have the same say


def fit_multi(
    x: Features,
    y: Truth,
    *,
    c: float = 30.0,
    balance: str | None = None,
    warm: MultiHead | None = None,
    max_iter: int = MAX_ITER,
) -> MultiHead:
    """Fit (n, d) features with truths (n, k); rows without any label count. Thresholds are ½ until they are tuned.

    "balanced" gives the texts with a label and those without it the same say. A label that all texts or none carry is
    predicted so everywhere. Deterministic. Raises LearningError without a single example.
    """
    y = np.asarray(y, dtype=bool)
    n, k = y.shape
    if not n:
        raise LearningError("There is no labelled item to learn from yet.")
    positive = y.sum(axis=0)
    learnable = np.flatnonzero((positive > 0) & (positive < n))
    weights = np.zeros((k, x.shape[1]), dtype=np.float32)
    bias = np.where(positive > 0, ABSENT_GAP, -ABSENT_GAP).astype(np.float32)
    if len(learnable):
        frame = Frame(x)
        start = frame.start(len(learnable))
        if warm is not None and warm.weights.shape == weights.shape:
            start = frame.start_at(warm.weights[learnable], warm.bias[learnable])
        target = np.ascontiguousarray(y[:, learnable].T)
        factors = _balanced(target) if balance == "balanced" else None
        weights[learnable], bias[learnable] = frame.back(
            _minimise(frame.design, target, factors, c=c, start=start, max_iter=max_iter)
        )
    return MultiHead(weights, bias, np.full(k, 0.5, dtype=np.float32))


def tuned(
    head: MultiHead,
    x: Features,
    y: Truth,
    *,
    c: float = 30.0,
    balance: str | None = None,
    folds: int = 5,
    rng: np.random.Generator,
) -> MultiHead:
    """The head with a temperature and thresholds that were cross-fitted on its own training set (n, d), (n, k)."""
    y = np.asarray(y, dtype=bool)
    if len(y) < 2 * folds:
        return head
    logits, _ = out_of_fold(
        x, y, lambda x, y: fit_multi(x, y, c=c, balance=balance), n_classes=y.shape[1], folds=folds, rng=rng
    )
    t = fit_multi_temperature(logits, y)
    return MultiHead(head.weights, head.bias, thresholds(expit(logits / t), y), t)


def thresholds(probabilities: Floats, y: Truth) -> NDArray[np.float32]:
    """(k,) thresholds on out-of-fold probabilities (n, k) that maximise each label's F1 (Lipton et al. 2014).

    The best threshold of a label with few positives is mostly noise: it is drawn towards the one threshold that
    maximises micro-F1 over all labels.
    """
    common = _best_f1(probabilities.ravel(), y.ravel())
    found = np.full(y.shape[1], common, dtype=np.float32)
    for j, positive in enumerate(y.sum(axis=0)):
        if positive:
            own = _best_f1(probabilities[:, j], y[:, j])
            found[j] = (positive * own + FEW * common) / (positive + FEW)
    return found


def _best_f1(p: Floats, y: NDArray[np.bool_]) -> float:
    """The middle of the gap between the two probabilities where calling all above it positive gives the best F1."""
    if not y.any():
        return 0.5
    order = np.argsort(-p, kind="stable")
    ranked = p[order]
    hits = np.cumsum(y[order])
    f1 = 2 * hits / (np.arange(1, len(p) + 1) + y.sum())
    f1[:-1][ranked[:-1] == ranked[1:]] = -1  # a threshold cannot part what is equal
    best = int(f1.argmax())
    below = ranked[best + 1] if best + 1 < len(p) else 0.0
    return float((ranked[best] + below) / 2)


def _balanced(target: Truth) -> NDArray[np.float32]:
    """(k, n) factors on the loss: half of the weight to either side of every label."""
    n = target.shape[1]
    positive = target.sum(axis=1, keepdims=True)
    factors: NDArray[np.float32] = np.where(target, n / (2 * positive), n / (2 * (n - positive))).astype(np.float32)
    return factors


def _minimise(
    design: Design,
    y: Truth,
    factors: NDArray[np.float32] | None,
    *,
    c: float,
    start: NDArray[np.float64],
    max_iter: int,
) -> NDArray[np.float32]:
    """Unknowns (k, width); truths and factors (k, n)."""
    n, (k, width) = design.n, start.shape
    penalty = np.full(width, 1 / c, dtype=np.float32)
    penalty[-1] = 0
    logits = np.empty((k, n), dtype=np.float32)
    sign = np.where(y, np.float32(-1), np.float32(1))

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(k, width).astype(np.float32)
        design.scores(w, logits)
        against = sign * logits
        each = np.logaddexp(np.float32(0), against)
        residual = sign * expit(against)
        if factors is not None:
            each *= factors
            residual *= factors
        pull = w * penalty
        value = each.sum(dtype=np.float64) + 0.5 * (pull * w).sum(dtype=np.float64)
        slope = design.pull(residual)
        slope += pull
        return float(value) / n, slope.ravel().astype(np.float64) / n

    found = minimise(loss, start.ravel(), tolerance=TOLERANCE, max_iter=max_iter)
    return found.x.reshape(k, width).astype(np.float32)
