"""The one bridge between rows and torch: run in the worker of the gpu queue, never imported by the web."""

import logging
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from celery.signals import worker_shutting_down
from django.conf import settings
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from apps.learning import vectors
from apps.learning.models import Repredict, Trainable, TrainingRun
from apps.learning.services import encoding, evaluation, jobs, repredictions, training, versions
from apps.learning.services import runs as service
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from workers.learning import checkpoint, encoders
from workers.learning.compress import report
from workers.learning.predict import Predictor
from workers.learning.types import LearningError

log = logging.getLogger(__name__)


ENCODE_SLICE = 60.0  # seconds before the queue's other work gets its turn
ENCODE_AT_ONCE = (256, 16_384)  # texts: fewest, most; what the machine does in three seconds lies between
ARRIVAL_PATIENCE = 10.0  # seconds to wait for imports that are being committed
HELD_TEXTS, LEAST_HELD = 1_000, 400  # labelled texts that int8 is compared with fp32 on: most, fewest
_encoders: dict[str, encoders.Encoder] = {}


def encode(project_id: int) -> bool:
    """Give the project's next items their vectors. Whether more are waiting."""
    project = Project.objects.get(pk=project_id)
    try:
        encoders.digest(project.encoder)  # a name that means nothing is refused before anything is loaded
        encoder = _encoder(project.encoder, **_wished(project))
    except LearningError as error:
        encoding.cannot_start(project, str(error))
        return False
    runtime: encoders.Runtime | None = getattr(encoder, "runtime", None)
    claim = encoding.claim(project, encoder.digest, runtime.kind if runtime else "", _told(runtime))
    if claim is None:
        return False
    held, more = _encode_slice(claim, encoder)
    encoding.release(held)
    return more


def _wished(project: Project) -> dict[str, Any]:
    """What the project asks of the encoder besides its name."""
    if project.encoder_runtime == Project.EncoderRuntime.AUTO:
        return {}
    wished: dict[str, Any] = {"runtime": project.encoder_runtime}
    if project.encoder_runtime == Project.EncoderRuntime.ONNX_INT8:
        wished["held"] = _held(project)
    return wished


def _held(project: Project) -> encoders.Held | None:
    """Texts of the project to compare int8 with fp32 on; labels where each text has one."""
    if project.task_kind != Project.TaskKind.SINGLE:
        return None
    rows = Trainable.objects.filter(project=project).order_by("item_id").values_list("item__text", "label_id")
    pairs = list(rows[:HELD_TEXTS])
    if len(pairs) < LEAST_HELD:
        return None
    return encoders.Held(tuple(text for text, _label in pairs), tuple(label for _text, label in pairs))


def _told(runtime: encoders.Runtime | None) -> str:
    """Why this runtime, and how close it comes to fp32 here."""
    if runtime is None or runtime.parity is None:
        return runtime.reason if runtime else ""
    found = runtime.parity
    said = [f"{runtime.reason} Mean cosine with fp32 {found.cosine:.4f} on {found.n} texts"]
    if found.accuracy is not None and found.accuracy_fp32 is not None:
        said.append(f"accuracy of a head {found.accuracy:.3f} instead of {found.accuracy_fp32:.3f}")
    return ", ".join(said) + "."


def _encode_slice(held: encoding.Claim, encoder: encoders.Encoder) -> tuple[encoding.Claim, bool]:
    newest, ends = _settled(held.project_id), time.monotonic() + ENCODE_SLICE
    at_once = ENCODE_AT_ONCE[0]
    while newest is not None and held.through < newest:
        if time.monotonic() > ends:
            return held, True
        chunk, started = encoding.next_chunk(held, newest, at_once), time.monotonic()
        vectors = encoder.encode(chunk.texts) if chunk.texts else None
        seconds = time.monotonic() - started
        moved = encoding.store(held, chunk, vectors, seconds)
        if moved is None:  # somebody took this one for dead and goes on
            return held, False
        held = moved
        if vectors is not None:
            at_once = max(ENCODE_AT_ONCE[0], min(ENCODE_AT_ONCE[1], int(3 * len(vectors) / max(seconds, 1e-3))))
    return held, newest is None


def _settled(project_id: int) -> int | None:
    """The newest item below which none can appear any more; None while an import holds on too long."""
    newest, writers = encoding.arrivals(project_id)
    ends = time.monotonic() + ARRIVAL_PATIENCE
    while writers:
        if time.monotonic() > ends:
            return None
        time.sleep(0.05)
        writers &= encoding.arrivals(project_id)[1]
    return newest


def _encoder(name: str, *, runtime: str = "auto", held: encoders.Held | None = None) -> encoders.Encoder:
    """One per process: it is the largest thing in its memory."""
    key = f"{runtime}:{name}"
    if key not in _encoders:
        _encoders.clear()
        _encoders[key] = encoders.load(
            name, device=settings.DEVICE, runtime=runtime, cache=Path(settings.HOME) / "encoders", held=held
        )
    return _encoders[key]


REPREDICT_SLICE = 60.0  # seconds, like ENCODE_SLICE
Predict = Callable[[repredictions.Chunk], repredictions.Answers]
_stopping = threading.Event()


@worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop_children(**_kwargs: Any) -> None:
    """A worker that is asked to stop hands its run back, with a fresh checkpoint, instead of losing it."""
    _stopping.set()


def train(run_id: int) -> int | None:
    """Bring a queued run to its end. The version it made, or None."""
    run = service.claim(run_id)
    if run is None:
        return None
    try:
        return _train(run)
    except repredictions.Superseded:
        return None
    except LearningError as error:
        service.settle(run, TrainingRun.State.FAILED, str(error))
    except Exception as error:
        log.exception("run %s failed", run.pk)
        sentence = _("Something unexpected happened (%(kind)s). The worker's log has the details.")
        service.settle(run, TrainingRun.State.FAILED, sentence % {"kind": type(error).__name__})
    return None


def _train(run: TrainingRun) -> int | None:
    version = run.version or _trained(run)
    if version is None:
        return None
    job = repredictions.claim(version.pk)
    if job is not None:
        # nothing is measured before every held-out item has its answer
        for _chunk in _predicted(job, _predictor(version)):
            service.report(run)
        repredictions.finish(job)
    evaluation.evaluate(version)
    if not service.settle(run, TrainingRun.State.SUCCEEDED, progress=1.0):
        return None
    shutil.rmtree(jobs.folder_of(run), ignore_errors=True)
    return version.pk


def _trained(run: TrainingRun) -> ModelVersion | None:
    output = jobs.output_of(run)
    if not (output / checkpoint.MANIFEST).exists():
        folder = jobs.prepare(run)
        if run.kind == ModelVersion.Kind.HEAD:
            _save_vectors(run, folder)
        outcome = training.supervise(run, training.Child(folder), stopping=_stopping.is_set)
        if outcome.ending != "done":
            _settle(run, outcome)
            return None
    manifest = checkpoint.verify(output)
    found = asdict(manifest) | {"digest": manifest.digest, "metrics": _weighed(output, manifest)}
    return versions.record(run, output, found)


def _weighed(output: Path, manifest: checkpoint.Manifest) -> dict[str, Any]:
    """What training reported, with the size and latency that every version has beside its accuracy."""
    told = {"size_bytes": report.size(output, manifest)} | manifest.metrics
    if "latency_ms" not in told:
        # without its encoder at hand it cannot be timed; that alone is no reason to lose it
        with suppress(LearningError):
            told["latency_ms"] = report.latency(Predictor(output, device="cpu"))
    return told


def _settle(run: TrainingRun, outcome: training.Outcome) -> None:
    if outcome.ending == "stopped":
        service.hand_back(run)
    elif outcome.ending in {"cancelled", "failed", "refused"}:
        service.settle(run, TrainingRun.State(outcome.ending), outcome.error)
        if outcome.ending != "failed":
            shutil.rmtree(jobs.folder_of(run), ignore_errors=True)


def repredict(version_id: int) -> bool:
    """Predict what is missing under a version for a while. Whether more is waiting."""
    job = repredictions.claim(version_id)
    if job is None:
        return False
    ends = time.monotonic() + REPREDICT_SLICE
    try:
        for _chunk in _predicted(job, _predictor(job.version)):
            if _stopping.is_set() or time.monotonic() > ends:
                repredictions.release(job)
                return not _stopping.is_set()
        repredictions.finish(job)
        evaluation.evaluate(job.version)
    except repredictions.Superseded:
        pass
    except LearningError as error:
        repredictions.finish(job, str(error))
    return False


def _predicted(job: Repredict, predict: Predict) -> Any:
    for chunk in repredictions.missing(job):
        repredictions.store(job, chunk.items, predict(chunk))
        yield chunk


def _predictor(version: ModelVersion) -> Predict:
    model = Predictor(versions.folder_of(version), device=settings.DEVICE)
    if version.task == Project.TaskKind.SPANS:
        return lambda chunk: model.spans(chunk.texts)
    if version.kind == ModelVersion.Kind.HEAD and version.config.get("features", "vectors") == "vectors":
        return lambda chunk: model.from_vectors(_vectors(version, chunk))
    return lambda chunk: model.probabilities(chunk.texts)


def _vectors(version: ModelVersion, chunk: repredictions.Chunk) -> NDArray[np.float32]:
    """(n, d) in the order of the chunk: from the cache where it has them, computed now where it has not."""
    known, rows = vectors.of_items(chunk.items, version.encoder_digest)
    at = {int(item): place for place, item in enumerate(known)}
    absent = [place for place, item in enumerate(chunk.items) if item not in at]
    if not absent:
        return rows[[at[item] for item in chunk.items]]
    fresh = _encoder(version.encoder).encode([chunk.texts[place] for place in absent])
    out = np.empty((len(chunk.items), fresh.shape[1]), dtype=np.float32)
    out[absent] = fresh
    for place, item in enumerate(chunk.items):
        if item in at:
            out[place] = rows[at[item]]
    return out


def _save_vectors(run: TrainingRun, folder: Path) -> None:
    """Spare the child the encoding where every example has its vector already."""
    items = jobs.items_of(run)
    ids, rows = vectors.of_items(items, encoders.digest(run.config["encoder"]))
    if ids.tolist() == items:
        np.save(folder / "vectors.npy", rows)
