"""Topics: clusters of vectors that keep their names from one day to the next, said in their distinctive words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..sampling.kmeans import assign, kmeans, means
from ..types import Ints
from . import terms

STARTS, ITERATIONS = 4, 25
WORDS = 4
SAME = 0.6  # cosine between centres from which a topic is still the one it was


@dataclass(frozen=True, slots=True)
class Topics:
    """`centres`: (k, d) unit rows; `names`: their lasting numbers; `assignment`: (n,) rows of `centres`."""

    centres: NDArray[np.float32]
    names: list[int]
    assignment: Ints


def how_many(n: int) -> int:
    """Few enough to read, more where there is more to say."""
    return int(np.clip(round((n / 25) ** 0.5), 2, 12))


def fit(x: NDArray[np.float32], k: int, rng: np.random.Generator, before: Topics | None = None) -> Topics:
    """(n, d) unit rows to `k` topics. With `before` each topic that is still there keeps its number.

    Spherical k-means (Dhillon & Modha 2001), the best of a few starts, of which one is where the topics were before.
    """
    starts = [kmeans(x, k, rng, max_iter=ITERATIONS)[0] for _ in range(STARTS)]
    if before is not None and len(before.centres) == k and before.centres.shape[1] == x.shape[1]:
        starts.append(_lloyd(x, before.centres))
    found = [(_unit(centres), assign(x, _unit(centres))) for centres in starts]
    gains = [float((x * centres[of]).sum()) for centres, of in found]
    best = int(np.argmax(gains))
    if len(starts) > STARTS and gains[-1] > 0.98 * gains[best]:
        best = len(starts) - 1  # hardly worse: what people know stays
    centres, of = found[best]
    return Topics(centres, _names(centres, before), of)


def _lloyd(x: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.float32]:
    for _ in range(ITERATIONS):
        centres = _unit(means(x, assign(x, centres), centres))
    return centres


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    made: NDArray[np.float32] = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return made.astype(np.float32)


def _names(centres: NDArray[np.float32], before: Topics | None) -> list[int]:
    """Old numbers to the nearest new centres, one to one (Hungarian method); what is new gets a new number."""
    if before is None or before.centres.shape[1] != centres.shape[1]:
        return list(range(1, len(centres) + 1))
    likeness = centres @ before.centres.T
    names, fresh = [0] * len(centres), max(before.names, default=0)
    for row, column in zip(*linear_sum_assignment(-likeness), strict=True):
        if likeness[row, column] >= SAME:
            names[row] = before.names[column]
    for row, name in enumerate(names):
        if not name:
            fresh += 1
            names[row] = fresh
    return names


def words(texts: Sequence[str], assignment: Ints, k: int, most: int = WORDS) -> list[list[str]]:
    """For each of k topics the phrases that are frequent in it and rare elsewhere: class-based TF-IDF.

    tf · log(1 + A / f) with tf the share of the topic's texts, f the phrase's count in all, A the mean count of a topic
    (Grootendorst 2022), over phrases of one or two words that are at least half again as frequent in the topic.
    """
    per = [terms.counts((texts[int(at)] for at in np.flatnonzero(assignment == topic)), 2) for topic in range(k)]
    overall: Counter[str] = Counter()
    for found in per:
        overall.update(found)
    average = sum(overall.values()) / max(k, 1)
    sizes = np.bincount(assignment, minlength=k)
    return [_best(found, overall, average, int(size), len(texts), most) for found, size in zip(per, sizes, strict=True)]


def _best(  # noqa: PLR0917
    found: Counter[str], overall: Counter[str], average: float, size: int, n: int, most: int
) -> list[str]:
    least = 2 if size >= 8 else 1
    worth = {
        term: (count / size) * float(np.log1p(average / overall[term]))
        for term, count in found.items()
        if count >= least and count / size >= 1.5 * overall[term] / n
    }
    ranked = sorted(worth, key=lambda term: (-worth[term], term))
    return terms.without_parts(ranked, found, most)
