"""Token lists to padded arrays with as little padding as the lengths allow."""

from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

# Padded tokens in one forward pass. On a CPU what a layer makes of 1,024 tokens still lies in the cache: four times as
# many are a third slower. A GPU wants to be filled.
BATCH_TOKENS = {"cpu": 1_024, "cuda": 65_536}
# Padding in one forward pass. On two cores a pass of MiniLM costs what 19 tokens cost in fp32 and 48 in int8: 32 bank
# questions in passes of like length take 0.63 of the time of a single one. On a GPU it was not measured: no limit.
PADDING_TOKENS = {"cpu": 24, "cuda": 65_536}


def batches_for(device: str, lengths: Sequence[int], budget: int = 0) -> Iterator[list[int]]:
    """Indexes in batches that suit the device; `budget` 0 means its own."""
    kind = device.split(":", maxsplit=1)[0]
    kind = kind if kind in BATCH_TOKENS else "cpu"
    return batches_by_tokens(lengths, budget or BATCH_TOKENS[kind], PADDING_TOKENS[kind])


def batches_by_tokens(lengths: Sequence[int], budget: int, padding: int) -> Iterator[list[int]]:
    """Indexes in batches of similar length, longest first, each at most `budget` tokens once padded, and of these at
    most `padding` that are none."""
    batch: list[int] = []
    longest = spare = 0
    for index in sorted(range(len(lengths)), key=lambda i: (-lengths[i], i)):
        spare += longest - lengths[index]
        if batch and (longest * (len(batch) + 1) > budget or spare > padding):
            yield batch
            batch = []
        if not batch:
            longest, spare = lengths[index], 0
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
