"""Settings for somebody who only presses Train: chosen by task, size and device, each with its reason. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

import numpy as np

from ..types import Task
from .config import Config

Kind = Literal["head", "transformer"]
NGRAMS = "char-ngrams"  # has no weights to train
FEW, MANY = 300, 3_000  # labels: below, a head is hard to beat; above, three passes are enough
LONG = 256  # tokens; longer texts fill the memory of a small machine


@dataclass(frozen=True, slots=True)
class Choice:
    """What would be trained and why. `reasons` names every setting that was chosen, in plain English."""

    kind: Kind
    config: Config
    reasons: dict[str, str] = field(default_factory=dict)

    def changed(self) -> dict[str, Any]:
        """The settings that differ from the plain defaults: what a form has to send."""
        plain = Config()
        return {name: value for name, value in asdict(self.config).items() if value != getattr(plain, name)}


def choose(
    task: Task,
    n_examples: int,
    n_classes: int,
    *,
    encoder: str,
    device: str,
    lengths: Sequence[int] | None = None,
) -> Choice:
    """`device` is "cpu" or "cuda"; `lengths` are tokens (or words) per text, where somebody has counted them."""
    kind, why = _kind(task, n_examples, n_classes, encoder)
    if kind == "head":
        return Choice("head", Config(), {"kind": why})
    picked: dict[str, tuple[Any, str]] = {}
    picked |= _by_size(n_examples)
    picked |= _by_length(lengths, device)
    if task == "spans":
        picked["start_c"] = (0.0, "No head exists for spans yet, so the token layer starts from chance.")
    known: Mapping[str, Any] = {f.name: f for f in fields(Config)}
    config = Config.of({name: value for name, (value, _) in picked.items() if name in known})
    return Choice("transformer", config, {"kind": why} | {name: reason for name, (_, reason) in picked.items()})


def _kind(task: Task, n: int, k: int, encoder: str) -> tuple[Kind, str]:
    if encoder == NGRAMS:
        return "head", "Character n-grams have no weights to fine-tune, so a head is published on them."
    if task == "spans":
        return "transformer", "Spans need a model that reads every word in its sentence."
    if n < FEW or n < 5 * k:
        return "head", f"With {n} examples for {k} labels a head on the frozen encoder is as good and takes seconds."
    return "transformer", f"{n} examples are enough for fine-tuning to beat the head."


def _by_size(n: int) -> dict[str, tuple[Any, str]]:
    if n < MANY:
        return {
            "epochs": (10, f"{n} examples: several passes, ended early when the dev score stops rising."),
            "batch_size": (16, "Small batches give more steps where examples are few."),
        }
    return {
        "epochs": (3, f"{n} examples: three passes see enough."),
        "batch_size": (32, "Larger batches use the machine better where steps are many."),
    }


def _by_length(lengths: Sequence[int] | None, device: str) -> dict[str, tuple[Any, str]]:
    if lengths is None or not len(lengths):
        return {}
    cap = int(np.percentile(np.asarray(lengths), 99))
    if cap <= LONG or device.startswith("cuda"):
        return {}
    return {"gradient_checkpointing": (True, f"One text in a hundred is longer than {cap} tokens; this saves memory.")}
