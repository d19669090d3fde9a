"""What several span models say together. No torch."""

from collections.abc import Sequence

import numpy as np

from ..types import ScoredSpan, SpanAnswer


def vote(answers: Sequence[SpanAnswer]) -> SpanAnswer:
    """One text read by several models: a span stays when more than half of them found exactly it, label included.

    Its score is the mean over all models, where one that did not find it counts 0. Of two that overlap, which only
    models with overlapping spans can cause, the better scored one stays.
    """
    scores: dict[tuple[int, int, int], list[float]] = {}
    for answer in answers:
        for span in answer.spans:
            scores.setdefault((span.start, span.end, span.label), []).append(span.score)
    agreed = [
        ScoredSpan(*key, sum(found) / len(answers)) for key, found in scores.items() if len(found) > len(answers) / 2
    ]
    kept: list[ScoredSpan] = []
    for span in sorted(agreed, key=lambda s: (-s.score, s.start, s.end, s.label)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return SpanAnswer(
        spans=tuple(sorted(kept, key=lambda s: (s.start, s.end))),
        confidence=float(np.mean([a.confidence for a in answers])),
        margin=float(np.mean([a.margin for a in answers])),
        tokens=max(a.tokens for a in answers),
    )
