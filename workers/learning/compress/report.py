"""What every derived artefact tells of itself: bytes, milliseconds, and how far it agrees with its source."""

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import checkpoint
from ..checkpoint import Manifest
from ..encoders.parity import PROBES
from ..predict import Predictor
from ..types import Floats, SpanAnswer

SHORT_TEXT = "Why was I charged twice for the same transfer?"
ROUNDS = 15  # of one text, after some that only warm up
WARM = 3
MOST_TEXTS = 2_000  # compared on


@dataclass(frozen=True, slots=True)
class Agreement:
    """A derived model against its source on the same texts."""

    n: int
    agreement: float  # share of texts that get the same answer: label, set of labels, or spans
    mean_difference: float | None  # of a probability, absolute; None for spans
    cosine: float | None  # of the rows of probabilities, mean
    f1: float | None = None  # spans: of the derived ones when the source's count as truth


def finish(
    target: Path,
    manifest: Manifest,
    write: Callable[[Path], None],
    *,
    source: Predictor,
    texts: Sequence[str],
    metrics: dict[str, Any] | None = None,
) -> Manifest:
    """Let `write(folder)` make the files, measure them as a version that is being served, and publish at `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", suffix=".trial", dir=target.parent) as scratch:
        trial = Path(scratch) / "trial"
        with checkpoint.draft(trial) as folder:
            write(folder)
            done = checkpoint.publish(folder, trial, manifest)
        model = Predictor(trial, device="cpu")
        told = {
            **manifest.metrics,
            **(metrics or {}),
            "size_bytes": size(trial, done),
            "latency_ms": latency(model),
            "parity": asdict(compare(source, model, list(texts[:MOST_TEXTS]) or list(PROBES))),
        }
        del model
        with checkpoint.draft(target) as folder:
            for name in done.files:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.move(trial / name, folder / name)
            return checkpoint.publish(folder, target, replace(manifest, metrics=told))


def size(folder: Path, manifest: Manifest) -> int:
    """Bytes of everything that the manifest names."""
    return sum((folder / name).stat().st_size for name in manifest.files)


def latency(model: Predictor) -> float:
    """Median milliseconds of one short text on the CPU."""
    seconds = []
    for _ in range(WARM + ROUNDS):
        started = time.perf_counter()
        _answer(model, [SHORT_TEXT])
        seconds.append(time.perf_counter() - started)
    return round(1_000 * float(np.median(seconds[WARM:])), 3)


def compare(source: Predictor, derived: Predictor, texts: list[str]) -> Agreement:
    if source.task == "spans":
        return _of_spans(source.spans(texts), derived.spans(texts))
    one, other = source.probabilities(texts), derived.probabilities(texts)
    if source.task == "multi":
        same = ((one >= source.thresholds) == (other >= derived.thresholds)).all(axis=1)
    else:
        same = one.argmax(axis=1) == other.argmax(axis=1)
    return Agreement(
        n=len(texts),
        agreement=float(same.mean()),
        mean_difference=float(np.abs(one - other).mean()),
        cosine=float(_cosines(one, other).mean()),
    )


def _of_spans(one: Sequence[SpanAnswer], other: Sequence[SpanAnswer]) -> Agreement:
    truth = [{(s.start, s.end, s.label) for s in answer.spans} for answer in one]
    found = [{(s.start, s.end, s.label) for s in answer.spans} for answer in other]
    hits = sum(len(a & b) for a, b in zip(truth, found, strict=True))
    every = sum(map(len, truth)) + sum(map(len, found))
    return Agreement(
        n=len(one),
        agreement=float(np.mean([a == b for a, b in zip(truth, found, strict=True)])),
        mean_difference=None,
        cosine=None,
        f1=2 * hits / every if every else 1.0,
    )


def _cosines(one: Floats, other: Floats) -> Floats:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines: Floats = np.einsum("nk,nk->n", one, other) / np.maximum(lengths, 1e-12)
    return cosines


def _answer(model: Predictor, texts: list[str]) -> None:
    if model.task == "spans":
        model.spans(texts)
    else:
        model.probabilities(texts)
