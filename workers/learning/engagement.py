"""Learning what people click: every item is as many examples as it was shown, each with one of two outcomes.

Classes are (not clicked, clicked). An item shown n times of which c were clicked is one example with the target
[1 − c/n, c/n] and the weight n, which is the binomial likelihood. One that went round the world would decide alone, so
weights are capped, and scaled to a mean of 1 so that settings mean the same at any traffic.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .types import Example, LearningError

CAP = 10.0  # times the median number of showings that an item counts with at most
CLASSES = 2


def balanced(examples: Sequence[Example]) -> list[Example]:
    """Examples with targets over two classes and weights that are showings to ones that can be learnt from.

    Raises LearningError in words for an example without counts, and when nobody clicked, or everybody did.
    """
    for example in examples:
        if example.target is None or len(example.target) != CLASSES or example.weight < 0:
            raise LearningError(f"Item {example.id} does not say how often it was shown and clicked.")
    shown = np.array([e.weight for e in examples])
    clicks = float(sum(e.weight * (e.target or (0, 0))[1] for e in examples))
    if not 0 < clicks < shown.sum():
        raise LearningError("There must be items that were clicked and showings without a click.")
    capped = np.minimum(shown, max(1.0, CAP * float(np.median(shown[shown > 0]))))
    weight = capped / capped[capped > 0].mean()
    return [replace(e, weight=float(w)) for e, w in zip(examples, weight, strict=True) if w > 0]
