"""Token lists to padded arrays with as little padding as the lengths allow."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray


def batches_by_tokens(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indexes in batches of similar length, longest first, each at most `budget` tokens once padded."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        longest = lengths[batch[0]] if batch else lengths[index]
        if batch and longest * (len(batch) + 1) > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def padded(
    tokens: Sequence[Sequence[int]], pad_id: int, *, multiple: int = 1
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(ids, mask), each (b, longest), padded on the right; the longest is rounded up to a multiple."""
    lengths = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    longest = -(-int(lengths.max()) // multiple) * multiple
    mask = np.arange(longest) < lengths[:, None]
    ids = np.full(mask.shape, pad_id, dtype=np.int64)
    ids[mask] = np.fromiter(chain.from_iterable(tokens), dtype=np.int64, count=int(lengths.sum()))
    return ids, mask.astype(np.int64)
