"""One label per text: accuracy, F1 per class and over all, confusion, calibration."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import BOOTSTRAPS, of_macro, wilson
from ..types import ClassMetrics, Floats, Interval, Ints, LearningError, Metrics
from .calibration import brier_score, ece_null, expected_calibration_error, negative_log_likelihood, reliability

NOTHING = "There is no labelled hold-out item to evaluate on yet."


def evaluate(
    truth: Ints,
    predicted: Ints | None = None,
    probabilities: Floats | None = None,
    *,
    n_classes: int,
    rng: np.random.Generator | None = None,
) -> Metrics:
    """All metrics of one model on n items. Give predictions (n,), probabilities (n, k) or both.

    Calibration figures need probabilities. Raises LearningError for an empty set.
    """
    truth = np.asarray(truth, dtype=np.int64)
    if len(truth) == 0:
        raise LearningError(NOTHING)
    if predicted is None:
        if probabilities is None:
            raise LearningError("Neither predictions nor probabilities were given.")
        predicted = probabilities.argmax(axis=1)
    rng = rng or np.random.default_rng(0)
    table = confusion(truth, np.asarray(predicted, dtype=np.int64), n_classes)
    right = int(np.trace(table))
    return Metrics(
        n=len(truth),
        accuracy=right / len(truth),
        accuracy_interval=wilson(right, len(truth)),
        macro_f1=macro_f1(table),
        macro_f1_interval=_macro_f1_interval(table, rng),
        per_class=per_class(table),
        confusion=tuple(tuple(int(v) for v in row) for row in table),
        **({} if probabilities is None else _calibration(truth, np.asarray(probabilities), rng)),
    )


def confusion(truth: Ints, predicted: Ints, n_classes: int) -> NDArray[np.int64]:
    """(k, k) counts, truth down and prediction across."""
    flat = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


def per_class(table: Ints) -> tuple[ClassMetrics, ...]:
    return class_metrics(np.diag(table), table.sum(axis=0), table.sum(axis=1))


def class_metrics(hit: Floats | Ints, given: Floats | Ints, wanted: Floats | Ints) -> tuple[ClassMetrics, ...]:
    """Precision, recall and F1 of k classes from (k,) counts; 0 where there is nothing to divide by."""
    hit = np.asarray(hit, dtype=np.float64)
    precision, recall = hit / np.maximum(given, 1), hit / np.maximum(wanted, 1)
    f1 = 2 * hit / np.maximum(given + wanted, 1)
    rows = zip(precision.tolist(), recall.tolist(), f1.tolist(), wanted.tolist(), strict=True)
    return tuple(ClassMetrics(p, r, f, int(support)) for p, r, f, support in rows)


def macro_f1(table: Ints) -> float:
    """Mean F1 over the classes that occur in the truth; a class nobody labelled cannot pull it down."""
    return float(mean_f1(np.diag(table), table.sum(axis=0), table.sum(axis=1)))


def mean_f1(hit: Floats | Ints, given: Floats | Ints, wanted: Floats | Ints) -> Floats:
    """(…, k) counts to (…): the mean over the classes that occur in the truth."""
    f1 = 2 * np.asarray(hit, dtype=np.float64) / np.maximum(given + wanted, 1)
    occurs = np.asarray(wanted) > 0
    score: Floats = (f1 * occurs).sum(axis=-1) / np.maximum(occurs.sum(axis=-1), 1)
    return score


def _macro_f1_interval(table: NDArray[np.int64], rng: np.random.Generator) -> Interval:
    """Bootstrap. Resampling items is drawing the confusion table from a multinomial."""
    n, k = int(table.sum()), len(table)
    cells = np.flatnonzero(table)
    draws = rng.multinomial(n, table.ravel()[cells] / n, size=BOOTSTRAPS).astype(np.float64)
    row, column = np.eye(k)[cells // k], np.eye(k)[cells % k]
    drawn = mean_f1(draws @ (row * column), draws @ column, draws @ row)
    return of_macro(drawn, macro_f1(table), table.sum(axis=1))


def _calibration(truth: Ints, p: Floats, rng: np.random.Generator) -> dict[str, Any]:
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    return {
        "ece": expected_calibration_error(confidence, right),
        "ece_null": ece_null(confidence, rng),
        "nll": negative_log_likelihood(p, truth),
        "brier": brier_score(p, truth),
        "reliability": reliability(confidence, right),
    }
