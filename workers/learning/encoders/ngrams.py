"""Character n-grams hashed into a dense vector: an encoder for any language, with nothing to download.

Every 1-, 2- and 3-gram is hashed (MurmurHash3, signed) and each hash bucket owns a fixed sparse random direction, so
the product is a very sparse random projection (Li, Hastie, Church 2006) of the n-gram counts. Inner products of the
counts survive with an error of about 1/sqrt(DIMENSION).
"""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import Progress

DIMENSION = 512
BUCKETS = 2**18
DIRECTIONS = 8  # non-zero coordinates per bucket
SEED = 20_230_817
CHUNK = 2_000  # texts per step; bounds the sparse matrix
RECIPE = f"char-ngrams 1-3 buckets={BUCKETS} directions={DIRECTIONS} d={DIMENSION} seed={SEED} log-tf v1"


class CharNgrams:
    """Texts to unit rows of shape (n, DIMENSION). Deterministic across processes and machines."""

    dimension = DIMENSION

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def encode(
        self, texts: list[str], *, batch_tokens: int = 0, on_progress: Progress | None = None
    ) -> NDArray[np.float32]:
        out = np.zeros((len(texts), DIMENSION), dtype=np.float32)
        for start in range(0, len(texts), CHUNK):
            stop = min(start + CHUNK, len(texts))
            counts = _vectorizer().transform(texts[start:stop])
            # the third "great" says little more than the second
            counts.data = np.sign(counts.data) * np.log1p(np.abs(counts.data))
            out[start:stop] = (counts @ _projection()).toarray()
            if on_progress is not None:
                on_progress(stop)
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        out /= np.maximum(norms, 1e-12)
        return out


@lru_cache(maxsize=1)
def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(analyzer="char", ngram_range=(1, 3), n_features=BUCKETS, norm=None, dtype=np.float32)


@lru_cache(maxsize=1)
def _projection() -> Any:
    """Sparse (BUCKETS, DIMENSION) matrix of ±1/sqrt(DIRECTIONS); the same everywhere because PCG64 is."""
    from scipy.sparse import csr_matrix

    rng = np.random.Generator(np.random.PCG64(SEED))
    columns = rng.integers(0, DIMENSION, size=BUCKETS * DIRECTIONS, dtype=np.int32)
    signs = rng.integers(0, 2, size=BUCKETS * DIRECTIONS, dtype=np.int8).astype(np.float32) * 2 - 1
    rows = np.arange(0, BUCKETS * DIRECTIONS + 1, DIRECTIONS, dtype=np.int32)
    data = signs / np.float32(np.sqrt(DIRECTIONS))
    return csr_matrix((data, columns, rows), shape=(BUCKETS, DIMENSION))
