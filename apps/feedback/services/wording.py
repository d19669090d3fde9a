"""How a text is worded, as a vector: what "nearly the same text" means for tickets.

Letter n-grams and not the project's encoder, because they were measured: 1,540 bank questions (20 of each label), each
also in four other wordings (tests/bench/paraphrase.py), grouped within their label, pairs judged by the question they
came from:

    cosine from     0.80   0.84   0.85   0.86   0.88   0.90   0.92   0.94
    n-grams F1      .868   .922   .928   .924   .902   .865
    MiniLM F1       .495   .593          .646   .697   .719   .742   .721

MiniLM puts different questions near each other (at 0.80 two pairs of three are wrong) and a typing error far away. A
mix of both is between the two. Besides, n-grams read any language and need no inference process. What texts mean is
kept, too (meanings.py): for the tickets that a person may call duplicates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from workers.learning.encoders.ngrams import DIMENSION
from workers.learning.wording import read

__all__ = ["DIMENSION", "NEAR", "packed", "read", "unpacked"]

NEAR = 0.85  # cosine; precision 0.93, recall 0.92 in the measurement above


def packed(row: NDArray[np.float32]) -> bytes:
    return row.astype("<f2").tobytes()


def unpacked(kept: Sequence[bytes]) -> NDArray[np.float32]:
    found = np.frombuffer(b"".join(kept), dtype="<f2").reshape(-1, DIMENSION).astype(np.float32)
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    return found
