"""Fine-tuning of a whole transformer in one loop that reads from top to bottom.

Same data, configuration and seed give the same weights on a CPU. A run that was stopped goes on from its last
checkpoint to the same end as an unbroken one: every batch follows from (seed, epoch), and the state holds the rest.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import heads
from ..encoders import digest
from ..types import Cancelled, Example, LearningError
from . import state
from .classifier import Classifier
from .config import ADAPTERS, Config, OnEvent

MIN_FOR_DEV = 50  # below this every example is needed for training
MEGA = 16  # batches are cut from shuffled stretches of this many batches, sorted by length inside


@dataclass(slots=True)
class Progress:
    """Where a run stands; saved with every checkpoint."""

    epoch: int = 0
    batch: int = 0  # batches of this epoch that are done
    step: int = 0
    stopped: bool = False  # early
    best_dev_loss: float | None = None
    best_epoch: int = -1
    dev: list[dict[str, float]] = field(default_factory=list)
    pieces: int = 1  # micro-batches per batch; doubled once when memory runs out


def finetune(
    examples: Sequence[Example],
    *,
    encoder: str,
    n_classes: int,
    config: Config,
    seed: int,
    device: str = "auto",
    work: Path | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Classifier, dict[str, Any]]:
    """Train on labelled examples; returns the best epoch's model and its metrics.

    `work` is where checkpoints lie; a run finds its own there and goes on. Raises Cancelled after saving one when
    `should_stop` says so, LearningError in words for a NaN loss or when memory runs out twice.
    """
    import torch

    if config.threads:
        torch.set_num_threads(config.threads)
    train, dev = split_dev(examples, config.dev_share, seed)
    if not train:
        raise LearningError("There is no labelled item to learn from yet.")
    torch.manual_seed(seed)  # dropout and a fresh linear layer
    model = Classifier.from_encoder(encoder, n_classes=n_classes, max_length=config.max_length or None).to(device)
    if config.method == "setfit":
        from . import contrastive

        contrastive.pretrain(model, train, config, seed=seed, should_stop=should_stop, on_event=on_event)
    if config.method in ADAPTERS:
        from . import adapters

        model.wrap(adapters.attach(model.encoder, config))
    tokens, labels = model.tokenise([e.text for e in train]), [_label(e) for e in train]
    dev_tokens, dev_labels = model.tokenise([e.text for e in dev]), np.array([_label(e) for e in dev], dtype=np.int64)

    steps = -(-len(train) // config.batch_size) * config.epochs
    optimizer = _optimizer(model, config)
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=config.label_smoothing)
    run = Run(model, optimizer, loss_of, tokens, labels, config, on_event)

    store = state.Store(work, key=_key(examples, encoder, config, seed))
    at = store.load(model, optimizer, Progress)
    if at is not None:
        on_event({"event": "log", "text": f"Goes on from epoch {at.epoch + 1}, step {at.step} of {steps}."})
    else:
        at = Progress()
        _start_from_head(run)
        # what the head alone reaches: fine-tuning has to beat it to be kept
        _judge(run, dev_tokens, dev_labels, at, store, epoch=-1)

    saved_at = time.monotonic()
    while at.epoch < config.epochs and not at.stopped:
        batches = list(length_bucketed([len(t) for t in tokens], config.batch_size, seed, at.epoch))
        for batch in batches[at.batch :]:
            if should_stop():
                store.save(model, optimizer, at)
                raise Cancelled
            model.modules.train()
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate(at.step, steps, config.warmup)
            loss = _step(run, batch, at)
            at.batch, at.step = at.batch + 1, at.step + 1
            on_event({"event": "progress", "step": at.step, "steps": steps, "epoch": at.epoch + 1, "loss": loss})
            if time.monotonic() - saved_at > config.checkpoint_seconds:
                store.save(model, optimizer, at)
                saved_at = time.monotonic()
        _judge(run, dev_tokens, dev_labels, at, store, epoch=at.epoch)
        at.epoch, at.batch = at.epoch + 1, 0
        if dev and at.epoch - 1 - at.best_epoch >= config.patience:
            at.stopped = True
            on_event({"event": "log", "text": f"No better for {config.patience} epochs: stopped after {at.epoch}."})

    if dev:
        store.load_best(model)
        model.temperature = heads.fit_temperature(model.predict_logits(dev_tokens).astype(np.float64), dev_labels)
    if config.method in ADAPTERS:
        model.wrap(adapters.merge(model.encoder))
    metrics = {
        "n_train": len(train),
        "n_dev": len(dev),
        "best_epoch": at.best_epoch + 1,
        "dev": at.dev,
        "steps": at.step,
        "config": asdict(config),
    }
    return model, metrics


def split_dev(examples: Sequence[Example], share: float, seed: int) -> tuple[list[Example], list[Example]]:
    """Cut the dev part at random, but never the last example of a class: what is not trained on cannot be learnt."""
    labelled = [e for e in examples if e.label is not None]
    wanted = round(len(labelled) * share) if len(labelled) >= MIN_FOR_DEV else 0
    left = np.bincount([_label(e) for e in labelled], minlength=1) if labelled else np.zeros(1, dtype=np.int64)
    dev: set[int] = set()
    for i in np.random.default_rng(seed).permutation(len(labelled)):
        label = _label(labelled[i])
        if len(dev) < wanted and left[label] > 1:
            left[label] -= 1
            dev.add(int(i))
    train = [e for i, e in enumerate(labelled) if i not in dev]
    return train, [e for i, e in enumerate(labelled) if i in dev]


def length_bucketed(lengths: Sequence[int], size: int, seed: int, epoch: int) -> Iterator[list[int]]:
    """All indexes once, in batches of similar length, in an order that follows from (seed, epoch) alone."""
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches = []
    for start in range(0, len(order), size * MEGA):
        stretch = sorted((int(i) for i in order[start : start + size * MEGA]), key=lambda i: lengths[i])
        batches += [stretch[j : j + size] for j in range(0, len(stretch), size)]
    for i in rng.permutation(len(batches)):
        yield batches[i]


@dataclass(frozen=True, slots=True)
class Run:
    """What every step needs and no step changes the place of."""

    model: Classifier
    optimizer: Any
    loss_of: Any
    tokens: list[list[int]]
    labels: list[int]
    config: Config
    on_event: OnEvent


def _step(run: Run, batch: list[int], at: Progress) -> float:
    import torch

    while True:
        try:
            loss = _gradients(run, batch, at.pieces)
            break
        except (torch.OutOfMemoryError, MemoryError) as error:
            run.optimizer.zero_grad(set_to_none=True)
            if at.pieces > 1 or len(batch) < 2:
                raise LearningError(
                    "Memory ran out even with half the batch. Choose a smaller batch, shorter texts or encoder."
                ) from error
            at.pieces = 2  # same batch, same gradient, half the memory
            run.on_event({"event": "log", "text": "Memory ran out: batches are halved."})
    if not np.isfinite(loss):
        raise LearningError(f"The loss is not a number at step {at.step + 1}. Choose a smaller learning rate.")
    torch.nn.utils.clip_grad_norm_(run.model.encoder.parameters(), run.config.clip)
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    return loss


def _gradients(run: Run, batch: list[int], pieces: int) -> float:
    import torch

    total = 0.0
    size = -(-len(batch) // pieces)
    for start in range(0, len(batch), size):
        part = batch[start : start + size]
        logits = run.model.logits([run.tokens[i] for i in part])
        target = torch.tensor([run.labels[i] for i in part], device=run.model.device)
        loss = run.loss_of(logits, target) * (len(part) / len(batch))
        loss.backward()
        total += float(loss.detach())
    return total


def _judge(run: Run, tokens: list[list[int]], labels: Any, at: Progress, store: state.Store, *, epoch: int) -> None:
    """Dev loss after an epoch; the weights with the lowest are kept."""
    if not tokens:
        at.best_epoch = epoch
        return
    from scipy.special import log_softmax

    logits = run.model.predict_logits(tokens).astype(np.float64)
    loss = float(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels].mean())
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    at.dev.append({"epoch": epoch + 1, "loss": loss, "accuracy": accuracy})
    run.on_event({"event": "dev", "epoch": epoch + 1, "accuracy": accuracy, "loss": loss})
    if at.best_dev_loss is None or loss < at.best_dev_loss:
        at.best_dev_loss, at.best_epoch = loss, epoch
        store.save_best(run.model, epoch)


def _start_from_head(run: Run) -> None:
    if run.config.start_c <= 0:
        return
    x = run.model.vectors(run.tokens)
    run.model.start_from(heads.fit(x, np.array(run.labels), n_classes=run.model.n_classes, c=run.config.start_c))


def _optimizer(model: Classifier, config: Config) -> Any:
    import torch

    if not config.train_embeddings:
        model.encoder.get_input_embeddings().requires_grad_(False)
    named = [(n, p) for n, p in model.encoder.named_parameters() if p.requires_grad]
    # biases and layer norms are scales, not directions: decay would only pull them from where they work
    decayed, kept = [p for n, p in named if p.ndim > 1], [p for n, p in named if p.ndim <= 1]
    groups = [
        {"params": decayed, "peak": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": kept, "peak": config.learning_rate, "weight_decay": 0.0},
        {"params": list(model.head.parameters()), "peak": config.head_learning_rate, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups)


def rate(step: int, steps: int, warmup: float) -> float:
    """Linear warm-up, then linear decay to zero."""
    rising = max(1, int(steps * warmup))
    return (step + 1) / rising if step < rising else max(0.0, (steps - step) / max(1, steps - rising))


def _key(examples: Sequence[Example], encoder: str, config: Config, seed: int) -> str:
    """What decides the result of a run; threads and checkpoint times do not belong to it."""
    recipe = {k: v for k, v in asdict(config).items() if k not in ("threads", "checkpoint_seconds")}
    rows = [(e.id, e.text, e.label) for e in examples]
    return hashlib.sha256(json.dumps([rows, digest(encoder), recipe, seed]).encode()).hexdigest()


def _label(example: Example) -> int:
    if example.label is None:
        raise LearningError(f"Item {example.id} has no label.")
    return example.label
