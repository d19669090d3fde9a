"""The queue planner: which pool items come next, in which order and why."""

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray

from .. import heads
from ..types import Choice, Floats, Ints, LearningError, Reason
from .batch import collapse_near_duplicates
from .multilabel import mean_uncertainty
from .pool import Pool, Rng, Rows, SpanScores
from .registry import DEFAULT, STRATEGIES
from .spans import within_budget
from .uncertainty import margin

LOOK_BEYOND = (1.25, 4, 12)  # times as many are chosen as wanted, because near-duplicates fall away


def plan(
    *,
    vectors: Floats,
    probs: Floats | None = None,
    margins: Floats | None = None,
    labelled_vectors: Floats,
    labelled_classes: Ints | NDArray[np.bool_],
    n_classes: int,
    n: int,
    random_share: float,
    rng: Rng,
    labels_so_far: int,
    allowed: NDArray[np.bool_] | None = None,
    strategy: str = DEFAULT,
    head: heads.Head | heads.MultiHead | None = None,
    doubted: Ints | None = None,
    spans: SpanScores | None = None,
    token_budget: int | None = None,
) -> list[Choice]:
    """At most n rows of `vectors` (N, d) in hand-out order.

    `probs` (N, k) are the live head's; None, or fewer than two classes labelled, means cold start. `margins` (N,), the
    third result of `Head.glance`, may stand in for them and saves the memory. `allowed` (N,) masks rows that may be
    handed out, so that a memory map need not be copied. After every m items exactly floor(m · random_share) were random
    ones, counted on from `labels_so_far`, so that the share is exact however often the plan is renewed.

    Items that carry several labels have `labelled_classes` (m, k) truths instead of (m,) classes. `head` saves a
    strategy that needs more than margins from fitting one; `doubted` (N,) are unchecked labels, -1 for none. For spans
    give what the tagger said, and perhaps how many tokens people shall read in all.
    """
    if not 0 <= random_share <= 1:
        raise LearningError("The random share must lie between 0 and 1.")
    if strategy not in STRATEGIES:
        raise LearningError(f"There is no way of sampling called “{strategy}”.")
    rows = np.arange(len(vectors)) if allowed is None else np.flatnonzero(allowed)
    n = min(n, len(rows))
    if n <= 0:
        return []
    pool = Pool(
        vectors=_part(vectors, rows),
        labelled=labelled_vectors,
        classes=labelled_classes,
        n_classes=n_classes,
        known=None if probs is None else _part(probs, rows),
        head=head,
        doubted=None if doubted is None else np.asarray(doubted)[rows],
        spans=None if spans is None else spans.of(rows),
    )
    if _warm(pool, asked=probs is not None or margins is not None or spans is not None):
        pool = replace(pool, unsure=_unsure(pool) if margins is None else 1 - np.asarray(margins)[rows])
    turns = np.arange(labels_so_far, labels_so_far + n + 1)
    is_random = np.diff(np.floor(turns * random_share + 1e-9)) > 0
    chosen = _without_twins(pool, strategy, int((~is_random).sum()), rng)
    drawn = _drawn(len(rows), chosen, n - len(chosen), rng)
    choices = _interleave(rows, chosen, drawn, is_random, pool.unsure)
    if spans is not None and token_budget is not None:
        return choices[: within_budget([choice.row for choice in choices], spans.tokens, token_budget)]
    return choices


def _warm(pool: Pool, *, asked: bool) -> bool:
    """Whether the model that was asked has seen anything to tell apart."""
    if not asked or not len(pool.labelled):
        return False
    if pool.spans is not None or pool.several:
        return pool.spans is not None or bool(pool.classes.any())
    return len(np.unique(pool.classes)) >= min(2, pool.n_classes)


def _unsure(pool: Pool) -> Floats:
    """(N,) for a pool that holds probabilities or what a tagger said."""
    if pool.spans is not None:
        return 1 - pool.spans.margin
    return mean_uncertainty(pool.every()) if pool.several else margin(pool.every())


def _without_twins(pool: Pool, strategy: str, wanted: int, rng: Rng) -> Rows:
    chosen = order = np.empty(0, dtype=np.int64)
    for excess in LOOK_BEYOND:
        order = STRATEGIES[strategy](pool, min(len(pool), int(wanted * excess) + 1), rng)
        chosen = collapse_near_duplicates(pool.vectors, order)
        if len(chosen) >= wanted or len(order) == len(pool):
            break
    # the twins of an earlier one are used when nothing else is left
    return np.concatenate([chosen, order[~np.isin(order, chosen)]])[:wanted]


class _View:
    """Some rows of a large array, read when asked for: nothing is copied up front."""

    def __init__(self, whole: Floats, rows: Rows) -> None:
        self.whole, self.rows = whole, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Rows | slice) -> Floats:
        part: Floats = self.whole[self.rows[index]]
        return part


def _part(whole: Floats, rows: Rows) -> Floats:
    return whole if len(rows) == len(whole) else cast(Floats, _View(whole, rows))


def _drawn(pool: int, taken: Rows, n: int, rng: Rng) -> Rows:
    """n positions uniformly from those not taken."""
    if n <= 0:
        return np.empty(0, dtype=np.int64)
    draw = rng.choice(pool, min(pool, n + len(taken)), replace=False)
    return draw[~np.isin(draw, taken)][:n]


def _interleave(
    rows: Rows, chosen: Rows, drawn: Rows, is_random: NDArray[np.bool_], unsure: Floats | None
) -> list[Choice]:
    reason: Reason = "cold_start" if unsure is None else "uncertain"
    planned, random = iter(chosen), iter(drawn)
    choices = []
    for turn in is_random:
        source: Reason = "random" if turn else reason
        position = next(random if turn else planned, None)
        if position is None:
            continue
        score = None if unsure is None else float(1 - unsure[position])
        choices.append(Choice(int(rows[position]), source, score))
    return choices
