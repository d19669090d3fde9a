"""Multinomial logistic regression on cached vectors: what is refitted after every few labels. numpy and scipy only.

Minimises  c · Σ log-loss + ½‖W‖²  (scikit-learn's parametrisation, bias not penalised) by L-BFGS on centred vectors,
which frees the bias from the common direction of all texts. Scaling the axes by a curvature bound was measured too: it
needs more steps at c = 30, not fewer.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Ints, LearningError
from .lbfgs import minimise

CHUNK = 8_192  # rows scored at once: 77 classes × 8,192 × 4 bytes stay near the cache
ABSENT_GAP = 6.0  # how far below every logit seen in training a class without examples is put, in nats
MAX_ITER = 200
TOLERANCE = 1e-4  # on the largest entry of the mean gradient; below it accuracy moves by less than 0.1 point


@dataclass(frozen=True, slots=True)
class Head:
    """softmax((x W' + bias) / temperature) over k classes in the caller's label order."""

    weights: NDArray[np.float32]  # (k, d)
    bias: NDArray[np.float32]  # (k,)
    temperature: float = 1.0

    @property
    def n_classes(self) -> int:
        return len(self.bias)

    def probabilities(self, x: Floats) -> NDArray[np.float32]:
        """(n, d) vectors, any float type, memory maps included, to (n, k) rows that sum to one."""
        weights, bias = self._scaled()
        out = np.empty((len(x), len(bias)), dtype=np.float32)
        for start in range(0, len(x), CHUNK):
            logits = out[start : start + CHUNK]
            np.matmul(np.asarray(x[start : start + CHUNK], dtype=np.float32), weights.T, out=logits)
            logits += bias
            softmax(logits)
        return out

    def glance(self, x: Floats) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]:
        """(likeliest class, its probability, margin to the second), each (n,), without ever holding (n, k)."""
        weights, bias = self._scaled()
        label = np.empty(len(x), dtype=np.int32)
        best, gap = np.empty(len(x), dtype=np.float32), np.empty(len(x), dtype=np.float32)
        for start in range(0, len(x), CHUNK):
            part = slice(start, start + CHUNK)
            # classes down, items across: every step below runs along memory
            logits = weights @ np.asarray(x[part], dtype=np.float32).T
            logits += bias[:, None]
            top = logits.max(axis=0)
            label[part] = logits.argmax(axis=0)
            logits -= top
            np.exp(logits, out=logits)
            total = logits.sum(axis=0)
            columns = np.arange(logits.shape[1])
            logits[label[part], columns] = 0.0
            second = logits.max(axis=0)
            best[part] = 1.0 / total
            gap[part] = (1.0 - second) / total
        return label, best, gap

    def to_bytes(self) -> bytes:
        from safetensors.numpy import save

        tensors = {"weights": self.weights, "bias": self.bias, "temperature": np.array([self.temperature])}
        return bytes(save(tensors))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Head":
        """Raises LearningError when the bytes are no head."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(bytes(raw))
            weights, bias = tensors["weights"], tensors["bias"]
            temperature = float(tensors["temperature"][0])
        except (SafetensorError, KeyError, IndexError) as error:
            raise LearningError("The stored head cannot be read.") from error
        if weights.ndim != 2 or bias.shape != (len(weights),) or not temperature > 0:
            raise LearningError("The stored head has the wrong shape.")
        return cls(weights, bias, temperature)

    def _scaled(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        scale = np.float32(1.0 / self.temperature)
        return self.weights * scale, self.bias * scale


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """In place over the last axis of (n, k)."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def fit(
    x: Floats, y: Ints, *, n_classes: int, c: float = 30.0, warm: Head | None = None, max_iter: int = MAX_ITER
) -> Head:
    """Fit (n, d) vectors with classes y in 0..n_classes-1. Deterministic.

    A class without examples gets no direction and a bias below everything seen, never NaN. `warm` is where the search
    starts, not a prior: the optimum is the same. Raises LearningError without a single example.
    """
    x, y = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.int64)
    if len(x) == 0:
        raise LearningError("There is no labelled item to learn from yet.")
    if y.min() < 0 or y.max() >= n_classes:
        raise LearningError("A label lies outside the label order.")
    present, target = np.unique(y, return_inverse=True)
    if len(present) == 1:
        return _only(int(present[0]), n_classes, x.shape[1])
    mean = x.mean(axis=0)
    centred = x - mean
    basis = _basis(centred)
    z = centred if basis is None else centred @ basis
    start = np.zeros((len(present), z.shape[1] + 1))
    if warm is not None and warm.weights.shape == (n_classes, x.shape[1]):
        _start_at(start, warm, present, basis, mean)
    solution = _minimise(z, target, c, start, max_iter)
    weights, bias = solution[:, :-1], solution[:, -1]
    low = float((weights @ z.T + bias[:, None]).min()) - ABSENT_GAP
    if basis is not None:
        weights = weights @ basis.T
    bias = bias - weights @ mean
    # an absent class sits below the whole training set wherever the mean lies, because it has no direction
    return _spread_out(weights, bias, present, n_classes, low)


def _basis(x: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """Orthonormal (d, n) basis of the span when there are fewer examples than dimensions.

    The penalty keeps the optimum inside the span, so the smaller problem has the same solution.
    """
    if len(x) >= x.shape[1] * 0.9:
        return None
    basis: NDArray[np.float32] = np.linalg.qr(x.T)[0]
    return basis


def _minimise(z: Floats, y: Ints, c: float, start: Floats, max_iter: int) -> Floats:
    """Unknowns (k, r + 1): a row of weights and a bias per class. Classes run down and items across, so that the
    maximum and the sum of the softmax run along memory."""
    n, (k, width) = len(z), start.shape
    z1 = np.hstack([z, np.ones((n, 1), dtype=np.float32)])
    across = np.ascontiguousarray(z1.T)
    penalty = np.full(width, 1 / c, dtype=np.float32)
    penalty[-1] = 0
    items = np.arange(n)
    p = np.empty((k, n), dtype=np.float32)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        w = flat.reshape(k, width).astype(np.float32)
        np.matmul(w, across, out=p)
        np.subtract(p, p.max(axis=0), out=p)
        right = p[y, items].sum(dtype=np.float64)
        np.exp(p, out=p)
        total = p.sum(axis=0)
        np.divide(p, total, out=p)
        p[y, items] -= 1
        pull = w * penalty
        value = np.log(total.astype(np.float64)).sum() - right + 0.5 * (pull * w).sum(dtype=np.float64)
        slope = p @ z1
        slope += pull
        return float(value) / n, slope.ravel().astype(np.float64) / n

    found = minimise(loss, start.ravel().astype(np.float64), tolerance=TOLERANCE, max_iter=max_iter)
    return found.x.reshape(k, width).astype(np.float32)


def _start_at(start: Floats, warm: Head, present: Ints, basis: Floats | None, mean: Floats) -> None:
    """Fill `start` with what the warm head says in the centred coordinates; a class new to it begins at the average."""
    weights, bias = warm.weights[present], warm.bias[present] + warm.weights[present] @ mean
    start[:, :-1] = weights if basis is None else weights @ basis
    known = np.abs(weights).sum(axis=1) > 0
    if known.any():
        start[known, -1] = bias[known]
        start[~known, -1] = bias[known].mean()


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


def temperature(
    x: Floats, y: Ints, *, n_classes: int, c: float = 30.0, folds: int = 5, rng: np.random.Generator
) -> float:
    """Temperature (Guo et al. 2017) fitted on out-of-fold logits, so no hold-out label is spent on it.

    Below 100 examples log T is shrunk towards 0, because few examples say little about confidence.
    """
    n = len(x)
    if n < 10 or len(np.unique(y)) < 2:
        return 1.0
    x, y = np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.int64)
    fold = rng.permutation(n) % folds
    logits = np.empty((n, n_classes), dtype=np.float64)
    learnt = np.zeros(n, dtype=bool)
    for f in range(folds):
        inside = fold != f
        head = fit(x[inside], y[inside], n_classes=n_classes, c=c)
        logits[~inside] = x[~inside] @ head.weights.T + head.bias
        # an item whose class the fold never saw says nothing about confidence
        learnt[~inside] = np.isin(y[~inside], y[inside])
    if learnt.sum() < 10:
        return 1.0
    present, target = np.unique(y, return_inverse=True)
    return fit_temperature(logits[learnt][:, present], target[learnt])


def fit_temperature(logits: Floats, y: Ints) -> float:
    """The T in [0.2, 5] that minimises the log-loss of softmax(logits / T), shrunk when n < 100.

    One imagined mistake is spread over the other classes (Platt 1999), so that a set without errors does not ask for
    certainty.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import logsumexp

    n, k = logits.shape
    right = logits[np.arange(n), y]
    slip = 1 / (n + 2)
    aim = (1 - slip) * right + slip * (logits.sum(axis=1) - right) / (k - 1)

    def nll(log_t: float) -> float:
        t = float(np.exp(log_t))
        return float(np.mean(logsumexp(logits / t, axis=1) - aim / t))

    log_t = float(minimize_scalar(nll, bounds=(np.log(0.2), np.log(5.0)), method="bounded").x)
    return float(np.exp(log_t * min(1.0, n / 100)))


def calibrated(head: Head, value: float) -> Head:
    return replace(head, temperature=value)
