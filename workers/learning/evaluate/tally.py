"""Per-item counts that every task shares: earned credit, answers given, answers wanted.

With these three columns the micro-averaged F1 is 2 Σ credit / Σ (given + wanted) whatever the task; with one label per
text it is the accuracy. Intervals, slices and verdicts all rest on this one form.
"""

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, Ints

Tally = NDArray[np.float64]  # (n, 3)


def tally(truth: Ints, predicted: Ints) -> Tally:
    """One label per text: (n,), (n,) -> (n, 3)."""
    out = np.ones((len(truth), 3))
    out[:, 0] = np.asarray(truth) == np.asarray(predicted)
    return out


def tally_multi(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> Tally:
    """Any number of labels per text: (n, k), (n, k) -> (n, 3)."""
    both = (truth & predicted).sum(axis=1)
    return np.stack([both, predicted.sum(axis=1), truth.sum(axis=1)], axis=1).astype(np.float64)


def micro_f1(counts: Floats) -> Floats:
    """(…, 3) sums to F1; nothing given and nothing wanted counts as 1, because nothing is wrong."""
    both = np.asarray(counts[..., 1] + counts[..., 2], dtype=np.float64)
    score: Floats = np.where(both > 0, 2 * counts[..., 0] / np.where(both > 0, both, 1), 1.0)
    return score


def influence(counts: Tally) -> tuple[float, Floats]:
    """(F1, how much each item pulls it (n,)): the linearised ratio, whose mean is 0 and whose variance / n is F1's."""
    score = float(micro_f1(counts.sum(axis=0)))
    size = float((counts[:, 1] + counts[:, 2]).mean()) or 1.0
    return score, (2 * counts[:, 0] - score * (counts[:, 1] + counts[:, 2])) / size
