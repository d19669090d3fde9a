"""The state of an unfinished training run: weights, optimizer moments, random generators, and where it stood.

Tensors are safetensors; a small JSON names them with their SHA-256 and is replaced last, so a crash between the two
leaves the older pair in force. Frozen parameters are not stored: they come back from the base encoder.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..checkpoint import file_sha256, write_synced
from ..types import LearningError
from . import adapters
from .classifier import Classifier

if TYPE_CHECKING:
    import torch

STATE = "state.json"
P = TypeVar("P")


class Store:
    """Checkpoints of one run below `work`; without a folder only the best weights are kept, in memory."""

    def __init__(self, work: Path | None, key: str) -> None:
        self.work, self.key = work, key  # `key` says what is trained: another run's checkpoint is not taken up
        self.best: dict[str, Any] | None = None
        self.best_file: str | None = None
        if work:
            work.mkdir(parents=True, exist_ok=True)

    def save(self, model: Classifier, optimizer: Any, at: Any) -> None:
        if self.work is None:
            return
        import torch
        from safetensors.torch import save

        tensors = {f"model.{name}": tensor for name, tensor in _trainable(model).items()}
        for i, entry in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{i}.{name}": value for name, value in entry.items()}
        tensors |= {f"adapter.{name}": tensor for name, tensor in adapters.memory(model.encoder).items()}
        tensors["random.cpu"] = torch.get_rng_state()
        if model.device.startswith("cuda"):
            tensors["random.cuda"] = torch.cuda.get_rng_state()
        name = f"state-{at.step}.safetensors"
        write_synced(self.work / name, save({k: v.detach().cpu().contiguous() for k, v in tensors.items()}))
        files = [name] + ([self.best_file] if self.best_file else [])
        record = {
            "key": self.key,
            "progress": asdict(at),
            "tensors": name,
            "best": self.best_file,
            "files": {file: file_sha256(self.work / file) for file in files},
        }
        write_synced(self.work / STATE, json.dumps(record).encode())
        self._forget_all_but(files)

    def load(self, model: Classifier, optimizer: Any, kind: type[P]) -> P | None:
        """Take up the last checkpoint; None when there is none of this run. Refuses changed files in words."""
        if self.work is None or not (self.work / STATE).exists():
            return None
        record = json.loads((self.work / STATE).read_text(encoding="utf-8"))
        if record["key"] != self.key:
            return None
        for file, digest in record["files"].items():
            if not (self.work / file).is_file() or file_sha256(self.work / file) != digest:
                raise LearningError(f"The checkpoint is damaged: {file} is not what was written.")
        self._restore(self.work / record["tensors"], model, optimizer)
        self.best_file = record["best"]
        return kind(**record["progress"])

    def save_best(self, model: Classifier, epoch: int) -> None:
        """Keep these weights; the ones before stay until a checkpoint no longer names them."""
        if self.work is None:
            self.best = {name: tensor.detach().clone() for name, tensor in _trainable(model).items()}
            return
        from safetensors.torch import save

        self.best_file = f"best-{epoch + 1}.safetensors"
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in _trainable(model).items()}
        write_synced(self.work / self.best_file, save(weights))

    def load_best(self, model: Classifier) -> None:
        from safetensors.torch import load_file

        if self.work is not None and self.best_file is not None:
            model.modules.load_state_dict(load_file(self.work / self.best_file), strict=False)
        elif self.best is not None:
            model.modules.load_state_dict(self.best, strict=False)

    def _restore(self, path: Path, model: Classifier, optimizer: Any) -> None:
        import torch
        from safetensors.torch import load_file

        tensors = load_file(path)
        model.modules.load_state_dict(_below(tensors, "model."), strict=False)
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in _below(tensors, "optimizer.").items():
            index, field = name.split(".", 1)
            moments.setdefault(int(index), {})[field] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        adapters.remember(model.encoder, _below(tensors, "adapter."))
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and model.device.startswith("cuda"):
            torch.cuda.set_rng_state(tensors["random.cuda"])

    def _forget_all_but(self, files: list[str]) -> None:
        if self.work is None:
            return
        for old in [
            *self.work.glob("state-*.safetensors"),
            *self.work.glob("best-*.safetensors"),
            *self.work.glob(".*.partial"),
        ]:
            if old.name not in files:
                old.unlink()


def _trainable(model: Classifier) -> "dict[str, torch.Tensor]":
    return {name: p for name, p in model.modules.named_parameters() if p.requires_grad}


def _below(tensors: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
