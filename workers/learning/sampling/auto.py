"""The default: which strategy, and when. What it rests on is measured by `python -m tests.bench label-efficiency`."""

from .herding import herding
from .pool import Pool, Rng, Rows


def auto(pool: Pool, n: int, rng: Rng) -> Rows:
    return herding(pool, n, rng)
