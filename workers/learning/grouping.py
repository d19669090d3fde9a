"""Near-duplicates among vectors: which row says what an earlier row has said already.

Rows first join the nearest of the representatives that are there (Hartigan's leader algorithm, Clustering Algorithms,
1975, chapter 3). What is left over is grouped by exclusion spheres, the row with the most neighbours first (Taylor, J.
Chem. Inf. Comput. Sci. 1995; Butina, ibid. 1999): unlike the leader algorithm alone, the order of the rows of one call
changes nothing, and unlike single linkage no chain of small steps joins two different questions. Products are taken in
blocks, so n rows cost n² d operations and block × n numbers of memory.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .types import LearningError

Rows = NDArray[np.float32]
BLOCK = 512
TIES = 4


@dataclass(frozen=True, slots=True)
class Grouped:
    """`group[i]` < m: row i belongs to that representative; m + j: to the new group that row leaders[j] leads."""

    group: NDArray[np.int64]  # (n,)
    leaders: NDArray[np.int64]  # (k,) ascending
    similarity: NDArray[np.float32]  # (n,) cosine with what it belongs to; 1 for leaders


def group(rows: Rows, representatives: Rows, *, threshold: float, block: int = BLOCK) -> Grouped:
    """(n, d) and (m, d) unit rows, m may be 0. Deterministic."""
    _check(rows, representatives, threshold)
    place, similarity = _nearest(rows, representatives, block)
    left = np.flatnonzero(similarity < threshold)
    leaders = np.sort(left[_leaders(rows[left], threshold, block)])
    found, near = _nearest(rows[left], rows[leaders], block)
    place[left] = len(representatives) + found
    similarity[left] = near
    place[leaders] = len(representatives) + np.arange(len(leaders))
    similarity[leaders] = 1.0
    return Grouped(place, leaders, similarity)


def nearest(rows: Rows, representatives: Rows, *, block: int = BLOCK) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each of (n, d) unit rows the representative with the highest cosine, and that cosine; −1 and −1 for none."""
    return _nearest(rows, representatives, block)


def _nearest(rows: Rows, among: Rows, block: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    place = np.full(len(rows), -1, dtype=np.int64)
    similarity = np.full(len(rows), -1.0, dtype=np.float32)
    if not len(among):
        return place, similarity
    for start in range(0, len(rows), block):
        product = rows[start : start + block] @ among.T
        best = product.argmax(axis=1)
        place[start : start + block] = best
        similarity[start : start + block] = product[np.arange(len(best)), best]
    return place, similarity


def _leaders(rows: Rows, threshold: float, block: int) -> NDArray[np.int64]:
    """Rows of which no two lie within the threshold, and which together reach every row."""
    n = len(rows)
    neighbours = np.zeros(n, dtype=np.int64)
    for start in range(0, n, block):
        neighbours[start : start + block] = (rows[start : start + block] @ rows.T >= threshold).sum(axis=1)
    # equals by their first numbers: what leads is then the same whatever the order in which rows came
    order = np.lexsort((np.arange(n), *rows[:, :TIES].T, -neighbours))
    free = np.ones(n, dtype=bool)
    chosen: list[int] = []
    alone = neighbours <= 1  # nobody near: leads itself, and takes nobody's place
    chosen += np.flatnonzero(alone).tolist()
    free[alone] = False
    waiting = order[free[order]]
    for start in range(0, len(waiting), block):
        candidates = waiting[start : start + block]
        candidates = candidates[free[candidates]]
        near = rows[candidates] @ rows.T >= threshold
        for row, reached in zip(candidates.tolist(), near, strict=True):
            if free[row]:
                chosen.append(row)
                free &= ~reached
                free[row] = False
    return np.array(chosen, dtype=np.int64)


def _check(rows: Rows, representatives: Rows, threshold: float) -> None:
    if (
        rows.ndim != 2
        or representatives.ndim != 2
        or (len(representatives) and rows.shape[1] != representatives.shape[1])
    ):
        raise LearningError("Vectors of different encoders cannot be compared: compute them anew with one encoder.")
    if not 0 < threshold <= 1:
        raise LearningError("The cosine from which two texts count as the same lies above 0 and at most at 1.")
    if not np.isfinite(rows).all():
        raise LearningError("A vector holds numbers that are not finite: compute the vectors anew.")
