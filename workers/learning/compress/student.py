"""The student's side of a distillation: a linear head, or a smaller transformer in a short loop of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import encoders
from ..finetune import OnEvent, adapters
from ..finetune.batches import length_bucketed
from ..finetune.classifier import Classifier
from ..finetune.loop import rate
from ..types import Cancelled, LearningError
from . import soft

if TYPE_CHECKING:
    import torch

    from .distillation import Config

WARMUP = 0.1
WEIGHT_DECAY = 0.01
CLIP = 1.0
FIRST = "layers:"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a student is taught, and how it tells of it."""

    texts: list[str]
    targets: soft.Targets
    seed: int
    device: str
    on_event: OnEvent
    should_stop: Callable[[], bool]


def teach_head(
    encoder: str, lesson: Lesson, *, c: float
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """(weights (k, d), biases (k,), the vectors (n, d) that they were fitted on)."""

    def told(done: int) -> None:
        lesson.on_event({"event": "progress", "step": done, "steps": len(lesson.texts), "epoch": 1, "loss": None})
        if lesson.should_stop():
            raise Cancelled

    vectors = encoders.load(encoder, device=lesson.device).encode(lesson.texts, on_progress=told)
    return *soft.fit_head(vectors, lesson.targets, c=c), vectors


def layers(name: str) -> int:
    """How many first layers “layers:3” asks for; 0 when the student is named otherwise."""
    if not name.startswith(FIRST):
        return 0
    number = name.removeprefix(FIRST)
    if not number.isdecimal() or int(number) < 1:
        raise LearningError("A student of the first layers is named like “layers:3”.")
    return int(number)


def first_layers(model: Classifier, n: int) -> Classifier:
    """The same classifier without the layers above the first n, in place."""
    import torch

    if adapters.virtual_tokens(model.encoder):
        raise LearningError("A teacher with a learnt prefix cannot give its first layers away; name an encoder.")
    config = model.encoder.config
    depth = int(config.num_hidden_layers)
    if n >= depth:
        raise LearningError(f"The teacher has {depth} layers; a student of {n} would not be smaller.")
    stacks = [m for m in model.encoder.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == depth]
    if len(stacks) != 1:
        raise LearningError("This encoder's layers cannot be told apart; name another encoder as the student.")
    del stacks[0][n:]
    config.num_hidden_layers = n
    if isinstance(getattr(config, "layer_types", None), list):
        config.layer_types = config.layer_types[:n]
    return model


def teach(model: Classifier, lesson: Lesson, config: "Config") -> NDArray[np.float32]:
    """Train the classifier in place; its logits (n, k) on the lesson's texts afterwards."""
    import torch

    torch.manual_seed(lesson.seed)
    model.to(lesson.device)
    tokens = model.tokenise(lesson.texts)
    # the linear layer starts where a head on this student's vectors would be, as in fine-tuning
    model.start_from(*soft.fit_head(model.vectors(tokens), lesson.targets, c=config.c))
    optimizer = _optimizer(model, config)
    lengths = [len(t) for t in tokens]
    steps, step = -(-len(tokens) // config.batch_size) * config.epochs, 0
    for epoch in range(config.epochs):
        for batch in length_bucketed(lengths, config.batch_size, lesson.seed, epoch):
            if lesson.should_stop():
                raise Cancelled
            model.modules.train()
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate(step, steps, WARMUP)
            loss = _loss(model.logits([tokens[i] for i in batch]), _part(lesson.targets, batch)) / len(batch)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.modules.parameters(), CLIP)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            value = float(loss.detach())
            if not np.isfinite(value):
                raise LearningError("The loss of the distillation became infinite. Lower the learning rate.")
            lesson.on_event({"event": "progress", "step": step, "steps": steps, "epoch": epoch + 1, "loss": value})
    return model.to("cpu").predict_logits(tokens)


def _loss(logits: "torch.Tensor", targets: soft.Targets) -> "torch.Tensor":
    """The sum over a batch; the same as soft._loss, with a gradient through the encoder."""
    import torch

    functional = torch.nn.functional
    soft_target, hard = (torch.from_numpy(a).to(logits.device) for a in (targets.soft, targets.hard))
    teacher, label = (torch.from_numpy(w).to(logits.device).squeeze(1) for w in targets.weights())
    t = targets.temperature
    if targets.multi:
        taught = functional.binary_cross_entropy_with_logits(logits / t, soft_target, reduction="none").sum(1)
        told = functional.binary_cross_entropy_with_logits(logits, hard, reduction="none").sum(1)
    else:
        taught = -(soft_target * functional.log_softmax(logits / t, dim=1)).sum(1)
        told = -(hard * functional.log_softmax(logits, dim=1)).sum(1)
    return (teacher * t * t * taught + label * told).sum()


def _part(targets: soft.Targets, rows: list[int]) -> soft.Targets:
    return replace(targets, soft=targets.soft[rows], hard=targets.hard[rows], labelled=targets.labelled[rows])


def _optimizer(model: Classifier, config: "Config") -> Any:
    import torch

    model.encoder.get_input_embeddings().requires_grad_(False)  # words that do not occur would only decay
    inside = [p for p in model.encoder.parameters() if p.requires_grad]
    return torch.optim.AdamW(
        [
            {"params": inside, "peak": config.learning_rate, "weight_decay": WEIGHT_DECAY},
            {"params": list(model.head.parameters()), "peak": config.head_learning_rate, "weight_decay": 0.0},
        ]
    )
