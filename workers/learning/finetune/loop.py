"""Fine-tuning of a transformer in one loop that reads from top to bottom, for every task and method.

Same data, configuration and seed give the same weights on a CPU. A run that was stopped goes on from its last
checkpoint to the same end as an unbroken one: every batch follows from (seed, epoch), and the state holds the rest.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..types import Cancelled, Example, LearningError, Task
from . import adapters, state
from .augment import augment
from .batches import drawn, grouped, length_bucketed
from .begin import Begun, begin
from .classifier import Classifier
from .config import Config, OnEvent
from .distributed import Parallel, parallel

Group = tuple[list[int], ...]  # batches of one step


@dataclass(slots=True)
class Progress:
    """Where a run stands; saved with every checkpoint."""

    epoch: int = 0
    batch: int = 0  # steps of this epoch that are done
    step: int = 0
    stopped: bool = False  # early
    best_dev_loss: float | None = None
    best_epoch: int = -1
    dev: list[dict[str, float]] = field(default_factory=list)
    pieces: int = 1  # micro-batches per batch; doubled once when memory runs out


@dataclass(frozen=True, slots=True)
class Run:
    """What every step needs and no step changes the place of."""

    begun: Begun
    optimizer: Any
    store: state.Store
    processes: Parallel
    config: Config
    seed: int
    steps: int
    on_event: OnEvent
    should_stop: Callable[[], bool]

    @property
    def model(self) -> Classifier:
        return self.begun.model

    def tick(self, _done: int = 0) -> None:
        """Between any two batches of anything: has somebody asked us to stop?"""
        if self.processes.any(self.should_stop()):
            raise Cancelled


def finetune(
    examples: Sequence[Example],
    *,
    encoder: str,
    n_classes: int,
    config: Config,
    seed: int,
    task: Task = "single",
    label_order: list[list[Any]] | None = None,
    device: str = "auto",
    work: Path | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[Classifier, dict[str, Any]]:
    """Train on labelled examples; returns the best epoch's model and its metrics.

    `work` is where checkpoints lie; a run finds its own there and goes on. `label_order` is asked for only when
    config.parent names an artefact to go on from. Raises Cancelled after saving one when `should_stop` says so,
    LearningError in words for a NaN loss or when memory runs out twice.
    """
    import torch

    if config.threads:
        torch.set_num_threads(config.threads)
    processes = parallel(device)
    on_event = processes.reporter(on_event)
    begun = begin(
        examples,
        encoder,
        n_classes,
        config=config,
        seed=seed,
        task=task,
        label_order=label_order,
        device=processes.device(device),
        on_event=on_event,
    )
    epochs = 0 if config.method == "setfit" else config.epochs
    per_epoch = math.ceil(math.ceil(len(begun.train.tokens) / config.batch_size) / config.accumulation)
    begun.attach(config, per_epoch * epochs)
    store = state.Store(work if processes.main else None, key=begun.key)
    optimizer = _optimizer(begun.model, config)
    run = Run(begun, optimizer, store, processes, config, seed, per_epoch * epochs, on_event, should_stop)
    at = _resume(run, work)
    try:
        _epochs(run, at, epochs)
    except Cancelled:
        if at.step or at.dev:
            store.save(run.model, optimizer, at)
        raise
    return _finished(run, at)


def _resume(run: Run, work: Path | None) -> Progress:
    """From the last checkpoint, or from the beginning: contrastive stage, linear head, its dev score."""
    store = run.store if run.processes.main else state.Store(work, key=run.begun.key)  # all read, one writes
    at = store.load(run.model, run.optimizer, Progress)
    if at is not None:
        run.on_event({"event": "log", "text": f"Goes on from epoch {at.epoch + 1}, step {at.step} of {run.steps}."})
        return at
    if run.config.method == "setfit":
        from . import contrastive

        contrastive.pretrain(
            run.model,
            [e for e in (*run.begun.examples, *run.begun.named) if e.target is None],  # pairs need certain labels
            run.config,
            seed=run.seed,
            should_stop=run.should_stop,
            on_event=run.on_event,
        )
    return Progress()


def _epochs(run: Run, at: Progress, epochs: int) -> None:
    config, begun = run.config, run.begun
    if not at.dev and not at.step:
        begun.start(config, run.tick)
        _judge(run, at, epoch=-1)  # what the head alone reaches: fine-tuning has to beat it to be kept
    saved_at = time.monotonic()
    while at.epoch < epochs and not at.stopped:
        for group in _groups(run, at.epoch)[at.batch :]:
            run.tick()
            run.model.modules.train()
            run.processes.seed(run.seed, at.step)
            for part in run.optimizer.param_groups:
                part["lr"] = part["peak"] * rate(at.step, run.steps, config.warmup, config.schedule)
            loss = _step(run, group, at)
            at.batch, at.step = at.batch + 1, at.step + 1
            run.on_event(
                {"event": "progress", "step": at.step, "steps": run.steps, "epoch": at.epoch + 1, "loss": loss}
                | {"lr": run.optimizer.param_groups[0]["lr"]}
            )
            if time.monotonic() - saved_at > config.checkpoint_seconds:
                run.store.save(run.model, run.optimizer, at)
                saved_at = time.monotonic()
        _judge(run, at, epoch=at.epoch)
        at.epoch, at.batch = at.epoch + 1, 0
        if begun.dev.tokens and at.epoch - 1 - at.best_epoch >= config.patience and at.epoch < epochs:
            at.stopped = True
            run.on_event({"event": "log", "text": f"No better for {config.patience} epochs: stopped after {at.epoch}."})


def _groups(run: Run, epoch: int) -> list[Group]:
    lengths = [len(t) for t in run.begun.train.tokens]
    rows = drawn(run.begun.row_labels, run.seed, epoch) if run.config.balance == "resample" else None
    return grouped(length_bucketed(lengths, run.config.batch_size, run.seed, epoch, rows), run.config.accumulation)


def _step(run: Run, group: Group, at: Progress) -> float:
    """One step of the optimiser; the mean loss per unit of the whole group."""
    import torch

    while True:
        error: BaseException | None = None
        loss = 0.0
        try:
            loss = _gradients(run, group, at.pieces, at.epoch)
        except (torch.OutOfMemoryError, MemoryError) as raised:
            error = raised
        if not run.processes.any(error is not None):
            break
        run.optimizer.zero_grad(set_to_none=True)
        if at.pieces > 1 or max(len(batch) for batch in group) < 2:
            raise LearningError(
                "Memory ran out even with half the batch. Choose a smaller batch, shorter texts or encoder."
            ) from error
        at.pieces = 2  # same batch, same gradient, half the memory
        run.on_event({"event": "log", "text": "Memory ran out: batches are halved."})
    loss = run.processes.total(loss)
    parameters = list(run.model.modules.parameters())
    run.processes.add_gradients(parameters)
    norm = torch.nn.utils.clip_grad_norm_(run.model.encoder.parameters(), run.config.clip)
    if not np.isfinite(loss) or not torch.isfinite(norm):
        raise LearningError(f"The loss is not a number at step {at.step + 1}. Choose a smaller learning rate.")
    run.optimizer.step()
    adapters.update(run.model.encoder, at.step)
    run.optimizer.zero_grad(set_to_none=True)
    return loss


def _gradients(run: Run, group: Group, pieces: int, epoch: int) -> float:
    """This process's share of the group's gradient, in as many pieces as memory asks for."""
    task, rows = run.begun.task, run.begun.train
    units = sum(task.units(rows, batch) for batch in group)
    total = 0.0
    for batch in group:
        mine = run.processes.shard(batch)
        size = max(1, math.ceil(len(mine) / pieces))
        for start in range(0, len(mine), size):
            part = mine[start : start + size]
            loss = task.loss(rows, part, [_damaged(run, i, epoch) for i in part]) / units
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
    extra = adapters.penalty(run.model.encoder) if run.processes.main else None
    if extra is not None:
        extra.backward()  # type: ignore[no-untyped-call]
    return total


def _damaged(run: Run, row: int, epoch: int) -> list[int]:
    """The row's tokens as this epoch shows them."""
    tokens = run.begun.train.tokens[row]
    if not run.config.augment:
        return tokens
    tokenizer = run.model.tokenizer
    mask = tokenizer.mask_token_id
    if mask is None and run.begun.train.pieces:
        mask = tokenizer.unk_token_id  # dropping would move the words under their tags
    rng = np.random.default_rng([run.seed, epoch, row])
    return augment(tokens, run.config.augment, rng, tokenizer.all_special_ids, mask_id=mask)


def _judge(run: Run, at: Progress, *, epoch: int) -> None:
    """Dev score after an epoch; decides which weights are kept."""
    if not run.begun.dev.tokens:
        at.best_epoch = epoch
        return
    task = run.begun.task
    score = run.processes.from_main(task.judge(run.begun.dev, run.tick))  # all stop, or none does
    found = {"epoch": epoch + 1, "loss": score.loss, task.metric: score.value}
    at.dev.append(found)
    run.on_event({"event": "dev", **found, "metric": task.metric, "value": score.value})
    if _is_better(run, at, epoch, score.merit):
        at.best_dev_loss, at.best_epoch = score.merit, epoch
        run.store.save_best(run.model, epoch)


def _is_better(run: Run, at: Progress, epoch: int, merit: float) -> bool:
    """With little patience the lowest dev loss wins. With as much as there are epochs the last one does: the rate has
    fallen to zero there, and fifty dev examples would pick one by luck. Only a
    model that is clearly below the head it began with is given up for it."""
    if at.best_dev_loss is None or run.config.patience < run.config.epochs:
        return at.best_dev_loss is None or merit < at.best_dev_loss
    luck = run.begun.task.luck(len(run.begun.dev.tokens))
    metric = run.begun.task.metric
    return epoch == run.config.epochs - 1 and at.dev[-1][metric] >= at.dev[0][metric] - luck


def _finished(run: Run, at: Progress) -> tuple[Classifier, dict[str, Any]]:
    begun = run.begun
    if begun.dev.tokens:
        run.store.load_best(run.model)
    if run.model.encoder is not (plain := adapters.merge(run.model.encoder)):
        run.model.wrap(plain)
    begun.settle(run.config, run.tick)
    if begun.dev.tokens:
        begun.task.finish(begun.dev)
    best = next((d for d in at.dev if d["epoch"] == at.best_epoch + 1), {})
    metrics = {
        "n_train": len(begun.examples),
        "best_epoch": at.best_epoch + 1,
        "dev": at.dev,
        "dev_metric": begun.task.metric,
        "dev_value": best.get(begun.task.metric),
        "steps": at.step,
        "temperature": run.model.temperature,
        "config": asdict(run.config),
    }
    return run.model, begun.facts | metrics


def _optimizer(model: Classifier, config: Config) -> Any:
    import torch

    alike: dict[tuple[float, float], list[Any]] = {}
    for name, p in model.encoder.named_parameters():
        if p.requires_grad:
            # biases and layer norms are scales, not directions: decay would only pull them from where they work
            decay = config.weight_decay if p.ndim > 1 else 0.0
            peak = config.learning_rate * config.layer_decay ** _from_top(name, model)
            alike.setdefault((peak, decay), []).append(p)
    groups = [{"params": params, "peak": peak, "weight_decay": d} for (peak, d), params in alike.items()]
    groups.append({"params": list(model.head.parameters()), "peak": config.head_learning_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, fused=True)


def _from_top(name: str, model: Classifier) -> int:
    """How many layers lie above this parameter's; the embeddings lie below all."""
    depth = int(getattr(model.encoder.config, "num_hidden_layers", 0))
    numbers = [int(part) for part in name.split(".") if part.isdigit()]
    if numbers:
        return max(0, depth - 1 - numbers[0])
    return depth if "embed" in name else 0


def rate(step: int, steps: int, warmup: float, schedule: str = "linear") -> float:
    """Linear warm-up, then to zero along a line or half a cosine (Loshchilov & Hutter 2017)."""
    rising = max(1, int(steps * warmup))
    if step < rising:
        return (step + 1) / rising
    left = max(0.0, (steps - step) / max(1, steps - rising))
    return left if schedule == "linear" else 0.5 * (1 - math.cos(math.pi * left))
