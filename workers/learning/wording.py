"""How texts are worded, as vectors that are near when two texts share most of their letters in the same order.

The 1-, 2- and 3-grams of the letters are counted, damped and projected to DIMENSION numbers by a very sparse random
matrix (Li, Hastie, Church, KDD 2006), as in encoders/ngrams.py, from which it takes the projection. The n-grams are
hashed over all texts at once by array operations, not one by one: about ten times as fast, and it is all that a queue
of complaints waits for.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .encoders.ngrams import BUCKETS, DIMENSION, _projection

CHUNK = 4_000  # texts at once; bounds the memory
LONGEST = 2_000  # code points that are read of a text
_MIX = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9))


def read(texts: Sequence[str]) -> NDArray[np.float32]:
    """(n, DIMENSION) rows of length one; zero for an empty text. Case and kind of space make no difference."""
    out = np.zeros((len(texts), DIMENSION), dtype=np.float32)
    for start in range(0, len(texts), CHUNK):
        counts = _counts([" ".join(text[:LONGEST].lower().split()) for text in texts[start : start + CHUNK]])
        out[start : start + CHUNK] = (counts @ _projection()).toarray()
    out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
    return out


def _counts(texts: list[str]) -> Any:
    """Sparse (n, BUCKETS): log(1 + how often) of every n-gram."""
    from scipy.sparse import csr_matrix

    letters = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    lengths = np.array([len(text) for text in texts], dtype=np.int64)
    row = np.repeat(np.arange(len(texts)), lengths)
    hashes, rows = [], []
    value = np.zeros(len(letters), dtype=np.uint64)
    for n in (1, 2, 3):
        whole = len(letters) - n + 1
        if whole <= 0:
            break
        value = (value[:whole] + letters[n - 1 :]) * _MIX[n - 1]
        value ^= value >> np.uint64(29)
        inside = row[:whole] == row[n - 1 :]  # not across the border of two texts
        hashes.append((value[inside] >> np.uint64(40)) & np.uint64(BUCKETS - 1))
        rows.append(row[:whole][inside])
    if not hashes:
        return csr_matrix((len(texts), BUCKETS), dtype=np.float32)
    where = (np.concatenate(rows), np.concatenate(hashes).astype(np.int64))
    counts = csr_matrix((np.ones(len(where[0]), dtype=np.float32), where), shape=(len(texts), BUCKETS))
    counts.data = np.log1p(counts.data)
    return counts
