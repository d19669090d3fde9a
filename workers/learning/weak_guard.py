"""How much of the users' weak labels is let into training: as much as experts' labels, unseen, say is good."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .heads import Head, fit, fit_soft, fit_temperature, softmax
from .heads.features import Features, joined, scores
from .heads.soft import cross_entropy
from .types import Floats, Ints
from .weak import Evidence, Reliability, Sources, base_rates, scaled, targets

RATIOS = (0.0, 0.1, 0.3, 1.0)  # total weak weight over the experts' that is tried
FOLDS = 5
LEAST = 30  # expert labels below which nothing can be checked, so nothing weak is let in


@dataclass(frozen=True, slots=True)
class Choice:
    """How much of the weak labels is let in, and why."""

    ratio: float  # 0: nothing
    target: NDArray[np.float32] = field(repr=False)  # (m, k)
    weight: NDArray[np.float32] = field(repr=False)  # (m,) as to be used, the ratio in it
    temperature: float  # of a head that learnt with them
    reliability: list[Reliability]
    tried: list[dict[str, float]]  # ratio, loss and accuracy on experts' labels out of fold
    voices: int

    def as_dict(self) -> dict[str, Any]:
        used = self.weight[self.weight > 0]
        return {
            "ratio": self.ratio,
            "texts": len(self.weight),
            "voices": self.voices,
            "used": len(used),
            "mean_weight": round(float(used.mean()), 4) if len(used) else 0.0,
            "reliability": [row.as_dict() for row in self.reliability],
            "tried": self.tried,
        }


def choose(
    x: Features,
    y: Ints,
    x_weak: Features,
    evidence: Evidence,
    *,
    n_classes: int,
    c: float = 30.0,
    ratios: Sequence[float] = RATIOS,
    rng: np.random.Generator,
) -> Choice:
    """The share of weak weight under which a head answers the experts' labels best when it has not seen them.

    (n, d) features and classes (n,) of the experts, (m, d) features of the weak texts. In every fold the weak targets
    come from a head on that fold's labels alone. The smallest share within one standard error of the best (paired, in
    log-loss) is taken, and none that answers fewer questions rightly than without, so that in doubt nothing weak is let
    in (one-standard-error rule, Breiman et al. 1984).
    """
    y = np.asarray(y, dtype=np.int64)
    texts, n, m = evidence.texts, len(y), len(evidence.texts)
    head = fit(x, y, n_classes=n_classes, c=c)
    folded = _Folded(x, y, x_weak, evidence, k=n_classes, c=c, rng=rng) if n >= LEAST and m else None
    warmth = folded.temperature if folded else 1.0
    prior = _said(head, x_weak, warmth) if m else np.zeros((0, n_classes), dtype=np.float32)
    sources = Sources(evidence.checks, base_rates(texts, prior))
    target, weight = targets(texts, sources, prior)
    ratio, tried, temperature = folded.best(ratios) if folded and weight.sum() > 0 else (0.0, [], warmth)
    return Choice(
        ratio=ratio,
        target=target,
        weight=np.asarray(scaled(weight, ratio, n), dtype=np.float32),
        temperature=temperature,
        reliability=sources.report(texts),
        tried=tried,
        voices=sum(len(text.voices) for text in texts),
    )


class _Folded:
    """Experts' labels answered by heads that did not see them, for any share of weak weight."""

    def __init__(
        self, x: Any, y: Ints, x_weak: Any, evidence: Evidence, *, k: int, c: float, rng: np.random.Generator
    ) -> None:
        self.x, self.y, self.x_weak, self.evidence, self.k, self.c = x, y, x_weak, evidence, k, c
        self.fold = rng.permutation(len(y)) % FOLDS
        self.heads = [fit(x[self._inside(f)], y[self._inside(f)], n_classes=k, c=c) for f in range(FOLDS)]
        plain = self._logits(self.heads)
        # an item whose class the fold never saw says nothing about confidence
        known = np.stack([np.bincount(y[self._inside(f)], minlength=k) > 0 for f in range(FOLDS)])
        self.usable = known[self.fold, y]
        self.plain = plain[self.usable]
        self.wanted = y[self.usable]
        self.temperature = self._warmth(self.plain)

    def best(self, ratios: Sequence[float]) -> tuple[float, list[dict[str, float]], float]:
        """(ratio, what was tried, temperature)."""
        made = [self._targets(head) for head in self.heads]
        logits = {0.0: self.plain} | {
            ratio: self._logits([self._with(f, ratio, *made[f]) for f in range(FOLDS)])[self.usable]
            for ratio in ratios
            if ratio > 0
        }
        warmth = {ratio: self._warmth(found) for ratio, found in logits.items()}
        aim = np.eye(self.k)[self.wanted]
        loss = {ratio: cross_entropy(found / warmth[ratio], aim) for ratio, found in logits.items()}
        right = {ratio: found.argmax(axis=1) == self.wanted for ratio, found in logits.items()}
        tried = [
            {"ratio": r, "loss": round(float(loss[r].mean()), 5), "accuracy": round(float(right[r].mean()), 5)}
            for r in sorted(logits)
        ]
        fair = [r for r in logits if right[r].sum() >= right[0.0].sum()]
        top = min(fair, key=lambda r: float(loss[r].mean()))
        good = [r for r in fair if _within_one_error(loss[r] - loss[top])]
        return min(good), tried, warmth[min(good)]

    def _inside(self, f: int) -> Ints:
        return np.flatnonzero(self.fold != f)

    def _targets(self, head: Head) -> tuple[NDArray[np.float32], Floats]:
        texts, prior = self.evidence.texts, _said(head, self.x_weak, self.temperature)
        return targets(texts, Sources(self.evidence.checks, base_rates(texts, prior)), prior)

    def _with(self, f: int, ratio: float, target: NDArray[np.float32], weight: Floats) -> Head:
        inside = self._inside(f)
        every = joined(self.x[inside], self.x_weak)
        return blend(every, self.y[inside], target, scaled(weight, ratio, len(inside)), c=self.c)

    def _logits(self, heads: Sequence[Head]) -> NDArray[np.float64]:
        out = np.empty((len(self.y), self.k))
        for f, head in enumerate(heads):
            outside = np.flatnonzero(self.fold == f)
            out[outside] = scores(self.x[outside], head.weights).T + head.bias
        return out

    def _warmth(self, logits: Floats) -> float:
        present = np.unique(self.wanted)
        if len(present) < 2:
            return 1.0
        return fit_temperature(logits[:, present], np.searchsorted(present, self.wanted))


def blend(x: Features, y: Ints, target: Floats, weight: Floats, *, c: float) -> Head:
    """A head on experts' labels (n,) at full weight and on weak targets (m, k) at theirs; x is (n + m, d).

    Users cannot bring in a class that no expert has shown.
    """
    certain = np.eye(target.shape[1], dtype=np.float32)[y]
    aims = np.concatenate([certain, known_only(target, y)])
    return fit_soft(x, aims, weight=np.concatenate([np.ones(len(y)), weight]), c=c)


def known_only(target: Floats, y: Ints) -> NDArray[np.float32]:
    """Weak targets (m, k) over the classes that experts (n,) have shown."""
    k = target.shape[1]
    kept = np.asarray(target * (np.bincount(y, minlength=k) > 0), dtype=np.float32)
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), 1e-9)
    return kept


def _said(head: Head, x: Any, warmth: float) -> NDArray[np.float32]:
    return softmax(((scores(x, head.weights).T + head.bias) / warmth).astype(np.float32))


def _within_one_error(more: Floats) -> bool:
    return bool(more.mean() <= more.std(ddof=1) / np.sqrt(len(more)) + 1e-12)
