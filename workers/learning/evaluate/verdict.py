"""Is a candidate better than what serves? Paired on the same items, for every task."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, ndtri

from ..types import Floats, Ints, LearningError, MetricName, Verdict, VerdictKind
from .spans import SpanSets, tally_spans
from .tally import Tally, influence, tally, tally_multi

MARGIN = 0.02  # "not worse" allows two points
SIDE = 0.05  # error allowed on either side of a verdict; its interval is therefore a 90 % one
POWER = 0.8
Z_SIDE, Z_POWER = float(ndtri(1 - SIDE)), float(ndtri(POWER))
OUT_OF_REACH = 20_000  # more labels than this are not worth advising


def compare(
    predicted_a: Ints,
    predicted_b: Ints,
    truth: Ints,
    *,
    margin: float = MARGIN,
    rng: np.random.Generator | None = None,
) -> Verdict:
    """Is candidate b better than the live model a on the same n items, in accuracy?

    better: the lower bound lies above 0 and McNemar's exact test agrees; not_worse: above −margin; worse: the upper
    bound lies below 0; otherwise cannot_tell. Each of these errs in at most 5 % of cases.
    """
    a, b, t = (np.asarray(v) for v in (predicted_a, predicted_b, truth))
    _check(len(a), len(b), len(t))
    only_a, only_b = int(((a == t) & (b != t)).sum()), int(((a != t) & (b == t)).sum())
    effects = _effects(tally(t, a), tally(t, b))
    agrees = mcnemar(min(only_a, only_b), max(only_a, only_b)) <= SIDE  # the side that is ahead is not ahead by luck
    return _verdict(effects, 1.0, margin, "accuracy", agrees)


def compare_multi(
    predicted_a: NDArray[np.bool_], predicted_b: NDArray[np.bool_], truth: NDArray[np.bool_], *, margin: float = MARGIN
) -> Verdict:
    """The same question for any number of labels per text, in micro-F1. All (n, k)."""
    _check(len(predicted_a), len(predicted_b), len(truth))
    a, b = tally_multi(truth, predicted_a), tally_multi(truth, predicted_b)
    return compare_tallies(a, b, metric="micro_f1", margin=margin)


def compare_spans(
    predicted_a: SpanSets, predicted_b: SpanSets, truth: SpanSets, *, n_classes: int, margin: float = MARGIN
) -> Verdict:
    """The same question for marked spans, in strict entity F1. All of length n."""
    _check(len(predicted_a), len(predicted_b), len(truth))
    a, b = (tally_spans(truth, said, n_classes) for said in (predicted_a, predicted_b))
    return compare_tallies(a, b, metric="strict_f1", margin=margin)


def _check(*lengths: int) -> None:
    if len(set(lengths)) > 1 or lengths[0] == 0:
        raise LearningError("Two models can only be compared on the same, non-empty set of items.")


def compare_tallies(a: Tally, b: Tally, *, metric: MetricName, margin: float = MARGIN) -> Verdict:
    """The same question from two models' (n, 3) counts on the same items, in micro-F1 (accuracy with one label each).

    The interval is that of the linearised difference of the two ratios, so items stay paired.
    """
    _check(len(a), len(b))
    size = float((a[:, 1:].sum() + b[:, 1:].sum()) / 2 / len(a))
    return _verdict(_effects(a, b), 2 / size if size else 1.0, margin, metric)


def _effects(a: Tally, b: Tally) -> Floats:
    """(n,) how far each item speaks for b; the mean is the difference of the scores."""
    score_a, pull_a = influence(a)
    score_b, pull_b = influence(b)
    effects: Floats = pull_b - pull_a + (score_b - score_a)
    return effects


def _verdict(effects: Floats, unit: float, margin: float, metric: MetricName, agrees: bool = True) -> Verdict:
    low, high = paired_interval(effects, unit)
    kind: VerdictKind
    if low > 0 and agrees:
        kind = "better"
    elif low > -margin:
        kind = "not_worse"
    elif high < 0 and agrees:
        kind = "worse"
    else:
        kind = "cannot_tell"
    more = more_labels(effects, unit, margin) if kind == "cannot_tell" else None
    return Verdict(kind, float(effects.mean()), low, high, len(effects), more, metric)


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact one-sided p-value that b wins as many of the disagreements by luck (McNemar 1947)."""
    decided = only_a + only_b
    return 1.0 if decided == 0 else float(bdtrc(only_b - 1, decided, 0.5)) if only_b else 1.0


def paired_interval(effects: Floats, unit: float = 1.0) -> tuple[float, float]:
    """90 % interval of a paired difference from its (n,) effects.

    One imagined item of `unit` (what one right answer more or less weighs) is added to each side. For accuracy this is
    the interval of Bonett & Price (2012); for F1 it keeps two models that never disagreed from looking certain.
    """
    n = len(effects) + 2
    difference = float(effects.sum()) / n
    half = Z_SIDE * np.sqrt(max(_spread(effects, unit) - difference**2, 0.0) / n)
    return max(difference - float(half), -1.0), min(difference + float(half), 1.0)


def _spread(effects: Floats, unit: float) -> float:
    return float((effects**2).sum() + 2 * unit**2) / (len(effects) + 2)


def more_labels(effects: Floats, unit: float, margin: float) -> int | None:
    """Further items that would give a verdict with 80 % probability if the difference seen is the true one."""
    n, difference = len(effects), float(effects.mean())
    distance = max(abs(difference), difference + margin)  # to "better" or "worse", or to "not worse"
    if distance <= 0:
        return None
    wanted = (Z_SIDE + Z_POWER) ** 2 * (_spread(effects, unit) - difference**2) / distance**2
    if wanted - n > OUT_OF_REACH:
        return None
    return max(10, int(np.ceil((wanted - n) / 10)) * 10)
