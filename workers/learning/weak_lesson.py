"""From experts' examples and what users said to the examples of one run: asked for by choice, let in by the guard."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from . import heads, weak_guard
from .finetune.config import OnEvent
from .heads.features import joined
from .types import Example, Floats, LearningError
from .weak import Evidence

Encode = Callable[[list[str]], Floats]


def with_users(
    examples: Sequence[Example],
    evidence: Evidence,
    *,
    n_classes: int,
    c: float,
    ngrams: bool,
    vectors: Floats | None,
    encode: Encode,
    seed: int,
    on_event: OnEvent,
) -> tuple[list[Example], Floats | None, dict[str, Any]]:
    """(examples, their vectors where they were computed, what was found).

    The check is made with linear heads on the frozen encoder (on n-grams alone if `ngrams`), whatever is trained
    afterwards: a transformer's own cross-validation would cost twenty trainings. When nothing is let in, examples and
    vectors come back as they were.
    """
    texts = [e.text for e in examples]
    y = np.array([e.label for e in examples], dtype=np.int64)
    said = [text.text for text in evidence.texts]
    if not said:
        return list(examples), vectors, {"ratio": 0.0, "texts": 0}
    x: heads.Features
    x_weak: heads.Features
    if ngrams:
        grams = heads.vocabulary(texts, beside_vectors=False)
        x, x_weak = heads.features(texts, None, grams), heads.features(said, None, grams)
    else:
        x = encode(texts) if vectors is None else vectors
        x_weak = encode(said)
    rng = np.random.default_rng([seed, 1])
    choice = weak_guard.choose(x, y, x_weak, evidence, n_classes=n_classes, c=c, rng=rng)
    found = choice.as_dict()
    on_event({"event": "log", "text": _sentence(found)})
    known = vectors if ngrams else cast(Floats, x)
    if choice.ratio == 0:
        return list(examples), known, found
    target = weak_guard.known_only(choice.target, y)
    rows = np.flatnonzero(choice.weight > 0).tolist()
    more = [
        Example(evidence.texts[i].id, said[i], weight=float(choice.weight[i]), target=tuple(target[i].tolist()))
        for i in rows
    ]
    if any(e.id >= 0 for e in more):
        raise LearningError("The texts of users need ids below 0, so that they are never taken for items.")
    beside = None if ngrams else cast(Floats, joined(cast(Floats, x), cast(Floats, x_weak)[rows]))
    return [*examples, *more], beside, found


def _sentence(found: dict[str, Any]) -> str:
    if found["ratio"] == 0:
        return f"Nothing of what users said of {found['texts']} texts is let in: it does not help on experts' labels."
    return (
        f"What users said of {found['used']} texts is let in at {found['ratio']:g} of the experts' weight, "
        f"{found['mean_weight']:.2f} a text on average."
    )
