"""Which given labels are probably wrong, from probabilities of a model that never saw them.

In-sample probabilities would believe every label. Scores are those of Kuan & Mueller (2022), flags those of confident
learning (Northcutt, Jiang & Chuang 2021), several labels follow Thyagarajan et al. (2022), spans Wang & Mueller (2022).
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..types import ClassIssues, Floats, Ints, LabelIssues, LearningError

Score = Literal["self_confidence", "normalised_margin", "confidence_weighted_entropy"]
FEWEST = 5  # examples of a class below which none is flagged: the model had nothing to learn it from
FORGETTING = 0.8  # weight of the worse label in the moving average over a text's labels
TINY = 1e-6


def find_label_errors(given: Ints, probabilities: Floats, *, score: Score = "self_confidence") -> LabelIssues:
    """One label per item: (n,) given classes, (n, k) out-of-fold probabilities."""
    given, p = np.asarray(given, dtype=np.int64), np.asarray(probabilities, dtype=np.float64)
    _check(given, p)
    scores = {
        "self_confidence": self_confidence,
        "normalised_margin": normalised_margin,
        "confidence_weighted_entropy": confidence_weighted_entropy,
    }[score](given, p)
    flagged = confident_flags(given, p)
    return _issues(scores, flagged, p.argmax(axis=1), np.bincount(given, minlength=p.shape[1]), given[flagged])


def self_confidence(given: Ints, p: Floats) -> Floats:
    """The given class's probability: best when any confusion is possible."""
    score: Floats = p[np.arange(len(given)), given]
    return score


def normalised_margin(given: Ints, p: Floats) -> Floats:
    """Half of one plus the lead of the given class over the best other: best when one other class is clearly right."""
    rows = np.arange(len(given))
    others = p.copy()
    others[rows, given] = -np.inf
    score: Floats = (p[rows, given] - others.max(axis=1) + 1) / 2
    return score


def confidence_weighted_entropy(given: Ints, p: Floats) -> Floats:
    """Entropy over the given class's probability, mapped to 0..1: finds confident contradictions first."""
    entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(axis=1) / np.log(p.shape[1])
    ratio = entropy / np.maximum(self_confidence(given, p), TINY)
    score: Floats = np.log1p(ratio) / np.maximum(ratio, TINY)
    return score


def confident_flags(given: Ints, p: Floats) -> NDArray[np.bool_]:
    """(n,) the off-diagonal of the confident joint: the model is surer of another class than it is of that class's own
    examples on average. Per-class thresholds keep a class the model finds hard from being called wrong as a whole."""
    k = p.shape[1]
    size = np.bincount(given, minlength=k)
    sure = np.bincount(given, self_confidence(given, p), minlength=k) / np.maximum(size, 1)
    thresholds = np.where(size > 0, sure, np.inf)
    confident = p >= thresholds - TINY
    best = p.argmax(axis=1)
    likely = np.where(confident.sum(axis=1) > 1, best, confident.argmax(axis=1))
    contradicted = confident.any(axis=1) & (likely != given) & (best != given)
    flags: NDArray[np.bool_] = contradicted & (size[given] >= FEWEST)
    return flags


def find_multilabel_errors(given: NDArray[np.bool_], probabilities: Floats) -> LabelIssues:
    """Any number of labels per item: (n, k) given, (n, k) out-of-fold probabilities.

    Every label is a yes or no of its own. An item's score is the exponential moving average of its decisions' scores
    from the best to the worst; `suggested` is the label whose decision is least believable, missing or too many.
    """
    given, p = np.asarray(given, dtype=bool), np.asarray(probabilities, dtype=np.float64)
    if given.shape != p.shape or not len(p):
        raise LearningError("Every item needs one probability per label.")
    each = np.where(given, p, 1 - p)
    flags = np.stack(
        [confident_flags(given[:, j].astype(np.int64), np.stack([1 - p[:, j], p[:, j]], 1)) for j in range(p.shape[1])],
        axis=1,
    )
    ranked = -np.sort(-each, axis=1)
    scores = ranked[:, 0]
    for column in ranked.T[1:]:
        scores = FORGETTING * column + (1 - FORGETTING) * scores
    _, wrong = np.nonzero(flags)
    return _issues(scores, np.asarray(flags.any(axis=1)), each.argmin(axis=1), np.full(p.shape[1], len(p)), wrong)


def find_span_errors(given: Sequence[Ints], probabilities: Sequence[Floats]) -> LabelIssues:
    """Spans as token tags: given[i] (t_i,) tags and probabilities[i] (t_i, k) out-of-fold, for each of n texts.

    A text is as good as its worst token; `suggested` is that token's place, 0 in a text without any.
    """
    lengths = np.array([len(tags) for tags in given], dtype=np.int64)
    if not lengths.sum():
        raise LearningError("There is no token to judge.")
    tags, p = np.concatenate(given).astype(np.int64), np.concatenate(probabilities).astype(np.float64)
    _check(tags, p)
    token = self_confidence(tags, p)
    flags = confident_flags(tags, p)
    text = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((token, text))
    first = order[np.flatnonzero(np.diff(text[order], prepend=-1))]  # the worst token of each text that has one
    scores, worst = np.ones(len(lengths)), np.zeros(len(lengths), dtype=np.int64)
    scores[text[first]] = token[first]
    worst[text[first]] = first - (lengths.cumsum() - lengths)[text[first]]
    flagged = np.bincount(text, flags, minlength=len(lengths)) > 0
    return _issues(scores, flagged, worst, np.bincount(tags, minlength=p.shape[1]), tags[flags])


def _check(given: Ints, p: Floats) -> None:
    if p.ndim != 2 or len(given) != len(p) or not len(p):
        raise LearningError("Every labelled item needs one probability per class.")
    if given.min() < 0 or given.max() >= p.shape[1]:
        raise LearningError("A label lies outside the label order.")


def _issues(scores: Floats, flagged: NDArray[np.bool_], suggested: Ints, size: Ints, wrong: Ints) -> LabelIssues:
    rows = np.flatnonzero(flagged)
    found = np.bincount(wrong, minlength=len(size))
    return LabelIssues(
        score=scores,
        flagged=flagged,
        suggested=suggested,
        order=rows[np.argsort(scores[rows], kind="stable")],
        per_class=tuple(ClassIssues(int(n), int(f)) for n, f in zip(size, found, strict=True)),
    )
