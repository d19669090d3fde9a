"""Distillation (Hinton, Vinyals, Dean 2015): a large version teaches a small one, on labelled texts and on others.

The student is a head on frozen vectors ("head"), the first layers of the teacher's own encoder ("layers:3"), or another
encoder by its name.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import encoders, heads
from ..checkpoint import WEIGHTS, Manifest
from ..finetune import OnEvent
from ..finetune.classifier import Classifier
from ..heads.calibration import fit_multi_temperature
from ..predict import Predictor
from ..types import Cancelled, Example, LearningError
from . import soft, student
from .report import finish

APART = 0.1  # share of the texts that the student never sees: it is compared with its teacher on them
LEAST_TEXTS = 20
LEAST_LABELLED = 50  # for a temperature of the student's own


@dataclass(frozen=True, slots=True)
class Config:
    student: str = "head"
    alpha: float = 0.7  # weight of the teacher where a text has a label
    temperature: float = 2.0
    c: float = 30.0  # head
    epochs: int = 4  # encoders
    learning_rate: float = 1e-4
    head_learning_rate: float = 1e-2
    batch_size: int = 32

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Config":
        """From a form or a job file. Unknown names and impossible values are refused in words."""
        if unknown := sorted(set(values) - {f.name for f in fields(cls)}):
            raise LearningError(f"Unknown settings of a distillation: {', '.join(unknown)}.")
        config = cls(**values)
        if not config.student:
            raise LearningError("Name the student: “head”, “layers:3” or an encoder.")
        if not 0 <= config.alpha <= 1 or not 1 <= config.temperature <= 20:
            raise LearningError("Alpha lies between 0 and 1, the temperature between 1 and 20.")
        if config.epochs < 1 or config.batch_size < 1 or not config.c > 0 or not config.learning_rate > 0:
            raise LearningError("Epochs, batch size, c and learning rate must be positive.")
        return config


def distil(
    source: Path,
    target: Path,
    *,
    examples: Sequence[Example],
    texts: Sequence[str] = (),
    config: dict[str, Any] | None = None,
    seed: int = 0,
    device: str = "auto",
    on_event: OnEvent = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Manifest:
    """Teach a student what the version in `source` says of the texts, and publish it at `target`.

    Raises LearningError in words for spans, for too few texts and for a student that cannot be; Cancelled when asked to
    stop (a distillation starts again: it takes minutes).
    """
    chosen = Config.of(config or {})
    teacher = Predictor(source, device=device)
    if teacher.task == "spans":
        raise LearningError("Distillation works on labels of whole texts; a span model can be exported or pruned.")
    every = [*(e.text for e in examples), *texts]
    if len(every) < LEAST_TEXTS:
        raise LearningError(f"Distillation needs at least {LEAST_TEXTS} texts, labelled or not.")

    def told(done: int) -> None:
        on_event({"event": "progress", "step": done, "steps": len(every), "epoch": 0, "loss": None})
        if should_stop():
            raise Cancelled

    said = teacher.probabilities(every, on_progress=told)
    apart = np.random.default_rng(seed).random(len(every)) < APART
    targets = _targets(said, examples, teacher, chosen)
    learnt = np.flatnonzero(~apart)
    on_event({"event": "log", "text": f"The teacher has read {len(every)} texts; the student learns from the others."})
    lesson = student.Lesson(
        texts=[every[i] for i in learnt],
        targets=_rows(targets, learnt),
        seed=seed,
        device=device,
        on_event=on_event,
        should_stop=should_stop,
    )
    metrics = {
        "n_train": int(targets.labelled[learnt].sum()),
        "n_unlabelled": int((~targets.labelled[learnt]).sum()),
        "teacher": teacher.manifest.digest,
    }
    plain = replace(teacher.manifest, config=asdict(chosen), metrics=metrics, files={}, seed=seed)
    compared = [text for text, held in zip(every, apart, strict=True) if held] or every
    draft, write = _taught(source, plain, chosen, lesson)
    return finish(target, draft, write, source=teacher, texts=compared)


def _taught(
    source: Path, plain: Manifest, config: Config, lesson: student.Lesson
) -> tuple[Manifest, Callable[[Path], None]]:
    """The manifest of the student and what writes its files."""
    multi = lesson.targets.multi
    if config.student == "head":
        weights, bias, vectors = student.teach_head(plain.encoder, lesson, c=config.c)
        warmth = _temperature(vectors @ weights.T + bias, lesson.targets)
        thresholds = np.array(plain.thresholds or [0.5] * len(bias), dtype=np.float32)
        head = heads.MultiHead(weights, bias, thresholds, warmth) if multi else heads.Head(weights, bias, warmth)
        draft = replace(
            plain,
            kind="head",
            encoder_digest=encoders.digest(plain.encoder),
            metrics=plain.metrics | {"temperature": warmth},
        )
        return draft, lambda folder: _write_bytes(folder / WEIGHTS, head.to_bytes())
    if config.student == encoders.CHAR_NGRAMS:
        raise LearningError("Character n-grams have no weights to teach. Choose “head” or another encoder.")
    n_classes = lesson.targets.soft.shape[1]
    layers = student.layers(config.student)
    if layers:
        if plain.kind != "transformer":
            raise LearningError("Only a fine-tuned transformer can give its first layers to a student.")
        model, name = student.first_layers(Classifier.open(source, WEIGHTS), layers), plain.encoder
    else:
        name = config.student
        model = Classifier.from_encoder(name, n_classes=n_classes, task=plain.task)
    logits = student.teach(model, lesson, config)
    model.temperature = _temperature(logits, lesson.targets)
    draft = replace(
        plain,
        kind="transformer",
        encoder=name,
        encoder_digest=encoders.digest(name),
        metrics=plain.metrics | {"temperature": model.temperature},
    )
    return draft, lambda folder: model.save(folder, WEIGHTS)


def _targets(
    said: NDArray[np.float32], examples: Sequence[Example], teacher: Predictor, config: Config
) -> soft.Targets:
    multi = teacher.task == "multi"
    hard = np.zeros_like(said)
    labelled = np.zeros(len(said), dtype=bool)
    for i, example in enumerate(examples):
        truth = example.labels if multi else None if example.label is None else (example.label,)
        if truth is not None:
            hard[i, list(truth)] = 1
            labelled[i] = True
    softened = soft.softened(said, config.temperature, multi=multi)
    return soft.Targets(softened, hard, labelled, config.temperature, config.alpha, multi)


def _rows(targets: soft.Targets, rows: NDArray[np.int64]) -> soft.Targets:
    return replace(targets, soft=targets.soft[rows], hard=targets.hard[rows], labelled=targets.labelled[rows])


def _temperature(logits: NDArray[np.float32], targets: soft.Targets) -> float:
    """On the labelled texts; the student learnt from them too, so that it errs towards certainty. Few say nothing."""
    known = targets.labelled
    if known.sum() < LEAST_LABELLED:
        return 1.0
    if targets.multi:
        return fit_multi_temperature(logits[known], targets.hard[known] > 0)
    return heads.fit_temperature(logits[known], targets.hard[known].argmax(axis=1))


def _write_bytes(file: Path, data: bytes) -> None:
    file.write_bytes(data)
