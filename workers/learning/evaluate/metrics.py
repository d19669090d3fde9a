"""Honest numbers on a labelled hold-out: an interval on every estimate, calibration against its noise, paired verdicts.

Nothing here may see items that sampling chose: on those a 90 % model reads 50 to 65 %.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from ..types import ClassMetrics, Floats, Interval, Ints, LearningError, Metrics, Verdict, VerdictKind

BINS = 15  # of confidence, as in Guo et al. 2017
BOOTSTRAPS = 400
NULL_DRAWS = 200
SIDE = 0.05  # error allowed on either side of a verdict; its interval is therefore a 90 % one
POWER = 0.8
OUT_OF_REACH = 20_000  # more labels than this are not worth advising
EPS = 1e-12


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
        raise LearningError("There is no labelled hold-out item to evaluate on yet.")
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


def wilson(right: int, n: int, confidence: float = 0.95) -> Interval:
    """Wilson (1927) score interval of a share; stays inside 0..1 and holds its promise at small n."""
    if n == 0:
        return Interval(0.0, 1.0)
    z = float(norm.ppf(0.5 + confidence / 2))
    share = right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def confusion(truth: Ints, predicted: Ints, n_classes: int) -> NDArray[np.int64]:
    """(k, k) counts, truth down and prediction across."""
    flat = np.bincount(truth * n_classes + predicted, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes).astype(np.int64)


def per_class(table: Ints) -> tuple[ClassMetrics, ...]:
    precision, recall, f1 = _scores(table)
    support = table.sum(axis=1)
    return tuple(
        ClassMetrics(float(precision[i]), float(recall[i]), float(f1[i]), int(support[i])) for i in range(len(table))
    )


def macro_f1(table: Ints) -> float:
    """Mean F1 over the classes that occur in the truth; a class nobody labelled cannot pull it down."""
    occurs = table.sum(axis=1) > 0
    return float(_scores(table)[2][occurs].mean()) if occurs.any() else 0.0


def _scores(table: Ints) -> tuple[Floats, Floats, Floats]:
    hit = np.diag(table).astype(np.float64)
    predicted, support = table.sum(axis=0), table.sum(axis=1)
    precision = hit / np.maximum(predicted, 1)
    recall = hit / np.maximum(support, 1)
    f1 = 2 * hit / np.maximum(predicted + support, 1)
    return precision, recall, f1


def _macro_f1_interval(table: NDArray[np.int64], rng: np.random.Generator) -> Interval:
    """Percentile bootstrap. Resampling items is drawing the confusion table from a multinomial."""
    n, k = int(table.sum()), len(table)
    cells = np.flatnonzero(table)
    draws = rng.multinomial(n, table.ravel()[cells] / n, size=BOOTSTRAPS)
    values = np.empty(BOOTSTRAPS)
    for i, draw in enumerate(draws):
        drawn = np.zeros(k * k, dtype=np.int64)
        drawn[cells] = draw
        values[i] = macro_f1(drawn.reshape(k, k))
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high))


def _calibration(truth: Ints, p: Floats, rng: np.random.Generator) -> dict[str, float]:
    confidence, right = p.max(axis=1), p.argmax(axis=1) == truth
    given = p[np.arange(len(truth)), truth]
    brier = (p.astype(np.float64) ** 2).sum(axis=1) - 2 * given + 1
    return {
        "ece": expected_calibration_error(confidence, right),
        "ece_null": ece_null(confidence, rng),
        "nll": float(-np.log(np.maximum(given, EPS)).mean()),
        "brier": float(brier.mean()),
    }


def expected_calibration_error(confidence: Floats, right: NDArray[np.bool_]) -> float:
    """Weighted gap between confidence and accuracy over equal-width bins (n,), (n,) -> 0..1."""
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(gap).sum() / len(confidence))


def ece_null(confidence: Floats, rng: np.random.Generator) -> float:
    """The ECE that a perfectly calibrated model with these confidences shows on average: 3 points at n = 400."""
    draws = [
        expected_calibration_error(confidence, rng.random(len(confidence)) < confidence) for _ in range(NULL_DRAWS)
    ]
    return float(np.mean(draws))


def compare(
    predicted_a: Ints,
    predicted_b: Ints,
    truth: Ints,
    *,
    margin: float = 0.02,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Is candidate b better than the live model a on the same n items?

    better: the lower bound lies above 0 and McNemar's exact test agrees; not_worse: above −margin; worse: the upper
    bound lies below 0; otherwise cannot_tell. Each of these errs in at most 5 % of cases.
    """
    a, b, t = (np.asarray(v) for v in (predicted_a, predicted_b, truth))
    if not len(a) == len(b) == len(t) or len(t) == 0:
        raise LearningError("Two models can only be compared on the same, non-empty set of items.")
    only_a, only_b = int(((a == t) & (b != t)).sum()), int(((a != t) & (b == t)).sum())
    n = len(t)
    low, high = paired_interval(only_a, only_b, n)
    kind: VerdictKind
    if low > 0 and mcnemar(only_a, only_b) <= SIDE:
        kind = "better"
    elif low > -margin:
        kind = "not_worse"
    elif high < 0 and mcnemar(only_b, only_a) <= SIDE:
        kind = "worse"
    else:
        kind = "cannot_tell"
    more = more_labels(only_a, only_b, n, margin) if kind == "cannot_tell" else None
    return Verdict(kind, (only_b - only_a) / n, low, high, n, more)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact one-sided p-value that b wins as many of the disagreements by luck (McNemar 1947)."""
    decided = only_a + only_b
    return 1.0 if decided == 0 else float(binomtest(only_b, decided, 0.5, alternative="greater").pvalue)


def paired_interval(only_a: int, only_b: int, n: int) -> tuple[float, float]:
    """90 % interval of the difference of paired shares (Bonett & Price 2012: one disagreement added to each side)."""
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    difference = share_b - share_a
    half = float(norm.ppf(1 - SIDE)) * np.sqrt((share_a + share_b - difference**2) / (n + 2))
    return float(max(difference - half, -1.0)), float(min(difference + half, 1.0))


def more_labels(only_a: int, only_b: int, n: int, margin: float) -> int | None:
    """Further items that would give a verdict with 80 % probability if the difference seen is the true one."""
    difference = (only_b - only_a) / n
    spread = (only_a + only_b + 2) / (n + 2) - difference**2
    distance = max(abs(difference), difference + margin)  # to "better" or "worse", or to "not worse"
    if distance <= 0:
        return None
    z = float(norm.ppf(1 - SIDE) + norm.ppf(POWER))
    wanted = z**2 * spread / distance**2
    if wanted - n > OUT_OF_REACH:
        return None
    return max(10, int(np.ceil((wanted - n) / 10)) * 10)
