"""Settings for somebody who only presses Train: chosen by task, size and device, each with its reason. No torch."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from ..types import Task
from .config import Config

Kind = Literal["head", "transformer"]
NGRAMS = "char-ngrams"  # has no weights to train
FEW = 200  # labels; below, a head is hard to beat
PER_CLASS = 5  # examples of a label, on average, before fine-tuning beats the head (banking77: at 6.5 by 1.4 points)
SCARCE = 1_500  # labels; below, a tenth held back costs more accuracy than fine-tuning brings
MANY = 3_000  # labels; above, three passes are enough
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
    kind: Kind | None = None,
) -> Choice:
    """`device` is "cpu" or "cuda"; `lengths` are tokens (or words) per text, where somebody has counted them; `kind` is
    given by somebody who has decided that already."""
    found, why = _kind(task, n_examples, n_classes, encoder)
    if kind is not None and kind != found:
        found, why = kind, "Chosen by hand."
    if found == "head":
        return Choice("head", Config(), {"kind": why})
    picked = _by_size(task, n_examples) | _rates(task) | _by_length(lengths, device)
    if device.startswith("cuda"):
        picked["precision"] = ("auto", "The GPU computes in bf16, which halves time and memory at the same score.")
    config = Config.of({name: value for name, (value, _) in picked.items()})
    return Choice("transformer", config, {"kind": why} | {name: reason for name, (_, reason) in picked.items()})


def _kind(task: Task, n: int, k: int, encoder: str) -> tuple[Kind, str]:
    if encoder == NGRAMS:
        return "head", "Character n-grams have no weights to fine-tune, so a head is published on them."
    if task == "engagement":
        return "head", "A click says little; a head on the frozen encoder is hard to beat at foretelling them."
    if task == "spans":
        return "transformer", "Spans need a model that reads every word in its sentence."
    if n < max(FEW, PER_CLASS * k):
        return "head", f"With {n} examples for {k} labels a head on the frozen encoder is as good and takes seconds."
    return "transformer", f"{n} examples for {k} labels are enough for fine-tuning to beat the head."


def _by_size(task: Task, n: int) -> dict[str, tuple[Any, str]]:
    if n >= MANY:
        return {
            "epochs": (5 if task == "spans" else 3, f"{n} examples: a few passes see enough."),
            "batch_size": (32, "Larger batches use the machine better where steps are many."),
            "dev_share": (0.05, f"{round(0.05 * n)} examples are enough to judge by."),
        }
    return {
        "epochs": (15 if task == "spans" else 10, f"{n} examples: several passes, the rate falling to zero."),
        "batch_size": (16, "Small batches give more steps where examples are few."),
        "patience": (15, "Nothing is stopped early: with few examples the score of one epoch is mostly luck."),
        "dev_share": _dev_share(task, n),
    }


def _dev_share(task: Task, n: int) -> tuple[float, str]:
    if task == "single" and n < SCARCE:
        # measured on banking77: 0.759 with all 500 labels, 0.744 with nine in ten of them, 0.745 by the head on all
        return 0.0, f"Each of {n} labels teaches more than it would tell by being held back."
    return 0.1, f"{round(0.1 * n)} examples say how sure the model may be, and whether it beats the head."


def _rates(task: Task) -> dict[str, tuple[Any, str]]:
    if task == "spans":
        return {
            "learning_rate": (2e-4, "Words need the encoder to move further than whole texts do."),
            "head_learning_rate": (1e-3, "The layer that tags words reads states as they are, which are large."),
        }
    return {
        "learning_rate": (1e-4, "Of the rates tried on bank questions the one that beat the head by most."),
        "head_learning_rate": (1e-2, "The last layer reads vectors of length one and needs larger steps."),
    }


def _by_length(lengths: Sequence[int] | None, device: str) -> dict[str, tuple[Any, str]]:
    if lengths is None or not len(lengths):
        return {}
    cap = int(np.percentile(np.asarray(lengths), 99))
    if cap <= LONG or device.startswith("cuda"):
        return {}
    return {"gradient_checkpointing": (True, f"One text in a hundred is longer than {cap} tokens; this saves memory.")}
