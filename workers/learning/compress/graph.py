"""Any version as one ONNX graph: fp32, or dynamic int8 with a quarter of the bytes."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import checkpoint, encoders, heads
from ..checkpoint import ONNX, WEIGHTS, Manifest
from ..encoders import backbone, onnx
from ..encoders.runtimes import pooled
from ..finetune import adapters
from ..finetune.classifier import Classifier
from ..finetune.graph import SETTINGS, TOKENIZER_FOLDER
from ..predict import Predictor
from ..types import LearningError
from .report import finish

if TYPE_CHECKING:
    import torch


def to_onnx(source: Path, target: Path, *, int8: bool, texts: Sequence[str] = ()) -> Manifest:
    """Publish the version in `source` as an ONNX graph at `target`; probabilities and spans are compared on `texts`.

    A fine-tuned model, or a head together with its encoder, becomes one graph from tokens to logits. Raises
    LearningError in words for what has no such graph: character n-grams, word n-grams, ensembles.
    """
    manifest = checkpoint.verify(source)
    module, tokenizer, settings = _module(source, manifest)

    def write(folder: Path) -> None:
        onnx.export(module, folder / ONNX, per_token=manifest.task == "spans")
        if int8:
            onnx.quantise(folder / ONNX, folder / "int8.onnx", tables=True)
            (folder / "int8.onnx").replace(folder / ONNX)
        tokenizer.save_pretrained(folder / TOKENIZER_FOLDER)
        (folder / SETTINGS).write_text(json.dumps(settings | {"task": manifest.task}), encoding="utf-8")

    config = {"source": manifest.digest, "source_kind": manifest.kind, "precision": "int8" if int8 else "fp32"}
    metrics = {"n_train": manifest.metrics.get("n_train"), "host": encoders.parity.host()}
    plain = replace(manifest, kind="onnx", config=config, metrics=metrics, files={})
    return finish(target, plain, write, source=Predictor(source, device="cpu"), texts=texts)


def _module(source: Path, manifest: Manifest) -> tuple[Any, Any, dict[str, Any]]:
    """(torch module from tokens to logits, tokeniser, what the reader of the graph must know)."""
    if manifest.kind == "transformer":
        return _of_transformer(Classifier.open(source, WEIGHTS))
    if manifest.kind == "head":
        return _of_head(manifest, heads.open((source / WEIGHTS).read_bytes()))
    raise LearningError(f"A version of the kind “{manifest.kind}” cannot be exported; choose what it was made from.")


def _of_transformer(model: Classifier) -> tuple[Any, Any, dict[str, Any]]:
    import torch

    if adapters.virtual_tokens(model.encoder):
        raise LearningError("A model with a learnt prefix has no ONNX form. Train it with another method to export it.")

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = model.encoder, model.head

        def forward(self, ids: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
            states = self.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
            if model.task != "spans":
                vectors = backbone.pool(states, mask, model.pooling)
                states = torch.nn.functional.normalize(vectors, dim=1)
            out: torch.Tensor = self.head(states)
            return out

    settings = {
        "max_length": model.reader.max_length,
        "prefix": model.reader.prefix,
        "width": model.width,
        "temperature": model.temperature,
    }
    return Logits().eval(), model.tokenizer, settings


def _of_head(manifest: Manifest, head: Any) -> tuple[Any, Any, dict[str, Any]]:
    import torch

    if manifest.encoder == encoders.CHAR_NGRAMS or isinstance(head, heads.TextHead):
        raise LearningError("N-grams are counted, not computed by a network: this version has no ONNX form.")
    name = encoders.in_precision(manifest.encoder, "fp32")
    spec = backbone.spec(name)
    model, tokenizer = backbone.open_model(name)
    linear = torch.nn.Linear(spec.dimension, head.n_classes)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(head.weights))
        linear.bias.copy_(torch.from_numpy(head.bias))

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.head = pooled(model, spec), linear

        def forward(self, ids: "torch.Tensor", mask: "torch.Tensor") -> "torch.Tensor":
            out: torch.Tensor = self.head(self.encoder(ids, mask))
            return out

    settings = {
        "max_length": spec.max_length,
        "prefix": spec.prefix,
        "width": head.n_classes,
        "temperature": head.temperature,
    }
    return Logits().eval(), tokenizer, settings
