"""What learns from the labels of one arm: a head on vectors that are computed once, or a fine-tuned transformer."""

import tempfile
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.efficiency.data import Data
from workers.learning import evaluate, heads
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.sampling import SpanScores
from workers.learning.types import Span

Rows = NDArray[np.int64]
FOLDS = 3  # of the thresholds


class Learner(ABC):
    """One arm's model. `train` and `test` are the rows of the two sets that this seed uses."""

    def __init__(self, pool: Data, test: Data, vectors: NDArray[np.float32]) -> None:
        self.pool, self.test, self.vectors = pool, test, vectors

    @abstractmethod
    def learn(self, rows: Rows, seed: int) -> None: ...

    @abstractmethod
    def score(self) -> tuple[float, float]:
        """(headline, macro-F1) on the test set: accuracy, micro-F1 or strict entity F1."""

    @abstractmethod
    def opinion(self) -> dict[str, Any]:
        """What `sampling.plan` may be told of the pool."""


class HeadLearner(Learner):
    def __init__(
        self, pool: Data, test: Data, vectors: NDArray[np.float32], test_vectors: NDArray[np.float32], features: str
    ) -> None:
        super().__init__(pool, test, vectors)
        self.features = features
        self.x, self.test_x = self._seen(pool, vectors), self._seen(test, test_vectors)
        self.head: heads.Head | heads.MultiHead | None = None

    def _seen(self, data: Data, vectors: NDArray[np.float32]) -> heads.Features:
        if self.features == "vectors":
            return vectors
        if data is self.pool:
            self.grams = heads.vocabulary(self.pool.texts, beside_vectors=self.features == "both")
        return heads.features(data.texts, vectors if self.features == "both" else None, self.grams)

    def learn(self, rows: Rows, seed: int) -> None:
        x, y = self.x[rows], self.pool.truth[rows]
        if self.pool.task == "single":
            warm = self.head if isinstance(self.head, heads.Head) else None
            self.head = heads.fit(x, y, n_classes=len(self.pool.names), warm=warm)
            return
        head = heads.fit_multi(x, y, warm=self.head if isinstance(self.head, heads.MultiHead) else None)
        self.head = heads.tuned(head, x, y, folds=FOLDS, rng=np.random.default_rng(seed))

    def score(self) -> tuple[float, float]:
        assert self.head is not None
        if isinstance(self.head, heads.MultiHead):
            return several(self.test.truth, self.head.labels(self.head.probabilities(self.test_x)))
        return single(self.test.truth, self.head.glance(self.test_x)[0], len(self.test.names))

    def opinion(self) -> dict[str, Any]:
        if self.head is None:
            return {}
        known = {"probs": self.head.probabilities(self.x)}
        return known | {"head": self.head} if self.features == "vectors" else known


class Transformer(Learner):
    """Trained from the base encoder on all labels in every round, as the product does."""

    def __init__(
        self, pool: Data, test: Data, vectors: NDArray[np.float32], encoder: str, config: dict[str, Any]
    ) -> None:
        super().__init__(pool, test, vectors)
        self.encoder, self.config = encoder, config
        self.predictor: Predictor | None = None

    def learn(self, rows: Rows, seed: int) -> None:
        recipe = Recipe(
            kind="transformer",
            encoder=self.encoder,
            label_order=[[i, name] for i, name in enumerate(self.pool.names)],
            seed=seed,
            config=self.config,
            task=self.pool.task,
        )
        with tempfile.TemporaryDirectory() as folder:
            publish(self.pool.examples(rows), recipe, Path(folder) / "model")
            self.predictor = Predictor(Path(folder) / "model")

    def score(self) -> tuple[float, float]:
        assert self.predictor is not None
        if self.test.task == "spans":
            said = self.predictor.spans(self.test.texts)
            found = [tuple(Span(s.start, s.end, s.label) for s in answer.spans) for answer in said]
            metrics = evaluate.evaluate_spans(list(self.test.truth), found, n_classes=len(self.test.names))
            return metrics.strict_f1, metrics.macro_f1
        p = self.predictor.probabilities(self.test.texts)
        if self.test.task == "multi":
            return several(self.test.truth, p >= self.predictor.thresholds)
        return single(self.test.truth, p.argmax(axis=1), len(self.test.names))

    def opinion(self) -> dict[str, Any]:
        if self.pool.task != "spans":
            return {} if self.predictor is None else {"probs": self.predictor.probabilities(self.pool.texts)}
        if self.predictor is None:
            nothing = np.zeros(len(self.pool))
            return {"spans": SpanScores(nothing, nothing, self.pool.tokens)}
        said = self.predictor.spans(self.pool.texts)
        sure = np.array([answer.confidence for answer in said]), np.array([answer.margin for answer in said])
        return {"spans": SpanScores(*sure, self.pool.tokens)}


def single(truth: NDArray[Any], predicted: NDArray[Any], k: int) -> tuple[float, float]:
    table = evaluate.confusion(truth, predicted, k)
    return float(np.trace(table)) / len(truth), evaluate.macro_f1(table)


def several(truth: NDArray[np.bool_], given: NDArray[np.bool_]) -> tuple[float, float]:
    hit, both = (truth & given).sum(axis=0), truth.sum(axis=0) + given.sum(axis=0)
    present = truth.any(axis=0)
    return float(2 * hit.sum() / max(both.sum(), 1)), float((2 * hit / np.maximum(both, 1))[present].mean())
