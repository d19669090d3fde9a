"""Small harmless damage to tokens while training, so that no single word decides (token cut-off, Shen et al. 2020)."""

from collections.abc import Collection, Sequence

import numpy as np


def augment(
    tokens: Sequence[int],
    rate: float,
    rng: np.random.Generator,
    special_ids: Collection[int],
    *,
    mask_id: int | None = None,
) -> list[int]:
    """Token ids of one text with about `rate` of them masked, or dropped where the vocabulary has no mask.

    Special tokens stay, and so does at least one other. For spans give a `mask_id`: dropping would move the words
    under their labels. The draw follows from `rng` alone.
    """
    out = np.asarray(tokens, dtype=np.int64)
    ordinary = np.flatnonzero(~np.isin(out, list(special_ids)))
    hit = ordinary[rng.random(len(ordinary)) < rate]
    if len(hit) == len(ordinary):
        hit = hit[1:]
    if mask_id is None:
        return [int(t) for t in np.delete(out, hit)]
    out[hit] = mask_id
    return [int(t) for t in out]
