"""What a span model says, from its logits: entities with scores, and how sure it is of the whole text. No torch."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from ..types import ScoredSpan, SpanAnswer
from .reader import Tagged
from .spans import OUTSIDE, entities

LOWEST = 3  # words whose margins make up the margin of a text; a mean over all would drown in O


def answer(tagged: Tagged, temperature: float = 1.0) -> SpanAnswer:
    """One text's logits (u, 1 + 2k) and units to spans.

    The confidence is exp of the mean log-probability of the likeliest tags (MNLP, Shen et al. 2018). The margin is that
    of the least certain words; doubt about a word counts by how likely it belongs to an entity at all.
    """
    logits, units = tagged
    if not units:
        return SpanAnswer((), 1.0, 1.0, 0)
    p: NDArray[np.float64] = softmax(logits.astype(np.float64) / temperature, axis=1)
    tags, best = p.argmax(axis=1), p.max(axis=1)
    second = np.partition(p, -2, axis=1)[:, -2]
    doubt = np.sort((1 - (best - second)) * (1 - p[:, OUTSIDE]))[::-1][:LOWEST]
    found = tuple(
        ScoredSpan(units[first].start, units[last].end, label, float(best[first : last + 1].min()))
        for first, last, label in entities(tags.tolist())
    )
    return SpanAnswer(found, float(np.exp(np.log(best).mean())), float(1 - doubt.mean()), len(units))
