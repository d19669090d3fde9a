"""Smaller and faster models for serving: export, pruning, distillation, ensembles. Each reads published artefacts and
publishes another one, with its size, its latency and how far it agrees with what it was made from."""

from .derive import KINDS, derive
from .distillation import distil
from .ensemble import ensemble
from .graph import to_onnx
from .prune import prune

__all__ = ["KINDS", "derive", "distil", "ensemble", "prune", "to_onnx"]
