"""A head that reads n-grams, alone or beside vectors, together with what turns texts into them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..types import Floats, LearningError
from . import ngrams
from .features import Both, Features
from .head import Head, MultiHead
from .ngrams import Ngrams


@dataclass(frozen=True, slots=True)
class TextHead:
    """`dense` columns of the inner head belong to vectors (0: none are needed), the others to n-grams."""

    head: Head | MultiHead
    ngrams: Ngrams
    dense: int

    @property
    def n_classes(self) -> int:
        return self.head.n_classes

    def features(self, texts: Sequence[str], vectors: Floats | None = None) -> Features:
        """(n, dense + n-grams). Raises LearningError when vectors are needed and not given."""
        if self.dense and vectors is None:
            raise LearningError("This head needs the vectors of the texts, too.")
        return features(texts, vectors if self.dense else None, self.ngrams)

    def probabilities(self, texts: Sequence[str], vectors: Floats | None = None) -> NDArray[np.float32]:
        """(n, k), as the inner head gives them."""
        return self.head.probabilities(self.features(texts, vectors))

    def to_bytes(self) -> bytes:
        from safetensors.numpy import load, save

        tensors = load(self.head.to_bytes())
        tensors |= {"dense": np.array([self.dense]), "scale": np.array([self.ngrams.scale])}
        # an n-gram without a weight needs no IDF but in the length of its row, so all are kept, at half precision
        return bytes(save(tensors | {"idf": self.ngrams.idf.astype(np.float16)}))

    @classmethod
    def from_bytes(cls, raw: bytes) -> "TextHead":
        """Raises LearningError when the bytes are no head on n-grams."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(bytes(raw))
            grams = Ngrams(tensors["idf"].astype(np.float32), float(tensors["scale"][0]))
            dense = int(tensors["dense"][0])
        except (SafetensorError, KeyError, IndexError) as error:
            raise LearningError("The stored head cannot be read.") from error
        kind = MultiHead if "thresholds" in tensors else Head
        return cls(kind.from_bytes(raw), grams, dense)


def features(texts: Sequence[str], vectors: Floats | None, grams: Ngrams) -> Features:
    """N-grams alone, or beside vectors (n, d)."""
    return grams(texts) if vectors is None else Both(np.asarray(vectors, dtype=np.float32), grams(texts))


def vocabulary(texts: Sequence[str], *, beside_vectors: bool) -> Ngrams:
    """N-grams weighted by how rare they are in these texts, at half precision, as they will be stored."""
    grams = Ngrams.of(texts, scale=ngrams.BESIDE if beside_vectors else 1.0)
    return replace(grams, idf=grams.idf.astype(np.float16).astype(np.float32))
