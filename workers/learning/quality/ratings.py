"""Ratings as a table: items down, raters across, NaN where somebody did not rate."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Ints, LearningError


def table(items: Ints, raters: Ints, values: Floats | Ints) -> tuple[NDArray[np.float64], Ints, Ints]:
    """One rating per entry of three equally long columns to ((n, m) table, item ids (n,), rater ids (m,)), ascending.

    Where one person rated an item twice the last rating counts.
    """
    item_ids, row = np.unique(items, return_inverse=True)
    rater_ids, column = np.unique(raters, return_inverse=True)
    out = np.full((len(item_ids), len(rater_ids)), np.nan)
    out[row, column] = values
    return out, item_ids, rater_ids


def count(ratings: Floats, n_classes: int | None = None) -> tuple[NDArray[np.float64], Floats]:
    """(n, m) ratings to ((n, k) how often each value was given, the k values ascending); with n_classes
    the values are 0..n_classes-1 whether they occur or not."""
    ratings = np.asarray(ratings, dtype=np.float64)
    if ratings.ndim != 2:
        raise LearningError("Ratings must form a table with items down and raters across.")
    rows, columns = np.nonzero(~np.isnan(ratings))
    given = ratings[rows, columns]
    if n_classes is None:
        values, code = np.unique(given, return_inverse=True)
    else:
        values, code = np.arange(n_classes, dtype=np.float64), given.astype(np.int64)
        if len(code) and (code.min() < 0 or code.max() >= n_classes or (code != given).any()):
            raise LearningError("A rating lies outside the label order.")
    k = len(values)
    flat = np.bincount(rows * k + code, minlength=len(ratings) * k)
    return flat.reshape(len(ratings), k).astype(np.float64), values


def patterns(counts: Floats) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Different rows of (n, k) counts and how many items share each: few with few raters, so resampling is cheap."""
    small = np.ascontiguousarray(counts, dtype=np.uint8 if counts.max(initial=0) < 256 else np.int64)
    whole = small.view(np.dtype((np.void, small.dtype.itemsize * small.shape[1]))).ravel()
    _, first, n = np.unique(whole, return_index=True, return_counts=True)
    return counts[first].astype(np.float64), n.astype(np.int64)


def resampled(n: Sequence[int] | Ints, rng: np.random.Generator, draws: int) -> NDArray[np.float64]:
    """(p,) items per pattern to (draws, p): how many of each come up when all items are drawn with replacement."""
    n = np.asarray(n)
    return rng.multinomial(int(n.sum()), n / n.sum(), size=draws).astype(np.float64)
