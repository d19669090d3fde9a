"""Agreement on marked spans: pairwise F1, which is what kappa tends to where nearly everything is unmarked (Hripcsak &
Rothschild 2005)."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..intervals import percentile, resampled_sums
from ..matching import HALF, overlaps
from ..types import Agreement, Floats, Span


def span_f1(
    marked: Sequence[Sequence[Sequence[Span] | None]],
    *,
    n_classes: int,
    partial: bool = False,
    rng: np.random.Generator | None = None,
) -> Agreement:
    """F1 over all pairs of raters of an item, pooled. marked[i][r]: what rater r marked in text i, None if not read.

    Strict asks for the same borders and label; partial gives half for the same label on overlapping borders. Texts in
    which nobody marked anything agree, but weigh nothing.
    """
    counts = np.array([_counts(item, n_classes, partial) for item in marked], dtype=np.float64)
    read = np.array([sum(one is not None for one in item) for item in marked], dtype=np.int64)
    shared = counts[read >= 2] if len(counts) else counts
    ratings = int(read[read >= 2].sum())
    if not len(shared) or not shared[:, :, 1].any():
        return Agreement("span_f1", None, None, len(shared), ratings)
    sums = shared.sum(axis=0)  # (k, 2)
    drawn = resampled_sums(shared.sum(axis=1), rng or np.random.default_rng(0))
    values = drawn[drawn[:, 1] > 0]
    per_class = tuple(float(hit / size) if size else None for hit, size in sums)
    total = sums.sum(axis=0)
    return Agreement(
        "span_f1",
        float(total[0] / total[1]),
        percentile(values[:, 0] / values[:, 1]),
        len(shared),
        ratings,
        per_class,
    )


def _counts(item: Sequence[Sequence[Span] | None], n_classes: int, partial: bool) -> Floats:
    """(k, 2) over the pairs of raters: twice the credit, and the spans of both."""
    out = np.zeros((n_classes, 2))
    sets = [set(one) for one in item if one is not None]
    for a, b in combinations(sets, 2):
        for span in a & b:
            out[span.label, 0] += 2
        for span in [*a, *b]:
            out[span.label, 1] += 1
        for span, _ in overlaps(a, b) if partial else ():
            out[span.label, 0] += 2 * HALF
    return out
