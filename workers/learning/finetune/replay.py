"""Going on from a published model on new examples, with some of the old ones mixed in so that they are not forgotten.

A small random memory does most of the work (de Masson d'Autume et al. 2019). Retraining from the base encoder on
everything forgets nothing and stays the default; this costs less time and loses a little.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checkpoint import Manifest
from ..types import Example, LearningError

if TYPE_CHECKING:
    import torch


def choose(old: Sequence[Example], new: Sequence[Example], share: float, seed: int) -> list[Example]:
    """`share` of the old examples, the same number of every class as far as it goes, in the order they came.

    Every old class keeps at least one. An example of several labels is counted under its rarest; spans under the
    rarest label they bear. Examples that are in `new` as well are left out: there they have their present truth.
    """
    known = {e.id for e in new}
    groups: dict[Any, list[int]] = defaultdict(list)
    count = _counts(old)
    for i, example in enumerate(old):
        if example.id not in known:
            labels = _labels(example)
            groups[min(labels, key=lambda label: (count[label], label)) if labels else None].append(i)
    if share <= 0 or not groups:
        return []
    rng = np.random.default_rng(seed)
    wanted = max(len(groups), round(share * sum(len(rows) for rows in groups.values())))
    queues = [[int(i) for i in rng.permutation(groups[key])] for key in sorted(groups, key=_last_is_none)]
    picked: list[int] = []
    while len(picked) < wanted:  # one of each class in turn: the balance
        turn = [queue.pop() for queue in queues if queue]
        picked += [turn[i] for i in sorted(rng.permutation(len(turn))[: wanted - len(picked)])]
    return [old[i] for i in sorted(picked)]


def split(examples: Sequence[Example], seen: Sequence[int]) -> tuple[list[Example], list[Example]]:
    """(old, new): whether the parent was trained on the example's id."""
    ids = set(seen)
    return [e for e in examples if e.id in ids], [e for e in examples if e.id not in ids]


def check_parent(
    parent: Manifest, *, encoder: str, encoder_digest: str, task: str, label_order: list[list[Any]]
) -> None:
    """Refuse in words a parent that the new run cannot go on from."""
    if parent.kind != "transformer":
        raise LearningError(
            "Only a fine-tuned transformer can be gone on from. Choose such a version, or start afresh."
        )
    if parent.task != task:
        raise LearningError(f"The version to go on from was trained for another task ({parent.task}).")
    if parent.encoder_digest != encoder_digest:
        raise LearningError(
            f"The version to go on from was trained on the encoder “{parent.encoder}”, this run asks for “{encoder}”. "
            "Choose the same encoder, or train from the base."
        )
    if gone := [name for key, name in parent.label_order if key not in {k for k, _ in label_order}]:
        raise LearningError(
            f"Labels of the version to go on from are gone ({', '.join(map(str, gone[:5]))}). Train from the base."
        )


def grow(tensor: "torch.Tensor", old_order: list[list[Any]], new_order: list[list[Any]]) -> "torch.Tensor":
    """Rows of a linear layer (k_old, …) put in the new label order (k_new, …): old rows move with their label.

    A new label starts as the average of the others: not preferred, and not ruled out either.
    """
    place = {key: i for i, (key, _) in enumerate(old_order)}
    out = tensor.mean(dim=0, keepdim=True).repeat(len(new_order), *[1] * (tensor.ndim - 1))
    for row, (key, _) in enumerate(new_order):
        if key in place:
            out[row] = tensor[place[key]]
    return out


def _labels(example: Example) -> list[int]:
    if example.labels is not None:
        return list(example.labels)
    if example.spans is not None:
        return sorted({span.label for span in example.spans})
    return [] if example.label is None else [example.label]


def _counts(examples: Sequence[Example]) -> dict[int, int]:
    count: dict[int, int] = defaultdict(int)
    for example in examples:
        for label in _labels(example):
            count[label] += 1
    return count


def _last_is_none(key: int | None) -> tuple[bool, int]:
    return key is None, key or 0
