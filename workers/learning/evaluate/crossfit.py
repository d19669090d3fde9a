"""Estimate on some items, judge on others, and let every item serve both ways in turn."""

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, LearningError

Rows = NDArray[np.int64]
T = TypeVar("T")


def cross_fit(
    estimate: Callable[[Rows], T],
    apply: Callable[[T, Rows], Floats],
    n: int,
    *,
    folds: int = 5,
    rng: np.random.Generator,
) -> Floats:
    """What `apply` gives for n items, each with an estimate that never saw it.

    For a hold-out that must yield a temperature or thresholds as well as the score: `estimate(rows)` finds them on all
    folds but one, `apply(found, rows)` answers for the fold left out. The score then flatters nobody; the value to ship
    is the estimate over all rows. Raises LearningError when there are fewer items than two folds need.
    """
    if n < 2:
        raise LearningError("At least two labelled hold-out items are needed to tune and judge on different ones.")
    fold = rng.permutation(n) % min(folds, n)
    out: Floats | None = None
    for f in range(min(folds, n)):
        inside, outside = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        answered = np.asarray(apply(estimate(inside), outside))
        if out is None:
            out = np.empty((n, *answered.shape[1:]), dtype=answered.dtype)
        out[outside] = answered
    assert out is not None  # noqa: S101 - n ≥ 2 means at least one fold
    return out
