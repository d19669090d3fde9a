"""Magnitude pruning (Han et al. 2015): the smallest weights of the whole network become zero.

Zeros are stored like any other number, so the file stays as large and, on dense kernels, as slow as it was; only packed
does it shrink. The report says both sizes.
"""

import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import checkpoint
from ..checkpoint import WEIGHTS, Manifest
from ..finetune.classifier import Classifier
from ..predict import Predictor
from ..types import LearningError
from .report import finish

PIECE = 1 << 22  # bytes packed at once


def prune(source: Path, target: Path, *, share: float, texts: Sequence[str] = ()) -> Manifest:
    """Set the `share` (0 … 1) of smallest weights to zero, over all linear layers of the encoder at once.

    Word vectors, biases, norms and the layer that says the labels stay whole.
    """
    manifest = checkpoint.verify(source)
    if manifest.kind != "transformer":
        raise LearningError("Only a fine-tuned transformer has weights to prune.")
    if not 0 < share < 1:
        raise LearningError("The share of weights to prune lies between 0 and 1.")
    model = Classifier.open(source, WEIGHTS)
    zeros, kept = _cut(model.encoder, share)
    metrics: dict[str, Any] = {
        "n_train": manifest.metrics.get("n_train"),
        "nonzero_share": kept / (zeros + kept),  # of the weights that could be pruned
        "pruned_weights": zeros,
    }

    def write(folder: Path) -> None:
        model.save(folder, WEIGHTS)
        metrics["packed_bytes"] = packed(folder / WEIGHTS)

    plain = replace(manifest, config={"source": manifest.digest, "share": share}, metrics={}, files={})
    return finish(target, plain, write, source=Predictor(source, device="cpu"), texts=texts, metrics=metrics)


def _cut(encoder: Any, share: float) -> tuple[int, int]:
    """(weights set to zero, weights left). One threshold for all layers: a layer that matters less loses more."""
    import torch

    weights = [m.weight for m in encoder.modules() if isinstance(m, torch.nn.Linear)]
    if not weights:
        raise LearningError("This encoder has no linear layers to prune.")
    with torch.no_grad():
        every = torch.cat([w.abs().flatten() for w in weights])
        wanted = max(1, round(share * len(every)))
        threshold = every.kthvalue(wanted).values
        for weight in weights:
            weight.masked_fill_(weight.abs() <= threshold, 0.0)
        zeros = sum(int((w == 0).sum()) for w in weights)
    return zeros, len(every) - zeros


def packed(file: Path) -> int:
    """Bytes of the file under zlib's fastest setting."""
    packer, total = zlib.compressobj(1), 0
    with file.open("rb") as handle:
        while piece := handle.read(PIECE):
            total += len(packer.compress(piece))
    return total + len(packer.flush())
