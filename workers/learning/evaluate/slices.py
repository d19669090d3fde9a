"""The headline figure per language or metadata value, with what can and cannot be said about each."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ..intervals import wilson
from ..types import Interval, LearningError, Slice
from .tally import Tally, influence

MINIMUM = 30  # items; below it the interval is wider than any difference worth reading
STANDS_OUT = 0.05  # probability that any slice of the table is marked by luck


def by_slice(counts: Tally, fields: Mapping[str, Sequence[str | None]], *, minimum: int = MINIMUM) -> tuple[Slice, ...]:
    """One row per value of each field (n values each), most items first.

    `counts` comes from `tally`, `tally_multi` or `tally_spans`. Smaller slices keep their n but no score. A slice is
    marked as standing out when its gap to all other items survives the correction of Holm (1979) over the whole table:
    among twenty slices one would look bad by luck alone.
    """
    masks: list[tuple[str, str, NDArray[np.bool_]]] = []
    for name, values in fields.items():
        if len(values) != len(counts):
            raise LearningError(f"The field {name} does not have one value per item.")
        column = np.array([value or "" for value in values], dtype=str)
        found, first, code, n = np.unique(column, return_index=True, return_inverse=True, return_counts=True)
        masks += [(name, str(found[i]), code == i) for i in np.lexsort((first, -n))]
    rows = [_slice(name, value, counts, mask, minimum) for name, value, mask in masks]
    marked = _holm([p for _, p in rows])
    return tuple(
        Slice(row.name, row.value, row.n, row.score, row.interval, row.gap, stands_out=mark)
        for (row, _), mark in zip(rows, marked, strict=True)
    )


def score_interval(counts: Tally) -> tuple[float, Interval]:
    """Micro-F1 (accuracy for one label per text) of (n, 3) counts and its 95 % interval.

    Wilson's interval at the effective n of the linearised ratio (Korn & Graubard 1998): exact for accuracy, and does
    not collapse to a point when every answer in a small slice is right.
    """
    score, pull = influence(counts)
    variance = float((pull**2).mean())
    spread = score * (1 - score)
    n = float((counts[:, 1:].sum(axis=1) > 0).sum())
    if variance > 0 and spread > 0:
        n = len(counts) * spread / variance
    return score, wilson(score * n, n)


def _slice(name: str, value: str, counts: Tally, mask: NDArray[np.bool_], minimum: int) -> tuple[Slice, float | None]:
    """The row and the two-sided p-value of its gap; no p-value where there is nothing to compare with."""
    n, rest = int(mask.sum()), int((~mask).sum())
    if n < minimum:
        return Slice(name, value, n, None, None), None
    score, interval = score_interval(counts[mask])
    if rest < minimum:
        return Slice(name, value, n, score, interval), None
    gap = score - influence(counts[~mask])[0]
    # were there no gap, all items would spread alike: the slice's own spread is small by luck when its score is high
    spread = float((influence(counts)[1] ** 2).mean()) + 1 / len(counts)
    error = np.sqrt(spread * (1 / n + 1 / rest))
    return Slice(name, value, n, score, interval, gap), float(2 * ndtr(-abs(gap) / error))


def _holm(p_values: Sequence[float | None]) -> list[bool]:
    tested = sorted((p, i) for i, p in enumerate(p_values) if p is not None)
    marked = [False] * len(p_values)
    for rank, (p, i) in enumerate(tested):
        if p > STANDS_OUT / (len(tested) - rank):
            break
        marked[i] = True
    return marked
