"""Linear models and how they are stored. How they are found stands in multinomial.py and multilabel.py."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from ..types import LearningError
from .features import Features, scores

CHUNK = 8_192  # rows scored at once: 77 classes × 8,192 × 4 bytes stay near the cache
SPARSE_SHARE = 0.5  # weights with more all-zero columns than this are stored without them

Glance = tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Head:
    """softmax((x W' + bias) / temperature) over k classes in the caller's label order."""

    weights: NDArray[np.float32]  # (k, d)
    bias: NDArray[np.float32]  # (k,)
    temperature: float = 1.0

    @property
    def n_classes(self) -> int:
        return len(self.bias)

    def probabilities(self, x: Features) -> NDArray[np.float32]:
        """(n, d) features, any float type, memory maps included, to (n, k) rows that sum to one."""
        weights, bias = _scaled(self)
        out = np.empty((x.shape[0], len(bias)), dtype=np.float32)
        for part in chunks(x.shape[0]):
            out[part] = scores(x[part], weights).T
            out[part] += bias
            softmax(out[part])
        return out

    def glance(self, x: Features) -> Glance:
        """(likeliest class, its probability, margin to the second), each (n,), without ever holding (n, k)."""
        weights, bias = _scaled(self)
        n = x.shape[0]
        label = np.empty(n, dtype=np.int32)
        best, gap = np.empty(n, dtype=np.float32), np.empty(n, dtype=np.float32)
        for part in chunks(n):
            logits = scores(x[part], weights)
            logits += bias[:, None]
            top = logits.max(axis=0)
            label[part] = logits.argmax(axis=0)
            logits -= top
            np.exp(logits, out=logits)
            total = logits.sum(axis=0)
            columns = np.arange(logits.shape[1])
            logits[label[part], columns] = 0.0
            second = logits.max(axis=0)
            best[part] = 1.0 / total
            gap[part] = (1.0 - second) / total
        return label, best, gap

    def to_bytes(self) -> bytes:
        return pack(weights=self.weights, bias=self.bias, temperature=np.array([self.temperature]))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "Head":
        """Raises LearningError when the bytes are no head."""
        weights, bias, temperature, _ = unpack(raw)
        return cls(weights, bias, temperature)


@dataclass(frozen=True, slots=True)
class MultiHead:
    """sigmoid((x W' + bias) / temperature) for each of k labels alone; a label is given from its threshold on."""

    weights: NDArray[np.float32]  # (k, d)
    bias: NDArray[np.float32]  # (k,)
    thresholds: NDArray[np.float32]  # (k,) probabilities
    temperature: float = 1.0

    @property
    def n_classes(self) -> int:
        return len(self.bias)

    def probabilities(self, x: Features) -> NDArray[np.float32]:
        """(n, d) features to (n, k) independent probabilities."""
        weights, bias = _scaled(self)
        out = np.empty((x.shape[0], len(bias)), dtype=np.float32)
        for part in chunks(x.shape[0]):
            expit(scores(x[part], weights).T + bias, out=out[part])
        return out

    def labels(self, probabilities: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(n, k): which labels are given."""
        given: NDArray[np.bool_] = probabilities >= self.thresholds
        return given

    def glance(self, x: Features) -> Glance:
        """(likeliest label, its probability, certainty), each (n,). Certainty is one minus the mean uncertainty of the
        labels, where a label's uncertainty falls from one at p = ½ to zero at 0 and 1 (see sampling.multilabel)."""
        label = np.empty(x.shape[0], dtype=np.int32)
        best, sure = np.empty(x.shape[0], dtype=np.float32), np.empty(x.shape[0], dtype=np.float32)
        for part in chunks(x.shape[0]):
            p = self.probabilities(x[part])
            label[part], best[part] = p.argmax(axis=1), p.max(axis=1)
            sure[part] = np.abs(2 * p - 1).mean(axis=1)
        return label, best, sure

    def to_bytes(self) -> bytes:
        return pack(
            weights=self.weights,
            bias=self.bias,
            temperature=np.array([self.temperature]),
            thresholds=self.thresholds,
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> "MultiHead":
        """Raises LearningError when the bytes are no multi-label head."""
        weights, bias, temperature, thresholds = unpack(raw)
        if thresholds is None or thresholds.shape != bias.shape:
            raise LearningError("The stored head is not one of several labels.")
        return cls(weights, bias, thresholds, temperature)


def chunks(n: int) -> list[slice]:
    return [slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK)]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """In place over the last axis of (n, k)."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def pack(*, weights: NDArray[np.float32], **tensors: NDArray[Any]) -> bytes:
    """A safetensors file; of weights on n-grams only the columns that are not zero."""
    from safetensors.numpy import save

    used = np.flatnonzero(np.abs(weights).sum(axis=0))
    if len(used) < SPARSE_SHARE * weights.shape[1]:
        tensors |= {"columns": used, "width": np.array([weights.shape[1]])}
        weights = np.ascontiguousarray(weights[:, used])
    return bytes(save({"weights": np.ascontiguousarray(weights), **tensors}))


def unpack(raw: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32], float, NDArray[np.float32] | None]:
    """(weights, bias, temperature, thresholds or None) that `pack` wrote."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(bytes(raw))
        weights, bias = tensors["weights"], tensors["bias"]
        temperature = float(tensors["temperature"][0])
        if "columns" in tensors:
            full = np.zeros((len(weights), int(tensors["width"][0])), dtype=np.float32)
            full[:, tensors["columns"]] = weights
            weights = full
    except (SafetensorError, KeyError, IndexError, ValueError) as error:
        raise LearningError("The stored head cannot be read.") from error
    if weights.ndim != 2 or bias.shape != (len(weights),) or not temperature > 0:
        raise LearningError("The stored head has the wrong shape.")
    return weights, bias, temperature, tensors.get("thresholds")


def _scaled(head: Head | MultiHead) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scale = np.float32(1.0 / head.temperature)
    return head.weights * scale, head.bias * scale
