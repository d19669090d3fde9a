"""Which examples are learnt from, which give the dev score, and in which order: all of it follows from seeds."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ..types import Example

MIN_FOR_DEV = 50  # below this every example is needed for training
MEGA = 16  # batches are cut from shuffled stretches of this many batches, sorted by length inside
Labels = Callable[[Example], tuple[int, ...]]


def split_dev(
    examples: Sequence[Example], share: float, seed: int, labels: Labels
) -> tuple[list[Example], list[Example]]:
    """Cut the dev part at random, but never the last example of a label: what is not trained on cannot be learnt."""
    wanted = round(len(examples) * share) if len(examples) >= MIN_FOR_DEV else 0
    left: dict[int, int] = {}
    for example in examples:
        for label in labels(example):
            left[label] = left.get(label, 0) + 1
    dev: set[int] = set()
    for i in np.random.default_rng(seed).permutation(len(examples)):
        mine = labels(examples[i])
        if len(dev) < wanted and all(left[label] > 1 for label in mine):
            for label in mine:
                left[label] -= 1
            dev.add(int(i))
    return [e for i, e in enumerate(examples) if i not in dev], [examples[i] for i in sorted(dev)]


def drawn(labels: Sequence[tuple[int, ...]], seed: int, epoch: int) -> list[int]:
    """As many rows as there are, with repetition, rare labels more often: by the square root of their inverse share
    (Mahajan et al. 2018). A row of several labels counts under its rarest, one of none as the most frequent."""
    counts: dict[int, int] = {}
    for mine in labels:
        for label in mine:
            counts[label] = counts.get(label, 0) + 1
    most = max(counts.values(), default=1)
    weight = np.array([1 / np.sqrt(min((counts[label] for label in mine), default=most)) for mine in labels])
    rng = np.random.default_rng([seed, epoch, 1])
    return [int(i) for i in rng.choice(len(labels), size=len(labels), p=weight / weight.sum())]


def length_bucketed(
    lengths: Sequence[int], size: int, seed: int, epoch: int, rows: Sequence[int] | None = None
) -> Iterator[list[int]]:
    """Every row once (or the rows given), in batches of similar length, in an order of (seed, epoch) alone."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths)) if rows is None else rng.permutation(rows)
    batches = []
    for start in range(0, len(order), size * MEGA):
        stretch = sorted((int(i) for i in order[start : start + size * MEGA]), key=lambda i: lengths[i])
        batches += [stretch[j : j + size] for j in range(0, len(stretch), size)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


def grouped(batches: Iterator[list[int]], accumulation: int) -> list[tuple[list[int], ...]]:
    """Batches that share one step of the optimiser."""
    every = list(batches)
    return [tuple(every[i : i + accumulation]) for i in range(0, len(every), accumulation)]
