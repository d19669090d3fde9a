"""What a head may read: dense vectors, sparse n-grams, or both side by side.

Scores run classes down and items across, so that a maximum or a sum over the classes of an item runs along memory.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, issparse, vstack

from ..types import Floats

Scores = NDArray[np.float32]  # (k, n)


@dataclass(frozen=True, slots=True)
class Both:
    """Vectors (n, d) and n-grams (n, m) of the same texts: d + m features, the vectors first."""

    dense: Floats
    sparse: csr_matrix

    @property
    def shape(self) -> tuple[int, int]:
        n, d = self.dense.shape
        return n, d + self.sparse.shape[1]

    def __getitem__(self, rows: Any) -> "Both":
        return Both(self.dense[rows], self.sparse[rows])


Features: TypeAlias = Floats | csr_matrix | Both


def joined(a: Features, b: Features) -> Features:
    """The rows of both, one below the other. (n, d), (m, d) -> (n + m, d)."""
    if isinstance(a, Both) and isinstance(b, Both):
        return Both(np.concatenate([a.dense, b.dense]), vstack([a.sparse, b.sparse], format="csr"))
    if issparse(a):
        return vstack([a, b], format="csr")
    return np.concatenate([np.asarray(a, dtype=np.float32), np.asarray(b, dtype=np.float32)])


def scores(x: Features, weights: NDArray[np.float32]) -> Scores:
    """(n, d) features times (k, d) weights to (k, n)."""
    if isinstance(x, Both):
        d = x.dense.shape[1]
        return scores(x.dense, weights[:, :d]) + scores(x.sparse, weights[:, d:])
    if issparse(x):
        return np.ascontiguousarray((x @ weights.T).T, dtype=np.float32)
    return cast(Scores, weights @ np.asarray(x, dtype=np.float32).T)


class Design:
    """The products that fitting needs, with an intercept as last column; prepared once, asked a hundred times."""

    def __init__(self, x: Features) -> None:
        self.n, self.width = x.shape[0], x.shape[1] + 1
        dense = x.dense if isinstance(x, Both) else None if issparse(x) else cast(Floats, x)
        ones = np.ones((self.n, 1), dtype=np.float32)
        self._rows = ones if dense is None else np.hstack([np.asarray(dense, dtype=np.float32), ones])
        self._columns = np.ascontiguousarray(self._rows.T)
        sparse = x.sparse if isinstance(x, Both) else x if issparse(x) else None
        self._sparse = None if sparse is None else cast(Any, sparse).astype(np.float32)
        self._turned = None if self._sparse is None else self._sparse.T.tocsr()
        self._split = self._rows.shape[1] - 1  # the n-grams stand between the vectors and the intercept

    def scores(self, w: NDArray[np.float32], out: Scores) -> None:
        """(k, width) unknowns to (k, n)."""
        if self._sparse is None:
            np.matmul(w, self._columns, out=out)
            return
        np.matmul(w[:, self._outer()], self._columns, out=out)
        out += (self._sparse @ np.ascontiguousarray(w[:, self._split : -1].T)).T

    def pull(self, p: Scores) -> NDArray[np.float32]:
        """(k, n) residuals to the (k, width) gradient of their loss."""
        own: NDArray[np.float32] = p @ self._rows
        if self._turned is None:
            return own
        grams = (self._turned @ np.ascontiguousarray(p.T)).T
        return np.hstack([own[:, : self._split], grams, own[:, -1:]])

    def _outer(self) -> NDArray[np.int64]:
        return np.append(np.arange(self._split), self.width - 1)


def seen(x: Features) -> NDArray[np.int64] | None:
    """Columns that occur at all, when some n-grams do not; None for dense vectors, whose columns all do.

    The penalty leaves the weight of a column that never occurs at zero, so it need not be searched for.
    """
    if isinstance(x, Both):
        d = x.dense.shape[1]
        return np.concatenate([np.arange(d), d + _occurring(x.sparse)])
    return _occurring(x) if issparse(x) else None


def narrowed(x: Features, columns: NDArray[np.int64] | None) -> Features:
    """Only these columns; the vectors of `Both` always stay."""
    if columns is None:
        return x
    if isinstance(x, Both):
        d = x.dense.shape[1]
        return Both(x.dense, x.sparse[:, columns[d:] - d])
    return x[:, columns]


def _occurring(sparse: Any) -> NDArray[np.int64]:
    return np.unique(sparse.indices).astype(np.int64)
