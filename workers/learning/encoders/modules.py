"""What a sentence-transformers folder says besides the transformer: pooling, dense layers, prompts, length.

Read from its JSON files, without torch and without that library. What cannot be reproduced is refused in words, because
a vector that is only nearly right would look like a weak model. Every encoder here ends in rows of length one, so a
Normalize module changes nothing and the mean over √length equals the mean.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..types import LearningError
from .naming import Pooling

if TYPE_CHECKING:
    import torch

KNOWN: dict[str, Pooling] = {
    "cls": "cls",
    "cls_token": "cls",
    "lasttoken": "last",
    "mean": "mean",
    "mean_tokens": "mean",
    "mean_sqrt_len_tokens": "mean",
    "max": "max",
    "max_tokens": "max",
}
ACTIVATIONS = {"Identity": "identity", "Tanh": "tanh", "ReLU": "relu", "GELU": "gelu"}
_OLD_KEY = "pooling_mode_"


@dataclass(frozen=True, slots=True)
class Dense:
    """activation(x W' + bias) on the pooled vector."""

    weights: Path  # safetensors with linear.weight and perhaps linear.bias
    width: int  # of what comes out
    activation: str


@dataclass(frozen=True, slots=True)
class Own:
    """What the folder says of itself."""

    pooling: Pooling = "mean"
    dense: tuple[Dense, ...] = ()
    max_length: int | None = None
    prompts: dict[str, str] = field(default_factory=dict)
    default_prompt: str | None = None

    def prompt(self, name: str | None, encoder: str) -> str:
        """The text of the prompt of that name, of the folder's default one, or nothing."""
        wanted = name or self.default_prompt
        if wanted is None:
            return ""
        if wanted not in self.prompts:
            there = ", ".join(sorted(self.prompts)) or "none"
            raise LearningError(f"The encoder “{encoder}” has no prompt “{wanted}”; it has {there}.")
        return self.prompts[wanted]


def read(folder: Path, encoder: str, *, pooling: Pooling | None = None) -> Own:
    """A pooling that is given uses the transformer alone, whatever the folder puts behind it.

    Raises LearningError for a module or a pooling that is not reproduced here.
    """
    own_pooling: Pooling = pooling or "mean"
    dense: list[Dense] = []
    for kind, place in _listed(folder) if pooling is None else []:
        if kind == "Pooling":
            own_pooling = _pooling(read_json(place / "config.json"), encoder)
        elif kind == "Dense":
            dense.append(_dense(place, encoder))
        elif kind not in ("Transformer", "Normalize"):
            raise LearningError(
                f"The encoder “{encoder}” ends in a module “{kind}”, which Marginalia does not reproduce. "
                "Name a pooling (…?pooling=mean) to use its transformer alone."
            )
    told = read_json(folder / "config_sentence_transformers.json")
    length = read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    return Own(
        pooling=own_pooling,
        dense=tuple(dense),
        max_length=int(length) if length else None,
        prompts={str(k): str(v) for k, v in (told.get("prompts") or {}).items()},
        default_prompt=told.get("default_prompt_name"),
    )


def read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LearningError(f"The file {path.name} of the encoder cannot be read.") from error
    return loaded


def apply_dense(vectors: "torch.Tensor", layers: list[tuple[Any, Any, str]]) -> "torch.Tensor":
    """(b, d) through the dense layers that `open_dense` opened."""
    import torch

    for weight, bias, activation in layers:
        vectors = torch.nn.functional.linear(vectors, weight, bias)
        if activation != "identity":
            vectors = getattr(torch.nn.functional, activation)(vectors)
    return vectors


def open_dense(layers: tuple[Dense, ...]) -> list[tuple[Any, Any, str]]:
    from safetensors.torch import load_file

    opened = []
    for layer in layers:
        tensors = load_file(layer.weights)
        bias = tensors.get("linear.bias")
        opened.append((tensors["linear.weight"].float(), None if bias is None else bias.float(), layer.activation))
    return opened


def _listed(folder: Path) -> list[tuple[str, Path]]:
    """(kind, folder) of every module; a folder without a list may still say how it pools."""
    file = folder / "modules.json"
    if not file.exists():
        place = folder / "1_Pooling"
        return [("Pooling", place)] if place.exists() else []
    entries: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return [(str(entry.get("type", "")).rsplit(".", 1)[-1], folder / str(entry.get("path", ""))) for entry in entries]


def _pooling(config: dict[str, Any], encoder: str) -> Pooling:
    told = config.get("pooling_mode")
    names = [told] if isinstance(told, str) else list(told or [])
    names += [key.removeprefix(_OLD_KEY) for key, value in config.items() if key.startswith(_OLD_KEY) and value is True]
    if not names:
        return "mean"
    if len(names) > 1 or names[0] not in KNOWN:
        raise LearningError(
            f"The encoder “{encoder}” pools by {' and '.join(names)}, which Marginalia does not reproduce. "
            "Name another pooling (…?pooling=mean) to use it all the same."
        )
    return KNOWN[names[0]]


def _dense(place: Path, encoder: str) -> Dense:
    config = read_json(place / "config.json")
    activation = str(config.get("activation_function") or "Identity").rsplit(".", 1)[-1]
    if activation not in ACTIVATIONS:
        raise LearningError(f"The dense layer of the encoder “{encoder}” uses {activation}, which is not known here.")
    weights = place / "model.safetensors"
    if not weights.exists():
        raise LearningError(f"The dense layer of the encoder “{encoder}” has no safetensors weights.")
    return Dense(weights=weights, width=int(config["out_features"]), activation=ACTIVATIONS[activation])
