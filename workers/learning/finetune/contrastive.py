"""The few-shot stage: texts of one label are pulled together and others pushed apart, before a head is fitted.

SetFit (Tunstall et al. 2022) does it with cosine pairs. Here all texts of a batch are compared with each other
(supervised contrastive loss, Khosla et al. 2020): each one learns from every other in the same forward pass. Which of
the two is better here was not compared to an end. Several labels per text count by how much they share (Jaccard).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..types import Cancelled, Example, LearningError
from .classifier import Classifier
from .config import Config, OnEvent

if TYPE_CHECKING:
    import torch

Labels = tuple[int, ...]

BATCH = 64  # texts compared with each other
PIECE = 16  # texts read at once on a CPU
TEMPERATURE = 0.1  # of the cosines; lower looks harder at the nearest
WORD = re.compile(r"\w+")
WARM = 0.1  # share of the steps in which the rate rises


def pretrain(
    model: Classifier,
    examples: Sequence[Example],
    config: Config,
    *,
    seed: int,
    should_stop: Callable[[], bool] = lambda: False,
    on_event: OnEvent = lambda event: None,
) -> None:
    """Move the encoder's weights in place. Same examples, configuration and seed give the same weights on a CPU.

    Single label or several; each example is the anchor of `pairs` positive pairs per contrastive epoch. Keeps no
    checkpoint: it is short (minutes at 800 labels on two cores), and a run that was stopped repeats it. Raises
    Cancelled when `should_stop` says so, LearningError for spans and for a loss that is no number.
    """
    import torch

    labels = [_labels(e) for e in examples]
    tokens = model.tokenise([e.text for e in examples])
    passes = config.contrastive_epochs * config.pairs
    plan = [batch for epoch in range(passes) for batch in batches(labels, BATCH, np.random.default_rng([seed, epoch]))]
    if not plan:
        return
    if not config.train_embeddings:
        model.encoder.get_input_embeddings().requires_grad_(False)
    weights = [p for p in model.encoder.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=config.learning_rate, weight_decay=config.weight_decay)
    model.modules.train()
    for step, batch in enumerate(plan):
        if should_stop():
            raise Cancelled
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * _rate(step, len(plan))
        shared = torch.from_numpy(likeness([labels[i] for i in batch])).to(model.device)
        loss = supervised_contrastive(_vectors(model, [tokens[i] for i in batch]), shared)
        if not torch.isfinite(loss):
            raise LearningError("The loss of the contrastive stage is not a number. Choose a smaller learning rate.")
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(weights, config.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        told = {"step": step + 1, "steps": len(plan), "epoch": 1, "loss": float(loss.detach()), "stage": "contrastive"}
        on_event({"event": "progress", **told})
    on_event({"event": "log", "text": f"Contrastive stage done: {len(plan)} batches of up to {BATCH} texts."})


def _vectors(model: Classifier, tokens: list[list[int]]) -> "torch.Tensor":
    """Unit vectors (b, d) in the order given, read in pieces of like length: texts are not padded to the longest."""
    import torch

    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    size = len(tokens) if model.device.startswith("cuda") else PIECE
    parts = [model.pooled([tokens[i] for i in order[at : at + size]]) for at in range(0, len(order), size)]
    return torch.cat(parts)[torch.tensor(order, device=parts[0].device).argsort()]


def names(label_order: Sequence[Sequence[Any]]) -> list[Example]:
    """One example per label that says its name: what a label means is known before anybody gives one.

    Measured on Banking77 at 400 labels drawn at random: 5 points of accuracy; at 800 chosen ones it changes nothing.
    Names without a word in them are left out. Ids are negative, so that they are nobody's items.
    """
    read = [" ".join(WORD.findall(str(name))).replace("_", " ") for _, name in label_order]
    return [Example(-1 - i, text.lower(), i) for i, text in enumerate(read) if sum(c.isalpha() for c in text) > 1]


def supervised_contrastive(
    vectors: "torch.Tensor", likeness: "torch.Tensor", temperature: float = TEMPERATURE
) -> "torch.Tensor":
    """The loss L_out of Khosla et al. (2020), in nats. Unit vectors (b, d); likeness (b, b) in 0..1 weighs positives.

    For each text that has a positive: minus the weighted mean, over its positives, of the log of their share in the
    softmax over all the other texts of the batch.
    """
    import torch

    myself = torch.eye(len(vectors), dtype=torch.bool, device=vectors.device)
    close = (vectors @ vectors.T / temperature).masked_fill(myself, -torch.inf)
    share = (close - close.logsumexp(dim=1, keepdim=True)).masked_fill(myself, 0.0)
    weight = likeness.masked_fill(myself, 0.0)
    total = weight.sum(dim=1)
    mean = (share * weight).sum(dim=1) / total.clamp(min=1e-9)
    loss: torch.Tensor = -mean[total > 0].mean() if bool((total > 0).any()) else share.sum() * 0.0
    return loss


def likeness(labels: Sequence[Labels]) -> NDArray[np.float32]:
    """(b, b): labels in common over labels of either; one for two texts without any label."""
    known = sorted({label for mine in labels for label in mine})
    place = {label: i for i, label in enumerate(known)}
    has = np.zeros((len(labels), len(known) + 1), dtype=np.float32)
    for row, mine in enumerate(labels):
        has[row, [place[label] for label in mine] or [len(known)]] = 1  # the last column stands for “none”
    both = has @ has.T
    size = has.sum(axis=1)
    shared: NDArray[np.float32] = both / (size[:, None] + size[None, :] - both)
    return shared


def batches(labels: Sequence[Labels], size: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Every text that shares a label with another once as an anchor, next to a partner drawn from one of its labels.

    The partner's label is drawn first, the rarer the likelier, so rare labels are not drowned by common ones.
    """
    members: dict[int | None, list[int]] = defaultdict(list)
    for i, mine in enumerate(labels):
        for label in mine or (None,):
            members[label].append(i)
    batch: list[int] = []
    for anchor in rng.permutation(len(labels)):
        partner = _partner(int(anchor), labels, members, rng)
        if partner is None:
            continue
        batch += [int(anchor), partner]
        if len(batch) >= size:
            yield batch
            batch = []
    if len(batch) > 2:
        yield batch


def _partner(
    anchor: int, labels: Sequence[Labels], members: dict[int | None, list[int]], rng: np.random.Generator
) -> int | None:
    open_labels = [label for label in labels[anchor] or (None,) if len(members[label]) > 1]
    if not open_labels:
        return None
    rarity = np.array([1 / len(members[label]) for label in open_labels])
    label = open_labels[int(rng.choice(len(open_labels), p=rarity / rarity.sum()))]
    others = members[label]
    at = int(rng.integers(len(others) - 1))
    # the anchor's own place is stepped over
    return others[at] if at < others.index(anchor) else others[at + 1]


def _labels(example: Example) -> Labels:
    if example.labels is not None:
        return example.labels
    if example.label is None:
        raise LearningError("The contrastive stage needs one label or several per text; spans have none.")
    return (example.label,)


def _rate(step: int, steps: int) -> float:
    """Linear warm-up, then linear decay to zero."""
    rising = max(1, int(steps * WARM))
    return (step + 1) / rising if step < rising else (steps - step) / max(1, steps - rising)
