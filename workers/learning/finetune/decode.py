"""What a span model says, from its logits: entities with scores, and how sure it is of the whole text. No torch."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..sampling import spans as doubts
from ..types import ScoredSpan, SpanAnswer
from .reader import Tagged
from .spans import OUTSIDE, entities


def answer(tagged: Tagged, temperature: float = 1.0) -> SpanAnswer:
    """One text's logits (u, 1 + 2k) and units to spans; how sure it is by `mnlp` and `token_margin` of sampling."""
    logits, units = tagged
    if not units:
        return SpanAnswer((), 1.0, 1.0, 0)
    p: NDArray[np.float64] = softmax(logits.astype(np.float64) / temperature, axis=1)
    tags, best = p.argmax(axis=1), p.max(axis=1)
    found = tuple(
        ScoredSpan(units[first].start, units[last].end, label, float(best[first : last + 1].min()))
        for first, last, label in entities(tags.tolist())
    )
    sure = float(doubts.mnlp([p])[0]), float(doubts.token_margin([p], OUTSIDE)[0])
    return SpanAnswer(found, *sure, len(units))
