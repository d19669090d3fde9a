"""From labelled examples to a published artefact: a linear head, or a fine-tuned transformer, for every task."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from . import checkpoint, encoders, engagement, heads
from .checkpoint import WEIGHTS, Manifest
from .compress import report
from .finetune import Config, OnEvent
from .finetune.begin import SEEN
from .finetune.classifier import Classifier
from .finetune.distributed import parallel
from .finetune.logs import Logs
from .finetune.loop import finetune
from .heads.soft import temperature as soft_temperature
from .predict import Predictor
from .types import Cancelled, Example, Floats, LearningError, Task
from .weak import Evidence
from .weak_lesson import with_users

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
            if self.task in ("spans", "engagement") and config.method == "setfit":
                raise LearningError("The contrastive stage compares texts that bear a label; choose another method.")
            return
        if self.task == "spans":
            raise LearningError("Spans need a model that reads every word: choose the transformer.")
        if unknown := sorted(set(self.config) - HEAD_SETTINGS):
            raise LearningError(f"Unknown settings of a head: {', '.join(unknown)}.")
        if self.config.get("features", "vectors") not in FEATURES:
            raise LearningError(f"The features of a head are one of {', '.join(FEATURES)}.")

    def _check_truths(self, examples: Sequence[Example]) -> None:
        if self.task == "engagement":
            engagement.balanced(examples)
            return
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
    evidence: Evidence | None = None,
    work: Path | None = None,
    on_event: OnEvent = lambda event: None,
    should_stop: Stop = lambda: False,
) -> Manifest:
    """Train and write the artefact at `target`. Raises LearningError in words, Cancelled when asked to stop.

    `evidence` is what users said of other texts; it is let in as far as it helps (weak_lesson.py).
    """
    recipe.check(examples)
    examples, vectors, besides = lessons(
        examples, recipe, evidence, vectors, on_event=on_event, should_stop=should_stop
    )
    if recipe.kind == "head":
        manifest = publish_head(examples, recipe, target, vectors=vectors, on_event=on_event, should_stop=should_stop)
        return checkpoint.annotate(target, manifest, **besides) if besides else manifest
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
    draft = replace(_manifest(recipe, metrics.pop("config"), metrics | besides), thresholds=model.thresholds)
    processes = parallel(recipe.device)
    try:
        return _written(model, draft, target, examples) if processes.main else draft
    finally:
        processes.wait()


def _written(model: Classifier, manifest: Manifest, target: Path, examples: Sequence[Example]) -> Manifest:
    with checkpoint.draft(target) as folder:
        model.save(folder, WEIGHTS)
        # what a later run that goes on from this one calls old; ids, so that an erased text leaves nothing here
        (folder / SEEN).write_text(json.dumps([e.id for e in examples if e.id >= 0]), encoding="utf-8")
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
    head, c = _fitted(x, examples, recipe, c=c, balance=balance, should_stop=should_stop)
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
) -> tuple[heads.Head | heads.MultiHead, float]:
    """The head, and the c that it was fitted with."""
    rng, k = np.random.default_rng(recipe.seed), len(recipe.label_order)
    if any(e.target is not None or e.weight != 1 for e in examples):
        return _fitted_soft(x, examples, recipe, c=c, rng=rng, should_stop=should_stop)
    if recipe.task == "multi":
        truth = np.zeros((len(examples), k), dtype=bool)
        for i, example in enumerate(examples):
            truth[i, list(example.labels or ())] = True
        several = heads.fit_multi(x, truth, c=c, balance=balance)
        _stop_if(should_stop)
        return heads.tuned(several, x, truth, c=c, balance=balance, rng=rng), c
    labels = np.array([e.label for e in examples], dtype=np.int64)
    head = heads.fit(x, labels, n_classes=k, c=c, balance=balance)
    _stop_if(should_stop)
    return heads.calibrated(head, heads.temperature(x, labels, n_classes=k, c=c, balance=balance, rng=rng)), c


def _fitted_soft(
    x: heads.Features,
    examples: Sequence[Example],
    recipe: Recipe,
    *,
    c: float,
    rng: np.random.Generator,
    should_stop: Stop,
) -> tuple[heads.Head, float]:
    """Distributions and weights; the temperature comes from examples that are certain, where there are any."""
    if recipe.task == "multi":
        raise LearningError("Weak labels are learnt from where a text has one label.")
    k = len(recipe.label_order)
    certain = np.array([e.target is None for e in examples])
    target = np.stack([np.eye(k, dtype=np.float32)[e.label] if e.target is None else e.target for e in examples])
    weight = np.array([e.weight for e in examples], dtype=np.float32)
    if recipe.config.get("balance", "none") != "none":
        mass = target[certain].sum(axis=0) if certain.any() else target.T @ weight
        weight = weight * (target @ np.where(mass > 0, mass[mass > 0].mean() / np.maximum(mass, 1e-9), 1.0))
    among = heads.TRUSTS if recipe.task == "engagement" and "c" not in recipe.config else (c,)
    c, logits = heads.trust(x, target, weight, among=among, rng=rng)
    _stop_if(should_stop)
    head = heads.fit_soft(x, target, weight=weight, c=c)
    rows = certain if certain.any() else np.ones(len(examples), dtype=bool)
    return heads.calibrated(head, soft_temperature(logits[rows], target[rows], weight[rows])), c


def lessons(
    examples: Sequence[Example],
    recipe: Recipe,
    evidence: Evidence | None,
    vectors: Floats | None = None,
    *,
    on_event: OnEvent,
    should_stop: Stop,
) -> tuple[Sequence[Example], Floats | None, dict[str, Any]]:
    """(what is learnt from, vectors (n, d) of it where they are known, what the manifest says of it)."""
    if recipe.task == "engagement":
        kept = engagement.balanced(examples)
        return kept, vectors if len(kept) == len(examples) else None, {}
    if evidence is None:
        return examples, vectors, {}
    if recipe.task != "single":
        raise LearningError("What users said can be learnt from where a text has one label.")
    taught, vectors, found = with_users(
        examples,
        evidence,
        n_classes=len(recipe.label_order),
        c=float(recipe.config.get("c", recipe.config.get("start_c", 30.0)) or 30.0),
        ngrams=recipe.kind == "head" and recipe.config.get("features") == "ngrams",
        vectors=vectors,
        encode=lambda texts: _encoded(texts, recipe, on_event, should_stop),
        seed=recipe.seed,
        on_event=on_event,
    )
    return taught, vectors, {"weak": found}


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
    if example.target is not None:
        return ()
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
