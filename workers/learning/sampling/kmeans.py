"""Lloyd's k-means with k-means++ seeding in plain float32 matrix products. Small, deterministic given `rng`."""

import numpy as np
from numpy.typing import NDArray


def kmeans(
    x: NDArray[np.float32], k: int, rng: np.random.Generator, *, max_iter: int = 10
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, d) rows to (centres (k, d), assignment (n,)). k is cut to n; an emptied cluster keeps its old centre."""
    k = min(k, len(x))
    centres = seed(x, k, rng)
    assignment = np.full(len(x), -1, dtype=np.int64)
    for _ in range(max_iter):
        nearest = assign(x, centres)
        if np.array_equal(nearest, assignment):
            break
        assignment = nearest
        centres = means(x, assignment, centres)
    return centres, assignment


def assign(x: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index of the nearest centre for every row: the row's own length does not matter for which is nearest."""
    closeness = x @ centres.T
    closeness -= 0.5 * np.einsum("kd,kd->k", centres, centres)
    nearest: NDArray[np.int64] = closeness.argmax(axis=1)
    return nearest


def means(x: NDArray[np.float32], assignment: NDArray[np.int64], old: NDArray[np.float32]) -> NDArray[np.float32]:
    order = np.argsort(assignment, kind="stable")
    counts = np.bincount(assignment, minlength=len(old))
    filled = np.flatnonzero(counts)
    starts = np.concatenate([[0], np.cumsum(counts[filled])[:-1]])
    centres = old.copy()
    centres[filled] = np.add.reduceat(x[order], starts, axis=0) / counts[filled, None]
    return centres


def seed(x: NDArray[np.float32], k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """k-means++ (Arthur & Vassilvitskii 2007): far rows are likelier to become the next centre."""
    squared = np.einsum("nd,nd->n", x, x)
    chosen = [int(rng.integers(len(x)))]
    distance = np.full(len(x), np.inf)
    for _ in range(1, k):
        last = x[chosen[-1]]
        np.minimum(distance, squared - 2 * (x @ last) + squared[chosen[-1]], out=distance)
        np.maximum(distance, 0, out=distance)
        total = distance.sum()
        if total <= 0:  # only copies of chosen rows are left
            chosen.append(int(rng.integers(len(x))))
            continue
        chosen.append(int(min(np.searchsorted(np.cumsum(distance), rng.random() * total), len(x) - 1)))
    return x[chosen].astype(np.float32)
