"""What stands before the first step: the model, from the base encoder or an older version, and examples made ready."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import checkpoint
from ..encoders import backbone, digest
from ..types import Example, LearningError, Progress, Task
from . import adapters, contrastive, replay
from .batches import split_dev
from .classifier import Classifier
from .config import ADAPTERS, Config, OnEvent
from .soft import task_for
from .tasks import Rows, Single

SEEN = "seen.json"  # ids of the examples an artefact was trained on: what a later run may call old
ALIKE = 0.999  # mean cosine between fp32 and bf16 vectors; below it "auto" stays with fp32
PROBED = 32  # texts for that
BESIDES = ("threads", "checkpoint_seconds", "tensorboard", "mlflow_uri")  # settings that do not decide the result


@dataclass(slots=True)
class Begun:
    """A model and its data, ready for the loop."""

    model: Classifier
    task: Single
    examples: list[Example]  # without the dev part
    named: list[Example]  # the labels' own names, which the few-shot stage learns from too
    train: Rows
    dev: Rows
    row_labels: list[tuple[int, ...]]  # of every row of `train`
    fresh: bool  # the linear layer has learnt nothing yet
    every: Rows | None  # with replay: all examples but the dev part, which the linear layer is fitted on
    facts: dict[str, Any]
    key: str

    def attach(self, config: Config, steps: int) -> None:
        """Freeze what is not trained, put adapters on, choose the precision."""
        if not config.train_embeddings:
            self.model.encoder.get_input_embeddings().requires_grad_(False)
        if config.gradient_checkpointing:
            self.model.encoder.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        self.model.wrap(adapters.attach(self.model.encoder, config, steps=steps))
        if config.method in ADAPTERS:
            self.facts["adapter_bytes"] = adapters.size_bytes(self.model.encoder)  # what would have to be kept unmerged
        self.model.to(self.model.device)
        self.model.half = _half(self.model, config, self.train.tokens)
        self.facts["precision"] = "bf16" if self.model.half else "fp32"

    def start(self, config: Config, tick: Progress) -> None:
        """Fit the linear layer on the encoder as it is, unless an older version brought one along."""
        if (self.fresh or self.every) and config.start_c > 0:
            self.task.start(self.every or self.train, config.start_c, tick)

    def settle(self, config: Config, tick: Progress) -> None:
        """Going on with replay ends with the linear layer fitted anew on everything (Kirichenko et al. 2023): steps on
        mostly new classes push the old ones' rows down, while the encoder hardly forgets."""
        if self.every and config.start_c > 0:
            self.task.start(self.every, config.start_c, tick)


def begin(
    examples: Sequence[Example],
    encoder: str,
    n_classes: int,
    *,
    config: Config,
    seed: int,
    task: Task,
    label_order: list[list[Any]] | None,
    device: str,
    on_event: OnEvent,
) -> Begun:
    """Raises LearningError in words for examples without truth and for a parent that does not fit."""
    import torch

    kind = task_for(task, examples)
    examples = [e for e in examples if task != "single" or e.label is not None or e.target is not None]
    if not examples:
        raise LearningError("There is no labelled item to learn from yet.")
    torch.manual_seed(seed)  # dropout and a fresh linear layer
    parent = Path(config.parent) if config.parent else None
    if parent is None:
        model, chosen = Classifier.from_encoder(encoder, n_classes=n_classes, task=task), list(examples)
    else:
        model = _grown(parent, encoder, task, label_order or [[i, i] for i in range(n_classes)])
        old, new = replay.split(examples, _seen(parent))
        chosen = [*new, *replay.choose(old, new, config.replay, seed)] if new else list(examples)
        on_event({"event": "log", "text": f"Goes on from an older version: {len(new)} new examples of {len(chosen)}."})
    model.to(device)
    # what users said is learnt from, never judged by
    doubtful = [e for e in chosen if task == "single" and e.target is not None]
    certain = [e for e in chosen if e.target is None] if doubtful else chosen
    train, dev = split_dev(certain, config.dev_share, seed, kind.labels)
    train += doubtful
    kept_out = {e.id for e in dev}
    every = [e for e in examples if e.id not in kept_out] if parent and config.replay > 0 else []
    share = model.reader.cap_length([e.text for e in train], config.max_length)
    if share and task != "spans":
        on_event({"event": "log", "text": f"{share:.1%} of the texts are cut at {model.reader.max_length} tokens."})
    own = kind(model, config)
    named = contrastive.names(label_order or []) if config.method == "setfit" and task == "single" else []
    rows, dev_rows = own.rows([*train, *named]), own.rows(dev)
    if config.balance == "weights":
        own.weigh(rows)
    labels = [kind.labels(e) for e in [*train, *named]]
    facts = {"n_dev": len(dev), "max_length": model.reader.max_length, "share_cut": 0.0 if task == "spans" else share}
    if task == "spans":
        facts["inexact_spans"] = rows.inexact
        labels = [labels[piece.text] for piece in rows.pieces]
    origin = [digest(encoder), seed, n_classes, checkpoint.verify(parent).digest if parent else ""]
    key = _key([*examples, *named], origin, config)
    return Begun(
        model, own, train, named, rows, dev_rows, labels, parent is None, own.rows(every) if every else None, facts, key
    )


def _grown(parent: Path, encoder: str, task: Task, label_order: list[list[Any]]) -> Classifier:
    """The parent with a linear layer for today's labels: old rows move with their label."""
    import torch

    manifest = checkpoint.verify(parent)
    replay.check_parent(manifest, encoder=encoder, encoder_digest=digest(encoder), task=task, label_order=label_order)
    old = Classifier.open(parent, checkpoint.WEIGHTS)
    if adapters.virtual_tokens(old.encoder):
        raise LearningError("A version trained with a prefix cannot be gone on from. Train from the base.")
    model = Classifier(
        old.encoder,
        old.tokenizer,
        n_classes=len(label_order),
        pooling=old.pooling,
        max_length=backbone.spec(encoder).max_length,
        task=task,
        prefix=old.reader.prefix,
    )
    with torch.no_grad():
        for name in ("weight", "bias"):
            was = getattr(old.head, name)
            rows = was[1:].unflatten(0, (-1, 2)) if task == "spans" else was  # B and I of a label move together
            grown = replay.grow(rows, manifest.label_order, label_order)
            getattr(model.head, name).copy_(torch.cat([was[:1], grown.flatten(0, 1)]) if task == "spans" else grown)
    return model


def _seen(parent: Path) -> list[int]:
    path = parent / SEEN
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def _half(model: Classifier, config: Config, tokens: list[list[int]]) -> bool:
    """Whether to train in bf16. On a CPU only where its matrix units speak it, and the vectors stay what they were."""
    import torch

    if config.precision != "auto":
        return config.precision == "bf16"
    if model.device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    if not _amx():
        return False
    some = tokens[:PROBED]
    exact = model.vectors(some)
    model.reading_half = True
    rough = model.vectors(some)
    model.reading_half = False
    return bool((exact * rough).sum(axis=1).mean() >= ALIKE)


def _amx() -> bool:
    try:
        return "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def _key(examples: Sequence[Example], origin: list[Any], config: Config) -> str:
    """What decides the result of a run: another run's checkpoint is not taken up."""
    recipe = {k: v for k, v in asdict(config).items() if k not in BESIDES}
    rows = [(e.id, e.text, e.label, e.labels, [asdict(s) for s in e.spans or ()]) for e in examples]
    soft = [(e.weight, e.target) for e in examples if e.target is not None or e.weight != 1]
    origin = [*origin, soft] if soft else origin
    return hashlib.sha256(json.dumps([rows, origin, recipe]).encode()).hexdigest()
