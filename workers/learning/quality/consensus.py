"""One label per item out of several opinions.

Majority is the default for few opinions, Dawid–Skene pays off with many per item, and CROWDLAB is best wherever a model
exists: at 1 to 5 opinions per item it beats both (Goh et al. 2022, table in their benchmark).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from ..types import Consensus, Floats, Ints, LearningError
from .ratings import count

ITERATIONS = 200
TOLERANCE = 1e-6  # on the posterior
SMOOTHING = 1.0  # imagined ratings per row of a rater's confusion table, spread as all raters together answer
LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class _Votes:
    counts: NDArray[np.float64]  # (n, k)
    codes: NDArray[np.int64]  # (n, m), 0 where nothing was given
    given: NDArray[np.bool_]  # (n, m)

    @property
    def per_item(self) -> NDArray[np.int64]:
        n: NDArray[np.int64] = self.given.sum(axis=1)
        return n


def majority(ratings: Floats, *, n_classes: int) -> Consensus:
    """Most votes win, (n, m) with NaN where missing. A tie goes to the class that is given most often over all, and is
    reported; quality is the share of the votes."""
    votes = _votes(ratings, n_classes)
    labels = _most(votes, votes.counts.sum(axis=0) / max(votes.counts.sum(), 1))
    share = votes.counts / np.maximum(votes.per_item, 1)[:, None]
    return _consensus(votes, labels, share, _agreement_with(votes, labels))


def dawid_skene(ratings: Floats, *, n_classes: int, smoothing: float = SMOOTHING) -> Consensus:
    """Every rater has a confusion table, found together with the truth by EM (Dawid & Skene 1979).

    In log space, so that many ratings per item cannot underflow. Smoothing draws each table towards that of all raters,
    as far as a rater has said little.
    """
    votes = _votes(ratings, n_classes)
    n, m, k = *votes.codes.shape, n_classes
    rows, columns = np.nonzero(votes.given)
    said = columns * k + votes.codes[rows, columns]
    one_hot = csr_matrix((np.ones(len(rows)), (rows, said)), shape=(n, m * k))
    posterior = votes.counts / np.maximum(votes.per_item, 1)[:, None]
    posterior[votes.per_item == 0] = 1 / k
    tables = np.zeros((m, k, k))
    for _ in range(ITERATIONS):
        tables = (one_hot.T @ posterior).reshape(m, k, k)  # rater, answer, truth
        everyone = tables.sum(axis=0) + LEAST
        tables = tables + smoothing * (everyone / everyone.sum(axis=0))
        tables /= np.maximum(tables.sum(axis=1, keepdims=True), LEAST)
        prior = posterior[votes.per_item > 0].sum(axis=0) + 1
        log = one_hot @ np.log(np.maximum(tables, 1e-300)).reshape(m * k, k) + np.log(prior / prior.sum())
        log -= log.max(axis=1, keepdims=True)
        new = np.exp(log)
        new /= new.sum(axis=1, keepdims=True)
        moved = float(np.abs(new - posterior).max(initial=0))
        posterior = new
        if moved < TOLERANCE:
            break
    right = np.einsum("rtt,t->r", tables, prior / prior.sum())
    return _consensus(votes, posterior.argmax(axis=1), posterior, np.where(votes.given.any(axis=0), right, np.nan))


def crowdlab(ratings: Floats, probabilities: Floats) -> Consensus:
    """Raters and a model weigh in together, each as much as it has earned (CROWDLAB, Goh, Tkachenko & Mueller 2022).

    (n, m) ratings with NaN where missing and (n, k) out-of-fold probabilities of a model that never saw an item it
    answers for. Raises LearningError where no item has two opinions: nobody's reliability could be told.
    """
    p = np.asarray(probabilities, dtype=np.float64)
    votes = _votes(ratings, p.shape[1])
    if not (votes.per_item > 1).any():
        raise LearningError("At least one item must be labelled by two people to tell how reliable they are.")
    first = _most(votes, p)
    posterior, _, _ = _weighed(votes, first, p)
    best = posterior.max(axis=1)
    unsure = np.isclose(posterior, best[:, None], rtol=0, atol=1e-15).sum(axis=1) > 1
    labels = np.where(unsure, first, posterior.argmax(axis=1))
    posterior, model, raters = _weighed(votes, labels, p)
    shared = votes.per_item > 1
    right = (votes.codes == labels[:, None]) & votes.given
    agrees = _share(right[shared].sum(axis=0), votes.given[shared].sum(axis=0))
    rows, columns = np.nonzero(votes.given)
    believed = np.bincount(columns, posterior[rows, votes.codes[rows, columns]], minlength=len(raters))
    trust = _share(believed, votes.given.sum(axis=0))
    weight = model / (model + raters.sum() * votes.per_item[votes.per_item > 0].mean() / len(raters))
    return _consensus(votes, labels, posterior, weight * trust + (1 - weight) * agrees)


def _weighed(votes: _Votes, labels: Ints, p: Floats) -> tuple[NDArray[np.float64], float, NDArray[np.float64]]:
    """(posterior (n, k), weight of the model, weight of each rater (m,)) given a first consensus."""
    n, k = p.shape
    shared = votes.per_item > 1
    rated = votes.per_item > 0
    share = votes.counts[np.arange(n), labels] / np.maximum(votes.per_item, 1)
    hit = float(share[shared].mean())
    miss = (1 - hit) / max(k - 1, 1)
    commonest = np.bincount(labels[shared], minlength=k).argmax()
    baseline = max(float((labels[shared] != commonest).mean()), LEAST)  # error of always saying the commonest class
    raters = np.maximum(1 - (1 - _agreement_with_others(votes)) / baseline, LEAST)
    wrong = float((p[shared].argmax(axis=1) != labels[shared]).mean())
    model = max(1 - wrong / baseline, LEAST) * float(np.sqrt(votes.per_item[rated].mean()))
    rows, columns = np.nonzero(votes.given)
    weighted = np.bincount(rows * k + votes.codes[rows, columns], raters[columns], minlength=n * k).reshape(n, k)
    mass = weighted.sum(axis=1, keepdims=True)
    posterior = (p * model + mass * miss + weighted * (hit - miss)) / (mass + model)
    return posterior, model, raters


def _agreement_with_others(votes: _Votes) -> NDArray[np.float64]:
    """(m,) share of the other opinions on a rater's items that are the rater's own; the mean where there are none."""
    rows, columns = np.nonzero(votes.given)
    same = votes.counts[rows, votes.codes[rows, columns]] - 1
    others = votes.per_item[rows] - 1
    m = votes.given.shape[1]
    found = _share(np.bincount(columns, same, minlength=m), np.bincount(columns, others, minlength=m))
    return np.where(np.isnan(found), np.nanmean(found), found)


def _agreement_with(votes: _Votes, labels: Ints) -> NDArray[np.float64]:
    right = (votes.codes == labels[:, None]) & votes.given
    return _share(right.sum(axis=0), votes.given.sum(axis=0))


def _share(part: Floats | Ints, whole: Floats | Ints) -> NDArray[np.float64]:
    whole = np.asarray(whole, dtype=np.float64)
    share: NDArray[np.float64] = np.where(whole > 0, part / np.where(whole > 0, whole, 1), np.nan)
    return share


def _votes(ratings: Floats, n_classes: int) -> _Votes:
    ratings = np.asarray(ratings, dtype=np.float64)
    given = ~np.isnan(ratings)
    return _Votes(count(ratings, n_classes)[0], np.where(given, ratings, 0).astype(np.int64), given)


def _most(votes: _Votes, preference: Floats) -> NDArray[np.int64]:
    """Class with most votes; among equals the one preferred, by shares below 1."""
    most: NDArray[np.int64] = (2 * votes.counts + preference).argmax(axis=1)
    return most


def _consensus(votes: _Votes, labels: Ints, probabilities: Floats, raters: Floats) -> Consensus:
    rated = votes.per_item > 0
    top = votes.counts.max(axis=1, keepdims=True)
    quality = np.where(rated, probabilities[np.arange(len(labels)), labels], 0.0)
    tied = rated & ((votes.counts == top).sum(axis=1) > 1)
    return Consensus(np.where(rated, labels, -1), probabilities, quality, raters, tied)
