"""One way in for jobs: which kind of derived version, from which parents."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..checkpoint import Manifest
from ..finetune import OnEvent
from ..types import Example, LearningError
from .distillation import distil
from .ensemble import ensemble
from .graph import to_onnx
from .prune import prune

KINDS = ("onnx", "prune", "distil", "ensemble")


def derive(
    kind: str,
    parents: Sequence[Path],
    target: Path,
    *,
    config: dict[str, Any],
    examples: Sequence[Example] = (),
    texts: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Do a job of one of KINDS. `config`: {"int8"} for onnx, {"share"} for prune, {"student", …} for distil.

    `texts` carry no labels: what a student may learn from besides `examples`, and what the others are compared on.
    """
    if not parents:
        raise LearningError("Name the version to start from.")
    if kind == "ensemble":
        return ensemble(parents, target, texts=_compared(examples, texts))
    if len(parents) > 1:
        raise LearningError("Only an ensemble is made from several versions.")
    if kind == "onnx":
        return to_onnx(parents[0], target, int8=bool(config.get("int8", False)), texts=_compared(examples, texts))
    if kind == "prune":
        return prune(parents[0], target, share=_share(config), texts=_compared(examples, texts))
    if kind == "distil":
        return distil(
            parents[0],
            target,
            examples=examples,
            texts=texts,
            config=config,
            seed=seed,
            device=device,
            on_event=on_event,
            should_stop=should_stop,
        )
    raise LearningError(f"There is no way called “{kind}” to make a smaller model.")


def _compared(examples: Sequence[Example], texts: Sequence[str]) -> list[str]:
    """Texts without labels first: the parent was fitted on the others."""
    return [*texts, *(e.text for e in examples)]


def _share(config: dict[str, Any]) -> float:
    try:
        return float(config.get("share", 0.5))
    except (TypeError, ValueError) as error:
        raise LearningError("The share of weights to prune lies between 0 and 1.") from error
