"""What a strategy may look at when it chooses."""

from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from .. import heads
from ..types import Floats, Ints

Rng = np.random.Generator
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SpanScores:
    """What a tagger said of each item, (N,) each; see spans.py and types.SpanAnswer."""

    confidence: Floats  # exp of the mean log-probability of the tokens' tags
    margin: Floats  # mean of the lowest token margins
    tokens: Ints  # what it costs a person to read it

    def of(self, rows: Rows) -> "SpanScores":
        return SpanScores(self.confidence[rows], self.margin[rows], self.tokens[rows])


@dataclass(frozen=True)
class Pool:
    """N items that may be chosen, m that are labelled, k classes. Everything but the vectors may be missing."""

    vectors: Floats  # (N, d) unit rows; perhaps a view that reads them when asked
    labelled: Floats  # (m, d)
    classes: Ints | NDArray[np.bool_]  # (m,) classes, or (m, k) truths where items carry several labels
    n_classes: int
    unsure: Floats | None = None  # (N,) large means unsure; None on a cold start
    known: Floats | None = None  # (N, k) probabilities, where somebody has them all
    head: heads.Head | heads.MultiHead | None = None
    doubted: Ints | None = None  # (N,) label that an item carries unchecked, -1 for none
    spans: SpanScores | None = None

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def cold(self) -> bool:
        """Nothing is known yet to be unsure about."""
        return self.unsure is None

    @property
    def several(self) -> bool:
        return self.classes.ndim == 2

    @cached_property
    def model(self) -> "heads.Head | heads.MultiHead":
        """The head that was given, or one fitted on what is labelled."""
        return self.head if self.head is not None else fitted(self.labelled, self.classes, self.n_classes)

    def probabilities(self, rows: Rows) -> NDArray[np.float32]:
        """(len(rows), k)."""
        if self.known is not None:
            return np.asarray(self.known[rows], dtype=np.float32)
        return self.model.probabilities(self.dense(rows))

    def every(self) -> NDArray[np.float32]:
        """(N, k): all of them."""
        if isinstance(self.known, np.ndarray):
            return self.known
        return self.probabilities(np.arange(len(self)))

    def dense(self, rows: Rows) -> NDArray[np.float32]:
        """(len(rows), d) in single precision."""
        return np.asarray(self.vectors[rows], dtype=np.float32)

    def unsure_of(self, rows: Rows) -> NDArray[np.float32]:
        return np.asarray(cast(Floats, self.unsure)[rows], dtype=np.float32)

    def some(self, most: int, rng: Rng) -> Rows:
        """At most so many rows, drawn uniformly, in random order: whoever takes the first of equals draws."""
        return rng.permutation(len(self)) if len(self) <= most else rng.choice(len(self), most, replace=False)


def fitted(
    vectors: Floats, classes: Ints | NDArray[np.bool_], n_classes: int, *, max_iter: int = 200
) -> heads.Head | heads.MultiHead:
    """A head on (m, d) vectors with classes (m,) or truths (m, k)."""
    if classes.ndim == 2:
        return heads.fit_multi(vectors, classes.astype(bool), max_iter=max_iter)
    return heads.fit(vectors, classes.astype(np.int64), n_classes=n_classes, max_iter=max_iter)
