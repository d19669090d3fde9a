"""What differs between the three kinds of task: targets, loss, dev score, where the linear layer starts, what is tuned
after training. The loop knows none of it.

Losses are sums over units (texts, text × label pairs, words), so that a batch gives the same gradient in one piece, in
two, or spread over several processes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import heads
from ..types import Example, Floats, Ints, LearningError, Progress, Task
from . import spans
from .classifier import Classifier
from .config import Config
from .reader import Piece

if TYPE_CHECKING:
    import torch

HEAVIEST = 4.0  # no class weighs more than this; the inverse of a tiny count would drown the others
PROBED = 20_000  # words that the token layer's start is fitted on; more would not move it
MAX_T = 5.0  # temperatures lie in 1/5 … 5, as those of heads


@dataclass(frozen=True, slots=True)
class Rows:
    """Examples made ready: one row is a text, or a window of one."""

    tokens: list[list[int]]
    targets: Any  # single: (n,) classes; multi: (n, k) zeros and ones; spans: the tags of each window's units
    pieces: list[Piece] = field(default_factory=list)  # spans: the windows themselves
    inexact: int = 0  # spans that tags cannot tell exactly


@dataclass(frozen=True, slots=True)
class Score:
    """How a model does on the dev part."""

    loss: float  # after the best temperature: overconfidence is cured for free, so it is no reason to stop
    value: float  # the task's own measure of hits
    merit: float  # what early stopping lowers


class Single:
    """Exactly one label: softmax and cross-entropy."""

    metric = "accuracy"

    def __init__(self, model: Classifier, config: Config) -> None:
        self.model, self.config = model, config
        self.weights: Any = None  # of the classes, set by `weigh`

    @staticmethod
    def labels(example: Example) -> tuple[int, ...]:
        """What balancing and the dev split look at. Refuses an example without truth."""
        if example.label is None:
            raise LearningError(f"Item {example.id} has no label.")
        return (example.label,)

    def rows(self, examples: Sequence[Example]) -> Rows:
        tokens = self.model.tokenise([e.text for e in examples])
        return Rows(tokens, np.array([self.labels(e)[0] for e in examples], dtype=np.int64))

    def weigh(self, rows: Rows) -> None:
        """Rare classes weigh more: the square root of the inverse share (Mikolov et al. 2013), bounded."""
        self.weights = _tensor(rarity(np.bincount(rows.targets, minlength=self.model.n_classes)), self.model)

    def loss(self, rows: Rows, part: list[int], tokens: list[list[int]]) -> "torch.Tensor":
        """Sum over the rows in `part`, whose tokens (perhaps augmented) are given."""
        import torch

        target = torch.from_numpy(rows.targets[part]).to(self.model.device)
        smoothing = self.config.label_smoothing
        return torch.nn.functional.cross_entropy(
            self.model.logits(tokens), target, weight=self.weights, label_smoothing=smoothing, reduction="sum"
        )

    def units(self, rows: Rows, batch: list[int]) -> float:
        """What the sum of losses is divided by."""
        return len(batch) if self.weights is None else float(self.weights[rows.targets[batch]].sum())

    def start(self, rows: Rows, c: float, tick: Progress) -> None:
        head = heads.fit(self.model.vectors(rows.tokens, tick), rows.targets, n_classes=self.model.n_classes, c=c)
        self.model.start_from(head.weights, head.bias)

    def judge(self, rows: Rows, tick: Progress) -> Score:
        logits = self.model.predict_logits(rows.tokens, tick).astype(np.float64)
        t = heads.fit_temperature(logits, rows.targets)
        loss = cross_entropy(logits / t, rows.targets)
        return Score(loss, float((logits.argmax(axis=1) == rows.targets).mean()), loss)

    def finish(self, rows: Rows) -> None:
        logits = self.model.predict_logits(rows.tokens).astype(np.float64)
        self.model.temperature = heads.fit_temperature(logits, rows.targets)

    @staticmethod
    def luck(n: int) -> float:
        """By how much the score on n texts may fall below the head's and still be no worse: two standard errors."""
        return 1 / math.sqrt(max(1, n))


class Multi(Single):
    """Any number of labels: independent sigmoids, and a threshold for each that is tuned on the dev part."""

    metric = "micro_f1"

    @staticmethod
    def labels(example: Example) -> tuple[int, ...]:
        if example.labels is None:
            raise LearningError(f"Item {example.id} has no list of labels.")
        return example.labels

    def rows(self, examples: Sequence[Example]) -> Rows:
        targets = np.zeros((len(examples), self.model.n_classes), dtype=np.float32)
        for i, example in enumerate(examples):
            targets[i, list(self.labels(example))] = 1
        return Rows(self.model.tokenise([e.text for e in examples]), targets)

    def weigh(self, rows: Rows) -> None:
        positive = rows.targets.sum(axis=0)
        self.weights = _tensor(rarity(positive, len(rows.targets) - positive), self.model)

    def loss(self, rows: Rows, part: list[int], tokens: list[list[int]]) -> "torch.Tensor":
        import torch

        smoothing = self.config.label_smoothing
        target = torch.from_numpy(rows.targets[part]).to(self.model.device) * (1 - smoothing) + smoothing / 2
        return torch.nn.functional.binary_cross_entropy_with_logits(
            self.model.logits(tokens), target, pos_weight=self.weights, reduction="sum"
        )

    def units(self, rows: Rows, batch: list[int]) -> float:
        return len(batch) * self.model.n_classes

    def start(self, rows: Rows, c: float, tick: Progress) -> None:
        x = self.model.vectors(rows.tokens, tick)
        head = heads.fit_multi(x, rows.targets > 0, c=c)
        self.model.start_from(head.weights, head.bias)

    def judge(self, rows: Rows, tick: Progress) -> Score:
        logits, truth = self.model.predict_logits(rows.tokens, tick).astype(np.float64), rows.targets > 0
        t = sigmoid_temperature(logits, truth)
        hit = (logits > 0) & truth
        f1 = 2 * hit.sum() / max(1, (logits > 0).sum() + truth.sum())
        loss = binary_cross_entropy(logits / t, truth)
        return Score(loss, float(f1), loss)

    def finish(self, rows: Rows) -> None:
        from scipy.special import expit

        logits, truth = self.model.predict_logits(rows.tokens).astype(np.float64), rows.targets > 0
        self.model.temperature = sigmoid_temperature(logits, truth)
        p = expit(logits / self.model.temperature).astype(np.float32)
        self.model.thresholds = [float(t) for t in heads.thresholds(p, truth)]


class Spans(Single):
    """Labelled stretches of text: a tag for every word, softmax over 1 + 2k tags."""

    metric = "span_f1"

    @staticmethod
    def labels(example: Example) -> tuple[int, ...]:
        if example.spans is None:
            raise LearningError(f"Item {example.id} has no list of spans.")
        return tuple(sorted({span.label for span in example.spans}))

    def rows(self, examples: Sequence[Example]) -> Rows:
        pieces, units = self.model.reader.cut([e.text for e in examples])
        tagged = [spans.tags_of(e.spans or (), mine) for e, mine in zip(examples, units, strict=True)]
        return Rows(
            [p.ids for p in pieces],
            [[tagged[p.text][0][u] for u in p.units] for p in pieces],
            pieces,
            sum(inexact for _, inexact in tagged),
        )

    def weigh(self, rows: Rows) -> None:
        counts = np.bincount(_flat(rows.targets), minlength=self.model.width)
        weights = np.ones(self.model.width)
        weights[1:] = np.repeat(rarity(counts[1::2] + counts[2::2]), 2)
        self.weights = _tensor(weights, self.model)

    def loss(self, rows: Rows, part: list[int], tokens: list[list[int]]) -> "torch.Tensor":
        import torch

        target = torch.tensor([tag for i in part for tag in rows.targets[i]], device=self.model.device)
        logits = self.model.tag_logits([rows.pieces[i] for i in part], tokens)
        smoothing = self.config.label_smoothing
        return torch.nn.functional.cross_entropy(
            logits, target.long(), weight=self.weights, label_smoothing=smoothing, reduction="sum"
        )

    def units(self, rows: Rows, batch: list[int]) -> float:
        tags = [tag for i in batch for tag in rows.targets[i]]
        return max(1.0, len(tags) if self.weights is None else float(self.weights[tags].sum()))

    def start(self, rows: Rows, c: float, tick: Progress) -> None:
        """A head on the frozen states of the words: the token layer begins where a linear probe ends."""
        some = rows.pieces[: max(1, PROBED * len(rows.pieces) // max(1, sum(map(len, rows.targets))))]
        states = np.concatenate(self.model.of_pieces(self.model.word_states, some, tick))
        tags = _flat(rows.targets[: len(some)])
        if not len(tags):
            return
        norm = float((states.astype(np.float64) ** 2).sum(axis=1).mean())
        head = heads.fit(states, tags, n_classes=self.model.width, c=c / max(norm, 1e-6))
        self.model.start_from(head.weights, head.bias)

    def judge(self, rows: Rows, tick: Progress) -> Score:
        logits = self.model.of_pieces(self.model.tag_logits, rows.pieces, tick)
        flat, tags = np.concatenate(logits).astype(np.float64), _flat(rows.targets)
        if not len(tags):
            return Score(0.0, 0.0, 0.0)
        loss = cross_entropy(flat / heads.fit_temperature(flat, tags), tags)
        guesses = [part.argmax(axis=1).tolist() for part in logits]
        f1 = strict_f1(_whole(rows.pieces, rows.targets), _whole(rows.pieces, guesses))
        return Score(loss, f1, 1e-3 * loss - f1)  # most words are O, so the loss says little about entities

    def finish(self, rows: Rows) -> None:
        logits = np.concatenate(self.model.of_pieces(self.model.tag_logits, rows.pieces)).astype(np.float64)
        if len(logits):
            self.model.temperature = heads.fit_temperature(logits, _flat(rows.targets))


TASKS: dict[Task, type[Single]] = {"single": Single, "multi": Multi, "spans": Spans}  # soft.py has the others


def rarity(count: Floats | Ints, other: Floats | float | None = None) -> NDArray[np.float64]:
    """Weights (k,) that grow with the square root of the inverse count; 1 where a class is as frequent as the average
    (or as `other`, its negatives), 1 where it never occurs, at most HEAVIEST."""
    count = np.asarray(count, dtype=np.float64)
    against = count[count > 0].mean() if other is None and (count > 0).any() else other
    weights = np.sqrt(np.asarray(against if against is not None else 1.0) / np.maximum(count, 1))
    low = 1 / HEAVIEST if other is None else 1.0  # positives are never worth less than negatives
    return np.where(count > 0, np.clip(weights, low, HEAVIEST), 1.0)


def sigmoid_temperature(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """The T in [0.2, 5] with the lowest log-loss of sigmoid(logits / T) over (n, k), shrunk to 1 when n < 100."""
    from scipy.optimize import minimize_scalar

    def nll(log_t: float) -> float:
        return binary_cross_entropy(logits / np.exp(log_t), truth)

    log_t = float(minimize_scalar(nll, bounds=(-np.log(MAX_T), np.log(MAX_T)), method="bounded").x)
    return float(np.exp(log_t * min(1.0, len(logits) / 100)))


def cross_entropy(logits: NDArray[np.float64], target: Ints) -> float:
    from scipy.special import log_softmax

    return float(-log_softmax(logits, axis=1)[np.arange(len(target)), target].mean())


def binary_cross_entropy(logits: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    return float((np.logaddexp(0, logits) - logits * truth).mean())


def strict_f1(truths: Sequence[Sequence[int]], guesses: Sequence[Sequence[int]]) -> float:
    """Micro F1 of entities over tag sequences: one counts when both ends and the label agree. Equal to seqeval's."""
    told, found = ({(i, *e) for i, tags in enumerate(side) for e in spans.entities(tags)} for side in (truths, guesses))
    return 2 * len(told & found) / max(1, len(told) + len(found))


def _whole(pieces: Sequence[Piece], tags: Sequence[Sequence[int]]) -> list[list[int]]:
    """The tags of every text, its windows put together again."""
    texts: dict[int, dict[int, int]] = {}
    for piece, mine in zip(pieces, tags, strict=True):
        texts.setdefault(piece.text, {}).update(zip(piece.units, mine, strict=True))
    return [[found[u] for u in sorted(found)] for found in texts.values()]


def _flat(tags: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.array([tag for mine in tags for tag in mine], dtype=np.int64)


def _tensor(values: Floats, model: Classifier) -> "torch.Tensor":
    import torch

    return torch.tensor(values, dtype=torch.float32, device=model.device)
