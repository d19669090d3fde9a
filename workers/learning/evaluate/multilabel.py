"""Any number of labels per text: F1 over decisions and labels, exact match, ranking, calibration of each label."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..intervals import of_macro, percentile, resampled_sums, wilson
from ..types import Floats, LearningError, MultiMetrics
from .calibration import EPS, ece_null, expected_calibration_error, per_label, reliability
from .metrics import NOTHING, class_metrics, mean_f1
from .tally import micro_f1

Labels = NDArray[np.bool_]  # (n, k)


def evaluate_multi(
    truth: Labels,
    probabilities: Floats | None = None,
    thresholds: Floats | float = 0.5,
    *,
    predicted: Labels | None = None,
    rng: np.random.Generator | None = None,
) -> MultiMetrics:
    """All metrics of one model on n texts and k labels. Give probabilities (n, k), predictions (n, k) or both.

    A label is predicted where its probability reaches its threshold (a number, or one per label). Thresholds must come
    from other items than these; see `cross_fit`. Raises LearningError for an empty set.
    """
    truth = np.asarray(truth, dtype=bool)
    if len(truth) == 0:
        raise LearningError(NOTHING)
    if predicted is None:
        if probabilities is None:
            raise LearningError("Neither predictions nor probabilities were given.")
        predicted = np.asarray(probabilities) >= thresholds
    rng = rng or np.random.default_rng(0)
    predicted = np.asarray(predicted, dtype=bool)
    hit = truth & predicted
    n, k = truth.shape
    draws = resampled_sums(np.hstack([hit, predicted, truth]), rng).reshape(-1, 3, k)
    sums = np.stack([hit.sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0)])
    total = sums.sum(axis=1)
    macro = float(mean_f1(*sums))
    exact = int((truth == predicted).all(axis=1).sum())
    return MultiMetrics(
        n=n,
        micro_f1=float(micro_f1(total)),
        micro_f1_interval=percentile(micro_f1(draws.sum(axis=2))),
        micro_precision=float(total[0] / max(total[1], 1)),
        micro_recall=float(total[0] / max(total[2], 1)),
        macro_f1=macro,
        macro_f1_interval=of_macro(mean_f1(draws[:, 0], draws[:, 1], draws[:, 2]), macro, sums[2]),
        exact_match=exact / n,
        exact_match_interval=wilson(exact, n),
        hamming=float((truth != predicted).mean()),
        per_class=class_metrics(*sums),
        **({} if probabilities is None else _of_probabilities(truth, np.asarray(probabilities), rng)),
    )


def _of_probabilities(truth: Labels, p: Floats, rng: np.random.Generator) -> dict[str, Any]:
    p = p.astype(np.float64)
    flat, right = p.ravel(), truth.ravel()
    given = np.maximum(np.where(truth, p, 1 - p), EPS)
    return {
        "ranking_precision": ranking_precision(truth, p),
        "ece": expected_calibration_error(flat, right),
        "ece_null": ece_null(flat, rng),
        "nll": float(-np.log(given).mean()),
        "brier": float(((p - truth) ** 2).mean()),
        "calibration": per_label(p, truth, rng),
        "reliability": reliability(flat, right),
    }


def ranking_precision(truth: Labels, scores: Floats) -> float:
    """Label ranking average precision (Schapire & Singer 2000): the mean over a text's true labels of the share of true
    ones among those ranked at least as high. Texts with no label, or with all of them, count as 1."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranked, sorted_truth = np.take_along_axis(scores, order, 1), np.take_along_axis(truth, order, 1)
    n, k = truth.shape
    # ties share the worst rank of their group: the next place at which the score falls
    falls = np.hstack([ranked[:, :-1] > ranked[:, 1:], np.ones((n, 1), dtype=bool)])
    places = np.where(falls, np.arange(k), k)
    last = np.minimum.accumulate(places[:, ::-1], axis=1)[:, ::-1]
    hits = np.take_along_axis(np.cumsum(sorted_truth, axis=1), last, 1)
    wanted = truth.sum(axis=1)
    score = (sorted_truth * hits / (last + 1)).sum(axis=1) / np.maximum(wanted, 1)
    return float(np.where((wanted == 0) | (wanted == k), 1.0, score).mean())
