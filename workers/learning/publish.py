"""From labelled examples to a published artefact: a linear head, or a fine-tuned transformer, for every task."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from . import checkpoint, encoders, heads
from .checkpoint import WEIGHTS, Manifest
from .compress import report
from .finetune import Config, OnEvent
from .finetune.begin import SEEN
from .finetune.classifier import Classifier
from .finetune.distributed import parallel
from .finetune.logs import Logs
from .finetune.loop import finetune
from .predict import Predictor
from .types import Cancelled, Example, Floats, LearningError, Task

HEAD_SETTINGS = {"c", "balance", "features", "threads"}
FEATURES = ("vectors", "ngrams", "both")
Stop = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides a model besides its examples."""

    kind: str  # "head" or "transformer"
    encoder: str
    label_order: list[list[Any]]
    seed: int = 0
    config: dict[str, Any] = field(default_factory=dict)
    device: str = "auto"
    snapshot_hash: str = ""
    task: Task = "single"

    def check(self, examples: Sequence[Example]) -> None:
        """Refuse in words what cannot be learnt, before any work."""
        if self.kind not in ("head", "transformer"):
            raise LearningError(f"There is no kind of model called “{self.kind}”.")
        if self.kind == "transformer" and self.encoder == encoders.CHAR_NGRAMS:
            raise LearningError("Character n-grams have no weights to fine-tune. Publish a head, or choose an encoder.")
        self._check_truths(examples)
        if self.kind == "transformer":
            config = Config.of(self.config)
            if self.task == "spans" and config.method == "setfit":
                raise LearningError("The contrastive stage compares whole texts; spans need another method.")
            return
        if self.task == "spans":
            raise LearningError("Spans need a model that reads every word: choose the transformer.")
        if unknown := sorted(set(self.config) - HEAD_SETTINGS):
            raise LearningError(f"Unknown settings of a head: {', '.join(unknown)}.")
        if self.config.get("features", "vectors") not in FEATURES:
            raise LearningError(f"The features of a head are one of {', '.join(FEATURES)}.")

    def _check_truths(self, examples: Sequence[Example]) -> None:
        truths = [_truth(e, self.task) for e in examples]
        if None in truths:
            raise LearningError("An example has no label.")
        labels = {label for truth in truths for label in truth or ()}
        if any(not 0 <= int(label) < len(self.label_order) for label in labels):
            raise LearningError("An example has a label outside the label order.")
        if self.task == "single" and len(labels) < 2:
            raise LearningError("At least two labels need examples before there is anything to learn.")
        if not labels:
            raise LearningError("At least one example needs a label before there is anything to learn.")


def publish(
    examples: Sequence[Example],
    recipe: Recipe,
    target: Path,
    *,
    vectors: Floats | None = None,
    work: Path | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Stop = lambda: False,
) -> Manifest:
    """Train and write the artefact at `target`. Raises LearningError in words, Cancelled when asked to stop."""
    recipe.check(examples)
    if recipe.kind == "head":
        return publish_head(examples, recipe, target, vectors=vectors, on_event=on_event, should_stop=should_stop)
    config = Config.of(recipe.config)
    logs = work or target.parent
    with Logs(config, logs, on_event, settings=recipe.config) as told:
        model, metrics = finetune(
            examples,
            encoder=recipe.encoder,
            n_classes=len(recipe.label_order),
            config=config,
            seed=recipe.seed,
            task=recipe.task,
            label_order=recipe.label_order,
            device=recipe.device,
            work=work,
            on_event=told,
            should_stop=should_stop,
        )
    draft = replace(_manifest(recipe, metrics.pop("config"), metrics), thresholds=model.thresholds)
    processes = parallel(recipe.device)
    try:
        return _written(model, draft, target, examples) if processes.main else draft
    finally:
        processes.wait()


def _written(model: Classifier, manifest: Manifest, target: Path, examples: Sequence[Example]) -> Manifest:
    with checkpoint.draft(target) as folder:
        model.save(folder, WEIGHTS)
        # what a later run that goes on from this one calls old; ids, so that an erased text leaves nothing here
        (folder / SEEN).write_text(json.dumps([e.id for e in examples]), encoding="utf-8")
        return _measured(target, checkpoint.publish(folder, target, manifest))


def _measured(target: Path, manifest: Manifest) -> Manifest:
    """With what serving it costs, so that versions can be weighed against each other."""
    costs = {"size_bytes": report.size(target, manifest), "latency_ms": report.latency(Predictor(target, device="cpu"))}
    return checkpoint.annotate(target, manifest, **costs)


def publish_head(
    examples: Sequence[Example],
    recipe: Recipe,
    target: Path,
    *,
    vectors: Floats | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Stop = lambda: False,
) -> Manifest:
    """Encode (unless `vectors` (n, d) are given), fit, cross-fit temperature and thresholds, write."""
    texts, wanted = [e.text for e in examples], recipe.config.get("features", "vectors")
    if vectors is None and wanted != "ngrams":
        vectors = _encoded(texts, recipe, on_event, should_stop)
    dense = None if wanted == "ngrams" else cast(Floats, vectors)
    grams = None if wanted == "vectors" else heads.vocabulary(texts, beside_vectors=dense is not None)
    x = cast(heads.Features, dense if grams is None else heads.features(texts, dense, grams))
    c = float(recipe.config.get("c", 30.0))
    balance = None if recipe.config.get("balance", "none") == "none" else "balanced"
    head = _fitted(x, examples, recipe, c=c, balance=balance, should_stop=should_stop)
    on_event({"event": "log", "text": f"Fitted on {len(texts)} examples; temperature {head.temperature:.2f}."})
    config = {"c": c, "balance": recipe.config.get("balance", "none"), "features": wanted}
    metrics = {"n_train": len(texts), "temperature": head.temperature}
    manifest = _manifest(recipe, config, metrics)
    if isinstance(head, heads.MultiHead):
        manifest = replace(manifest, thresholds=[float(t) for t in head.thresholds])
    stored = head if grams is None else heads.TextHead(head, grams, 0 if dense is None else np.shape(dense)[1])
    with checkpoint.draft(target) as folder:
        (folder / WEIGHTS).write_bytes(stored.to_bytes())
        return _measured(target, checkpoint.publish(folder, target, manifest))


def _fitted(
    x: heads.Features, examples: Sequence[Example], recipe: Recipe, *, c: float, balance: Any, should_stop: Stop
) -> heads.Head | heads.MultiHead:
    rng, k = np.random.default_rng(recipe.seed), len(recipe.label_order)
    if recipe.task == "multi":
        truth = np.zeros((len(examples), k), dtype=bool)
        for i, example in enumerate(examples):
            truth[i, list(example.labels or ())] = True
        several = heads.fit_multi(x, truth, c=c, balance=balance)
        _stop_if(should_stop)
        return heads.tuned(several, x, truth, c=c, balance=balance, rng=rng)
    labels = np.array([e.label for e in examples], dtype=np.int64)
    head = heads.fit(x, labels, n_classes=k, c=c, balance=balance)
    _stop_if(should_stop)
    return heads.calibrated(head, heads.temperature(x, labels, n_classes=k, c=c, balance=balance, rng=rng))


def _encoded(texts: list[str], recipe: Recipe, on_event: OnEvent, should_stop: Stop) -> Floats:
    def told(done: int) -> None:
        on_event({"event": "progress", "step": done, "steps": len(texts), "epoch": 1, "loss": None})
        _stop_if(should_stop)

    encoder = encoders.load(recipe.encoder, device=recipe.device, threads=recipe.config.get("threads"))
    return encoder.encode(texts, on_progress=told)


def _stop_if(should_stop: Stop) -> None:
    if should_stop():
        raise Cancelled


def _truth(example: Example, task: Task) -> tuple[int, ...] | None:
    if task == "multi":
        return example.labels
    if task == "spans":
        return None if example.spans is None else tuple(span.label for span in example.spans)
    return None if example.label is None else (example.label,)


def _manifest(recipe: Recipe, config: dict[str, Any], metrics: dict[str, Any]) -> Manifest:
    return Manifest(
        kind=recipe.kind,
        encoder=recipe.encoder,
        encoder_digest=encoders.digest(recipe.encoder),
        label_order=recipe.label_order,
        seed=recipe.seed,
        snapshot_hash=recipe.snapshot_hash,
        task=recipe.task,
        config=config,
        metrics=metrics,
    )
