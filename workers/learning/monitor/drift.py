"""Has the content changed? Two windows of texts, compared by their vectors and by what the model says of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtrc
from scipy.stats import rankdata

from ..types import Floats, Ints, LearningError

FOLDS, RIDGE, SHUFFLES = 10, 0.05, 199
LEAST = 50  # texts in each window
MOST = 1_000  # more add time and no insight
RARE = 5.0  # classes with fewer expected answers are judged together


@dataclass(frozen=True, slots=True)
class ContentDrift:
    """`auc`: how well a classifier tells the windows apart, 0.5 is not at all. `recent`: (m,) its scores of the recent
    texts (highest first is what is new), `order`: (m,) which of the recent rows they are."""

    auc: float
    p_value: float
    scores: Floats
    order: Ints


def content(before: NDArray[np.float32], recent: NDArray[np.float32], rng: np.random.Generator) -> ContentDrift:
    """Domain classifier on (n, d) and (m, d) vectors: cross-fitted ridge discriminant, judged by permutation.

    The classifier is linear in the labels, so all permutations are fitted in one solve and the test is exact
    (Lopez-Paz & Oquab 2017; closed-form cross-validation of ridge: Golub, Heath & Wahba 1979).
    """
    if min(len(before), len(recent)) < LEAST:
        raise LearningError(f"Comparing content takes at least {LEAST} texts in each window.")
    kept = rng.permutation(len(recent))[:MOST]
    x = np.concatenate([before[rng.permutation(len(before))[:MOST]], recent[kept]]).astype(np.float32)
    first = min(len(before), MOST)
    truth = np.concatenate([np.zeros(first), np.ones(len(kept))])
    labels = np.stack([truth, *(rng.permutation(truth) for _ in range(SHUFFLES))], axis=1)
    scores = _out_of_fold(x, labels - labels.mean(axis=0), rng)
    aucs = _auc(scores, labels)
    own = scores[first:, 0]
    return ContentDrift(
        auc=float(aucs[0]),
        p_value=float((1 + (aucs[1:] >= aucs[0]).sum()) / (1 + SHUFFLES)),
        scores=np.sort(own)[::-1],
        order=kept[np.argsort(-own)],
    )


def _out_of_fold(x: NDArray[np.float32], y: Floats, rng: np.random.Generator) -> Floats:
    """(n, s) predictions of ridge fits to (n, s) targets by those rows' outside folds."""
    x = x - x.mean(axis=0)
    gram = x.T @ x
    ridge = RIDGE * len(x) * float(np.trace(gram)) / len(gram) / len(x)
    inverse = np.linalg.inv(gram + ridge * np.eye(len(gram), dtype=np.float32))
    fitted = x @ (inverse @ (x.T @ y.astype(np.float32)))
    out = np.empty_like(fitted)
    for fold in np.array_split(rng.permutation(len(x)), FOLDS):
        own = x[fold] @ inverse @ x[fold].T
        left = np.linalg.solve(np.eye(len(fold), dtype=np.float32) - own, y[fold] - fitted[fold])
        out[fold] = y[fold] - left
    return out


def _auc(scores: Floats, labels: Floats) -> Floats:
    """(s,) areas under the ROC curve of (n, s) scores (Mann & Whitney 1947)."""
    ranks = rankdata(scores, axis=0)
    ones = labels.sum(axis=0)
    rank_sum = (ranks * labels).sum(axis=0)
    areas: Floats = (rank_sum - ones * (ones + 1) / 2) / (ones * (len(labels) - ones))
    return areas


@dataclass(frozen=True, slots=True)
class AnswerDrift:
    """`psi`: population stability index, below 0.1 usual, above 0.25 a large shift. `moved`: (k,) change of share."""

    psi: float
    p_value: float
    moved: Floats


def answers(before: Ints, recent: Ints) -> AnswerDrift:
    """(k,) counts of what the model said in two windows: chi-square test of homogeneity, rare classes together."""
    table = np.stack([before, recent]).astype(np.float64)
    if table.sum(axis=1).min() < LEAST:
        raise LearningError(f"Comparing answers takes at least {LEAST} texts in each window.")
    shares = table / table.sum(axis=1, keepdims=True)
    smooth = (table + 0.5) / (table + 0.5).sum(axis=1, keepdims=True)
    psi = float(((smooth[1] - smooth[0]) * np.log(smooth[1] / smooth[0])).sum())
    expected = table.sum(axis=0) * table.sum(axis=1, keepdims=True) / table.sum()
    rare = expected.min(axis=0) < RARE
    table = np.concatenate([table[:, ~rare], table[:, rare].sum(axis=1, keepdims=True)], axis=1)
    table = table[:, table.sum(axis=0) > 0]
    expected = table.sum(axis=0) * table.sum(axis=1, keepdims=True) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    p_value = float(chdtrc(max(1, table.shape[1] - 1), statistic))
    return AnswerDrift(psi, p_value, shares[1] - shares[0])
