"""The coordinates in which a head is searched for, and the way back.

Vectors are centred, which frees the intercept from the common direction of all texts. Scaling the axes by a curvature
bound was measured too: it needs more steps at c = 30, not fewer.
"""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from ..types import Floats, Ints
from .features import Both, Design, Features, narrowed, seen

Weights = NDArray[np.float32]


class Frame:
    """Features (n, d) as fitting sees them: `design` has one column for every unknown but the intercept."""

    def __init__(self, x: Features) -> None:
        self._full = x.shape[1]
        self._columns = seen(x)
        x = narrowed(x, self._columns)
        self._basis: Weights | None = None
        if issparse(x):  # centring would fill it
            self._mean = np.zeros(x.shape[1], dtype=np.float32)
            self.design = Design(x)
            return
        dense = np.asarray(x.dense if isinstance(x, Both) else x, dtype=np.float32)
        mean = dense.mean(axis=0)
        centred = dense - mean
        if isinstance(x, Both):
            self._mean = np.concatenate([mean, np.zeros(x.shape[1] - len(mean), dtype=np.float32)])
            self.design = Design(Both(centred, x.sparse))
            return
        self._mean, self._basis = mean, _basis(centred)
        self.design = Design(centred if self._basis is None else centred @ self._basis)

    def start(self, k: int) -> NDArray[np.float64]:
        return np.zeros((k, self.design.width))

    def start_at(self, weights: Weights, bias: Weights) -> NDArray[np.float64]:
        """What a warm head (k, d) says in these coordinates; a class new to it begins at the average of the others."""
        start = self.start(len(bias))
        inside = weights if self._columns is None else weights[:, self._columns]
        start[:, :-1] = inside if self._basis is None else inside @ self._basis
        known = np.abs(weights).sum(axis=1) > 0
        if known.any():
            start[known, -1] = (bias + inside @ self._mean)[known]
            start[~known, -1] = start[known, -1].mean()
        return start

    def back(self, solution: NDArray[np.float32]) -> tuple[Weights, Weights]:
        """(k, width) unknowns to weights (k, d) and bias (k,) for features as they came."""
        weights, bias = solution[:, :-1], solution[:, -1]
        if self._basis is not None:
            weights = weights @ self._basis.T
        bias = bias - weights @ self._mean
        if self._columns is not None:
            full = np.zeros((len(weights), self._full), dtype=np.float32)
            full[:, self._columns] = weights
            weights = full
        return weights, bias


def _basis(x: Floats) -> Weights | None:
    """Orthonormal (d, n) basis of the span when there are fewer examples than dimensions.

    The penalty keeps the optimum inside the span, so the smaller problem has the same solution.
    """
    if len(x) >= x.shape[1] * 0.9:
        return None
    return cast(Weights, np.linalg.qr(x.T)[0])


def class_weights(y: Ints, n_classes: int, balance: Any) -> NDArray[np.float32] | None:
    """(k,) factors on the loss of each class. "balanced" gives every class that occurs the same total, n / classes;
    an array is taken as it is; None counts every example alike."""
    if balance is None or isinstance(balance, np.ndarray):
        return balance
    counts = np.bincount(y, minlength=n_classes)
    present = counts > 0
    factors = np.zeros(n_classes, dtype=np.float32)
    factors[present] = len(y) / (present.sum() * counts[present])
    return factors
