"""Fine-tuning on distributions and weighted examples: users' corrections beside experts' labels, or clicks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import heads
from ..heads.soft import cross_entropy, temperature
from ..types import Example, Floats, LearningError, Progress, Task
from .tasks import TASKS, Rows, Score, Single, rarity

if TYPE_CHECKING:
    import torch


class Soft(Single):
    """One label per text, certain or not. Rows' targets are (n, k + 1): the distribution, then the weight."""

    @staticmethod
    def labels(example: Example) -> tuple[int, ...]:
        """A distribution has no label to balance or to set apart by."""
        if example.label is None and example.target is None:
            raise LearningError(f"Item {example.id} has no label.")
        return () if example.label is None or example.target is not None else (example.label,)

    def rows(self, examples: Sequence[Example]) -> Rows:
        targets = np.zeros((len(examples), self.model.n_classes + 1), dtype=np.float32)
        for row, example in enumerate(examples):
            if example.target is not None:
                targets[row, :-1] = example.target
            else:
                targets[row, self.labels(example)[0]] = 1
            targets[row, -1] = example.weight
        return Rows(self.model.tokenise([e.text for e in examples]), targets)

    def weigh(self, rows: Rows) -> None:
        import torch

        mass = rows.targets[:, :-1].T @ rows.targets[:, -1]
        self.weights = torch.tensor(rarity(mass), dtype=torch.float32, device=self.model.device)

    def loss(self, rows: Rows, part: list[int], tokens: list[list[int]]) -> "torch.Tensor":
        import torch

        given = torch.from_numpy(rows.targets[part]).to(self.model.device)
        smoothing, k = self.config.label_smoothing, self.model.n_classes
        target = given[:, :-1] * (1 - smoothing) + smoothing / k
        if self.weights is not None:
            target = target * self.weights
        log_p = torch.log_softmax(self.model.logits(tokens), dim=1)
        total: torch.Tensor = -(given[:, -1:] * target * log_p).sum()
        return total

    def units(self, rows: Rows, batch: list[int]) -> float:
        target, weight = rows.targets[batch, :-1], rows.targets[batch, -1]
        if self.weights is not None:
            weight = weight * (target @ self.weights.cpu().numpy())
        return max(float(weight.sum()), 1e-6)

    def start(self, rows: Rows, c: float, tick: Progress) -> None:
        x, (target, weight) = self.model.vectors(rows.tokens, tick), _parts(rows)
        head = heads.fit_soft(x, target, weight=weight, c=c)
        self.model.start_from(head.weights, head.bias)

    def judge(self, rows: Rows, tick: Progress) -> Score:
        logits, (target, weight) = self.model.predict_logits(rows.tokens, tick), _parts(rows)
        loss = _mean_loss(logits / temperature(logits, target, weight), target, weight)
        return Score(loss, float((logits.argmax(axis=1) == target.argmax(axis=1)).mean()), loss)

    def finish(self, rows: Rows) -> None:
        self.model.temperature = temperature(self.model.predict_logits(rows.tokens), *_parts(rows))


class Engagement(Soft):
    """Clicked or not: judged by how much better than the base rate it foretells clicks, in nats a showing."""

    metric = "log_loss_gain"

    def start(self, rows: Rows, c: float, tick: Progress) -> None:
        """How far the few clicks of an item are believed is cross-fitted; `c` is the most."""
        x, (target, weight) = self.model.vectors(rows.tokens, tick), _parts(rows)
        rng = np.random.default_rng(0)
        c, _logits = heads.trust(x, target, weight, among=[one for one in heads.TRUSTS if one <= c] or [c], rng=rng)
        head = heads.fit_soft(x, target, weight=weight, c=c)
        self.model.start_from(head.weights, head.bias)

    def judge(self, rows: Rows, tick: Progress) -> Score:
        score, (target, weight) = super().judge(rows, tick), _parts(rows)
        share = np.maximum(weight @ target / weight.sum(), 1e-9)
        base = float(-(weight @ (target @ np.log(share))) / weight.sum())
        return Score(score.loss, base - score.loss, score.merit)

    @staticmethod
    def luck(n: int) -> float:
        return 0.0


def task_for(task: Task, examples: Sequence[Example]) -> type[Single]:
    """Plain labels are learnt as they always were, bit for bit."""
    if task == "engagement":
        return Engagement
    if task == "single" and any(e.target is not None or e.weight != 1 for e in examples):
        return Soft
    return TASKS[task]


def _parts(rows: Rows) -> tuple[Floats, Floats]:
    return rows.targets[:, :-1].astype(np.float64), rows.targets[:, -1].astype(np.float64)


def _mean_loss(logits: Any, target: Floats, weight: Floats) -> float:
    return float(weight @ cross_entropy(logits, target) / weight.sum())
