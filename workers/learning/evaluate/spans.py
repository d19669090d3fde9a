"""Marked spans: entity-level F1, strict as seqeval counts it, and partial as SemEval 2013 (task 9) does."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..intervals import of_macro, of_micro, resampled_sums, wilson
from ..matching import HALF, overlaps
from ..types import LearningError, Span, SpanMetrics
from .metrics import NOTHING, class_metrics, mean_f1
from .tally import Tally, micro_f1

SpanSets = Sequence[Sequence[Span]]


def evaluate_spans(
    truth: SpanSets, predicted: SpanSets, *, n_classes: int, rng: np.random.Generator | None = None
) -> SpanMetrics:
    """All metrics of one model on n texts; duplicates of a span count once. Raises LearningError for an empty set."""
    if len(truth) == 0:
        raise LearningError(NOTHING)
    rng = rng or np.random.default_rng(0)
    strict, partial = span_counts(truth, predicted, n_classes)
    n = len(truth)
    counts = np.concatenate([strict, partial[:, :1]], axis=1)  # (n, 4, k): strict, given, wanted, partial
    draws = resampled_sums(counts.reshape(n, -1), rng).reshape(-1, 4, n_classes)
    drawn, sums = draws.sum(axis=2), counts.sum(axis=0)
    hit, given, wanted, credit = sums
    macro = float(mean_f1(hit, given, wanted))
    total = sums.sum(axis=1)
    carrying = int((counts[:, 1:3].sum(axis=(1, 2)) > 0).sum())
    exact = int((strict == strict[:, :1]).all(axis=(1, 2)).sum())
    errors = [_errors(set(t), set(p)) for t, p in zip(truth, predicted, strict=True)]
    border, label, spurious, missed = np.array(errors).sum(axis=0).tolist()
    return SpanMetrics(
        n=n,
        n_truth=int(total[2]),
        n_predicted=int(total[1]),
        strict_f1=float(micro_f1(total[:3])),
        strict_f1_interval=of_micro(micro_f1(drawn[:, :3]), float(micro_f1(total[:3])), carrying),
        strict_precision=float(total[0] / max(total[1], 1)),
        strict_recall=float(total[0] / max(total[2], 1)),
        partial_f1=float(micro_f1(total[[3, 1, 2]])),
        partial_f1_interval=of_micro(micro_f1(drawn[:, [3, 1, 2]]), float(micro_f1(total[[3, 1, 2]])), carrying),
        partial_precision=float(total[3] / max(total[1], 1)),
        partial_recall=float(total[3] / max(total[2], 1)),
        macro_f1=macro,
        macro_f1_interval=of_macro(mean_f1(draws[:, 0], draws[:, 1], draws[:, 2]), macro, wanted),
        exact_match=exact / n,
        exact_match_interval=wilson(exact, n),
        per_class=class_metrics(hit, given, wanted),
        per_class_partial=class_metrics(credit, given, wanted),
        wrong_border=border,
        wrong_label=label,
        spurious=spurious,
        missed=missed,
    )


def tally_spans(truth: SpanSets, predicted: SpanSets, n_classes: int, *, partial: bool = False) -> Tally:
    """(n, 3) counts per text, strict unless asked otherwise; what slices and verdicts are made of."""
    counts: Tally = span_counts(truth, predicted, n_classes)[int(partial)].sum(axis=2)
    return counts


def span_counts(
    truth: SpanSets, predicted: SpanSets, n_classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(strict, partial), each (n, 3, k): credit, spans given, spans wanted."""
    if len(truth) != len(predicted):
        raise LearningError("Truth and prediction must cover the same texts.")
    strict = np.zeros((len(truth), 3, n_classes))
    partial = np.zeros((len(truth), n_classes))
    for i, (t, p) in enumerate(zip(truth, predicted, strict=True)):
        wanted, given = set(t), set(p)
        for span in wanted & given:
            strict[i, 0, span.label] += 1
        for span in given:
            strict[i, 1, span.label] += 1
        for span in wanted:
            strict[i, 2, span.label] += 1
        for span, _ in overlaps(wanted, given):
            partial[i, span.label] += HALF
    partly = strict.copy()
    partly[:, 0] += partial
    return strict, partly


def _errors(wanted: set[Span], given: set[Span]) -> tuple[int, int, int, int]:
    """(wrong border, wrong label, spurious, missed) in one text."""
    pairs = overlaps(wanted, given)
    left = given - wanted - {g for g, _ in pairs}
    open_ = wanted - given - {w for _, w in pairs}
    places = {(w.start, w.end) for w in open_}
    relabelled = sum((g.start, g.end) in places for g in left)
    return len(pairs), relabelled, len(left) - relabelled, len(open_)
