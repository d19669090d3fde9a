"""Weak labels: what users said of answers, believed as far as the same kind of voice proved right where experts looked.

Every voice claims one thing about the true class y: “it is w” (a corrected label), “it is not k” (thumbs-down: a
complementary label, Ishida et al. 2017, Yu et al. 2018), or “it is k” (thumbs-up). Where the item also has an expert's
truth the claim was right or wrong, so each source has a beta posterior (right, wrong), shrunk from the person to the
channel to the kind, and from there to a sceptic's belief: that a voice tells next to nothing beyond what the model says
by itself. Its likelihood ratio (odds of being right over the odds that the model alone gives the claim) moves the
model's own distribution; several voices multiply (naive Bayes), a person's voice the less the more texts it spoke of.

The guard in weak_guard.py lets them in only where cross-validation on the experts' labels says that they help.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .heads import softmax
from .types import Floats, Interval, LearningError

Claim = Literal["is", "not", "up"]  # corrected label, thumbs-down, thumbs-up
CLAIMS: tuple[Claim, ...] = get_args(Claim)

BELIEF = 0.1  # how far an unmeasured source stands above the model's own guess, on the way to certainty
STRENGTH = 10.0  # imagined checks behind every belief: the sceptic's, the kind's, the channel's
PERSON_CAP = 20  # texts that one person speaks of with a full voice; a thousand together weigh no more than these
UP_SHARE = 0.5  # a thumbs-up mostly tells the model what it says already
STRONGEST = 200.0  # largest likelihood ratio: no voice is beyond doubt
NOBODY = -1


@dataclass(frozen=True, slots=True)
class Voice:
    """One claim about one text. People are numbers that mean nothing elsewhere; all without a name are NOBODY."""

    claim: Claim
    label: int
    source: str = ""  # the channel: widget, api, survey …
    person: int = NOBODY


@dataclass(frozen=True, slots=True)
class WeakText:
    """A text without an expert's truth, outside the hold-out, whose author consented."""

    id: int
    text: str
    voices: tuple[Voice, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """How often one person's claims of one kind over one channel proved right where an expert looked."""

    claim: Claim
    source: str
    person: int
    right: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Evidence:
    texts: Sequence[WeakText]
    checks: Sequence[Check] = ()

    def __post_init__(self) -> None:
        known = {voice.claim for text in self.texts for voice in text.voices} | {check.claim for check in self.checks}
        if known - set(CLAIMS):
            raise LearningError("A user's signal claims something that cannot be learnt from.")


@dataclass(frozen=True, slots=True)
class Reliability:
    """What is known of one kind of claim, for people to read."""

    claim: Claim
    checked: int
    right: int
    rate: float  # posterior mean
    interval: Interval  # 95 % of the posterior
    base: float  # how often the claim would be right by the model's own probabilities
    voices: int

    @property
    def credibility(self) -> float:
        """0: no better than the model's own guess, 1: never wrong."""
        return max(0.0, (self.rate - self.base) / (1 - self.base))

    def as_dict(self) -> dict[str, Any]:
        return {
            "claim": self.claim,
            "checked": self.checked,
            "right": self.right,
            "rate": round(self.rate, 4),
            "low": round(self.interval.low, 4),
            "high": round(self.interval.high, 4),
            "base": round(self.base, 4),
            "credibility": round(self.credibility, 4),
            "voices": self.voices,
        }


class Sources:
    """Beta posteriors of all sources. `base`: how often claims of a kind are right if the model is believed."""

    def __init__(self, checks: Iterable[Check], base: dict[Claim, float]) -> None:
        self.base = {claim: float(np.clip(base.get(claim, 0.5), 0.02, 0.98)) for claim in CLAIMS}
        self._seen: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0, 0])
        for check in checks:
            # one who was checked a thousand times does not speak for the others
            share = 1.0 if check.person == NOBODY else min(1.0, PERSON_CAP / max(1, check.right + check.wrong))
            for path in _paths(check.claim, check.source, check.person):
                self._seen[path][0] += share * check.right
                self._seen[path][1] += share * check.wrong

    def rate(self, voice: Voice) -> float:
        """Probability that this voice's claim is right: the posterior mean, from the kind down to the person."""
        base = self.base[voice.claim]
        mean = base + BELIEF * (1 - base)
        seen = [self._seen.get(path, (0, 0)) for path in _paths(voice.claim, voice.source, voice.person)]
        for (right, wrong), (own_right, own_wrong) in zip(seen, [*seen[1:], (0, 0)], strict=True):
            # what the next step knows of itself is no news to it
            others, failed = right - own_right, wrong - own_wrong
            mean = (others + STRENGTH * mean) / (others + failed + STRENGTH)
        return mean

    def ratio(self, voice: Voice) -> float:
        """Likelihood ratio of the claim, at least 1: a source that is mostly wrong is not heard, nor turned round."""
        return float(np.clip(_odds(self.rate(voice)) / _odds(self.base[voice.claim]), 1.0, STRONGEST))

    def credibility(self, voice: Voice) -> float:
        base = self.base[voice.claim]
        share = UP_SHARE if voice.claim == "up" else 1.0
        return share * max(0.0, (self.rate(voice) - base) / (1 - base))

    def report(self, texts: Sequence[WeakText]) -> list[Reliability]:
        """One row per kind of claim that was made or checked."""
        from scipy.special import betaincinv

        heard = Counter(voice.claim for text in texts for voice in text.voices)
        rows = []
        for claim in CLAIMS:
            right, wrong = self._seen.get((claim,), (0, 0))
            if not heard[claim] and not right + wrong:
                continue
            base = self.base[claim]
            before = base + BELIEF * (1 - base)
            a, b = right + STRENGTH * before, wrong + STRENGTH * (1 - before)
            interval = Interval(float(betaincinv(a, b, 0.025)), float(betaincinv(a, b, 0.975)))
            checked, held = round(right + wrong), round(right)
            rows.append(Reliability(claim, checked, held, a / (a + b), interval, base, heard[claim]))
        return rows


def _paths(claim: Claim, source: str, person: int) -> list[tuple[Any, ...]]:
    """From the kind down to the person; those without a name are nobody in particular."""
    paths: list[tuple[Any, ...]] = [(claim,), (claim, source)]
    return paths if person == NOBODY else [*paths, (claim, source, person)]


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return share / (1 - share)


def one_each(voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """One voice per person: a corrected label says more than a thumb, and of equals the last one counts."""
    best: dict[int, Voice] = {}
    for voice in voices:
        known = best.get(voice.person)
        if known is None or CLAIMS.index(voice.claim) <= CLAIMS.index(known.claim):
            best[voice.person] = voice
    return tuple(best.values())


def base_rates(texts: Sequence[WeakText], prior: Floats) -> dict[Claim, float]:
    """How often each kind of claim is right if the model's (n, k) probabilities are believed.

    Thumbs of both kinds share one base, that of all texts with a thumb: which texts get a thumbs-down is no accident.
    """
    named: list[float] = []
    thumbed: list[float] = []
    for row, text in enumerate(texts):
        for voice in text.voices:
            (named if voice.claim == "is" else thumbed).append(float(prior[row, voice.label]))
    found: dict[Claim, float] = {}
    if named:
        found["is"] = float(np.mean(named))
    if thumbed:
        found["up"] = float(np.mean(thumbed))
        found["not"] = 1 - found["up"]
    return found


def targets(texts: Sequence[WeakText], sources: Sources, prior: Floats) -> tuple[NDArray[np.float32], Floats]:
    """What to learn from n texts: distributions (n, k) and weights (n,) in 0..1, from the model's own (n, k).

    The model must not have learnt from these texts. A claim that a class fits multiplies its probability by the voice's
    ratio, a claim that it does not fit multiplies all the others'. The weight is the probability that at least one of
    the voices can be believed.
    """
    log_p = np.log(np.maximum(np.asarray(prior, dtype=np.float64), 1e-9))
    doubt = np.ones(len(texts))
    heard = [one_each(text.voices) for text in texts]
    spoken = Counter(voice.person for voices in heard for voice in voices)
    for row, voices in enumerate(heard):
        for voice in voices:
            share = min(1.0, PERSON_CAP / spoken[voice.person])
            step = share * np.log(sources.ratio(voice))
            log_p[row, voice.label] += -step if voice.claim == "not" else step
            doubt[row] *= 1 - share * sources.credibility(voice)
    return softmax(log_p.astype(np.float32)), 1 - doubt


def scaled(weight: Floats, ratio: float, experts: int) -> Floats:
    """Weights times `ratio`, and together never more than `ratio` times the experts' labels."""
    total = float(weight.sum())
    return weight * ratio * min(1.0, experts / total if total > 0 else 1.0)
