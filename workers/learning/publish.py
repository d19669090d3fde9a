"""From labelled examples to a published artefact: a linear head on frozen vectors, or a fine-tuned transformer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint, encoders, heads
from .checkpoint import WEIGHTS, Manifest
from .finetune import Config, OnEvent
from .finetune.loop import finetune
from .types import Cancelled, Example, Floats, LearningError, Task


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a model besides its examples."""

    kind: str  # "head" or "transformer"
    encoder: str
    label_order: list[list[Any]]
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    snapshot_hash: str = ""
    task: Task = "single"

    def check(self, examples: Sequence[Example]) -> None:
        """Refuse in words what cannot be learnt, before any work."""
        if self.kind not in ("head", "transformer"):
            raise LearningError(f"There is no kind of model called “{self.kind}”.")
        if self.kind == "transformer" and self.encoder == encoders.CHAR_NGRAMS:
            raise LearningError("Character n-grams have no weights to fine-tune. Publish a head, or choose an encoder.")
        labels = {e.label for e in examples}
        if None in labels:
            raise LearningError("An example has no label.")
        if any(not 0 <= int(label or 0) < len(self.label_order) for label in labels):
            raise LearningError("An example has a label outside the label order.")
        if len(labels) < 2:
            raise LearningError("At least two labels need examples before there is anything to learn.")
        if self.kind == "transformer":
            Config.of(self.config)


def publish(
    examples: Sequence[Example],
    recipe: Recipe,
    target: Path,
    *,
    vectors: Floats | None = None,
    work: Path | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Train and write the artefact at `target`. Raises LearningError in words, Cancelled when asked to stop."""
    recipe.check(examples)
    if recipe.kind == "head":
        return publish_head(examples, recipe, target, vectors=vectors, on_event=on_event, should_stop=should_stop)
    config = Config.of(recipe.config)
    model, metrics = finetune(
        examples,
        encoder=recipe.encoder,
        n_classes=len(recipe.label_order),
        config=config,
        seed=recipe.seed,
        device=recipe.device,
        work=work,
        on_event=on_event,
        should_stop=should_stop,
    )
    folder = checkpoint.prepare(target)
    model.save(folder, WEIGHTS)
    return checkpoint.publish(folder, target, _manifest(recipe, metrics.pop("config"), metrics))


def publish_head(
    examples: Sequence[Example],
    recipe: Recipe,
    target: Path,
    *,
    vectors: Floats | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Encode (unless `vectors` (n, d) are given), fit, cross-fit the temperature, write."""
    n, k = len(examples), len(recipe.label_order)

    def encoded(done: int) -> None:
        on_event({"event": "progress", "step": done, "steps": n, "epoch": 1, "loss": None})
        if should_stop():
            raise Cancelled

    if vectors is None:
        encoder = encoders.load(recipe.encoder, device=recipe.device, threads=recipe.config.get("threads"))
        vectors = encoder.encode([e.text for e in examples], on_progress=encoded)
    labels = np.array([e.label for e in examples], dtype=np.int64)
    c = float(recipe.config.get("c", 30.0))
    head = heads.fit(vectors, labels, n_classes=k, c=c)
    if should_stop():
        raise Cancelled
    warmth = heads.temperature(vectors, labels, n_classes=k, c=c, rng=np.random.default_rng(recipe.seed))
    head = heads.calibrated(head, warmth)
    on_event({"event": "log", "text": f"Fitted on {n} examples; temperature {warmth:.2f}."})
    folder = checkpoint.prepare(target)
    (folder / WEIGHTS).write_bytes(head.to_bytes())
    return checkpoint.publish(folder, target, _manifest(recipe, {"c": c}, {"n_train": n, "temperature": warmth}))


def _manifest(recipe: Recipe, config: dict[str, Any], metrics: dict[str, Any]) -> Manifest:
    return Manifest(
        kind=recipe.kind,
        encoder=recipe.encoder,
        encoder_digest=encoders.digest(recipe.encoder),
        label_order=recipe.label_order,
        seed=recipe.seed,
        snapshot_hash=recipe.snapshot_hash,
        task=recipe.task,
        config=config,
        metrics=metrics,
    )
