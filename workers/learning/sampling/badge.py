"""BADGE (Ash et al. 2020): batch active learning by diverse gradient embeddings, without ever holding a gradient."""

import numpy as np

from .pool import Pool, Rng, Rows

MOST = 10_000  # larger pools are subsampled


def badge(pool: Pool, n: int, rng: Rng) -> Rows:
    """k-means++ over the gradients of the last layer at the model's own guess: long ones (unsure) that point apart.

    The gradient of item i is the outer product of a_i = p_i − e_guess (k,) and its vector v_i (d,), so inner products
    factorise: ⟨g_i, g_j⟩ = ⟨a_i, a_j⟩ ⟨v_i, v_j⟩. One step costs N · (k + d), never N · k · d.
    """
    n = min(n, len(pool))
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    rows = pool.some(max(MOST, n), rng)
    v, a = pool.dense(rows), pool.probabilities(rows)
    if pool.several:
        a = a - (a >= 0.5)
    else:
        a[np.arange(len(a)), a.argmax(axis=1)] -= 1
    squared = np.einsum("nk,nk->n", a, a) * np.einsum("nd,nd->n", v, v)
    chosen = np.empty(n, dtype=np.int64)
    chosen[0] = squared.argmax()
    distance = np.full(len(rows), np.inf)
    for turn in range(1, n):
        last = chosen[turn - 1]
        np.minimum(distance, squared + squared[last] - 2 * (a @ a[last]) * (v @ v[last]), out=distance)
        np.maximum(distance, 0, out=distance)
        distance[chosen[:turn]] = 0
        chosen[turn] = _drawn(distance, chosen[:turn], rng)
    return rows[chosen]


def _drawn(weight: "np.ndarray[tuple[int], np.dtype[np.float64]]", taken: Rows, rng: Rng) -> int:
    """A place drawn in proportion to its weight; among those not taken when no weight is left."""
    total = np.cumsum(weight)
    if total[-1] <= 1e-9:
        free = np.ones(len(weight), dtype=bool)
        free[taken] = False
        return int(rng.choice(np.flatnonzero(free)))
    return int(min(np.searchsorted(total, rng.random() * total[-1], side="right"), len(weight) - 1))
