"""One training job in a process of its own: a folder in, JSON lines out, and an end when the parent is gone.

job.json: kind (head, transformer, search, or one of compress.KINDS), task, encoder, label_order, seed, config, parents
(folders of artefacts to start from), examples (a file of id, text and truth), device, parent_pid, output; texts.jsonl
beside it may hold unlabelled texts, weak.json what users said of others (weak_file.py). Lines: progress (step, steps,
epoch, loss, lr), dev (epoch, loss, metric, value), trial, log (text), done (path, digest, metrics), failed (error).
Exit codes: 0 done, 3 stopped after a checkpoint (SIGTERM), 4 refused before any work, 1 failed during it.
"""

import ctypes
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from . import checkpoint, compress, search, weak_file
from .checkpoint import Manifest
from .finetune import OnEvent
from .publish import Recipe, publish
from .types import Cancelled, Example, LearningError, Span

DONE, FAILED, STOPPED, REFUSED = 0, 1, 3, 4
HEARTBEAT = 4.0  # seconds without a line before the last progress is told again
WATCH = 0.5  # seconds between looks at the parent
PR_SET_PDEATHSIG = 1


class Reporter:
    """Writes one JSON object a line; a thread repeats the last progress so that silence means death."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._lock = write, threading.Lock()
        self._last: dict[str, Any] = {"event": "progress", "step": 0, "steps": 0, "epoch": 0, "loss": None}
        self._told = time.monotonic()

    def __call__(self, event: dict[str, Any]) -> None:
        with self._lock:
            if event["event"] == "progress":
                self._last = event
            self._write(json.dumps(event, ensure_ascii=False) + "\n")
            self._told = time.monotonic()

    def beat(self) -> None:
        if time.monotonic() - self._told >= HEARTBEAT:
            self(self._last)


def run(folder: Path) -> int:
    """Do the job that lies in `folder`; the process's exit code."""
    report = Reporter(_to_stdout)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    started = False
    try:
        job = read_job(folder)
        _follow_parent(int(job.get("parent_pid") or os.getppid()), report)
        work = Work(job, folder, report, stop.is_set)
        work.check()
        started = True
        manifest = work.do()
    except Cancelled:
        report({"event": "log", "text": "Stopped; the last checkpoint is kept."})
        return STOPPED
    except LearningError as error:
        return _failed(report, str(error), FAILED if started else REFUSED)
    except OSError as error:
        return _failed(report, f"A file could not be read or written: {error.strerror or error}.", FAILED)
    report({"event": "done", "path": str(work.output), "digest": manifest.digest, "metrics": manifest.metrics})
    return DONE


class Work:
    """What one job asks for, read and ready."""

    def __init__(self, job: dict[str, Any], folder: Path, report: OnEvent, should_stop: Callable[[], bool]) -> None:
        self.folder, self.report, self.should_stop = folder, report, should_stop
        self.kind = str(job.get("kind"))
        self.derived = self.kind in compress.KINDS
        self.parents = [Path(parent) for parent in job.get("parents") or []]
        file = folder / job.get("examples", "examples.jsonl")
        self.examples = [] if self.derived and not file.exists() else read_examples(file)
        self.texts = _texts(folder / "texts.jsonl")
        self.evidence = None if self.derived else weak_file.read(folder / weak_file.NAME)
        self.recipe = recipe_of(job | {"kind": "transformer"} if self.kind == "search" else job)
        self.trials = self.recipe.config.pop("trials", search.TRIALS) if self.kind == "search" else 0
        self.output = folder / job.get("output", "out")

    def check(self) -> None:
        """Refuse in words what cannot be done, before any work."""
        if self.derived:
            for parent in self.parents:
                checkpoint.verify(parent)
        else:
            self.recipe.check(self.examples)

    def do(self) -> Manifest:
        if self.derived:
            return self._derive()
        told: dict[str, Any] = {"on_event": self.report, "should_stop": self.should_stop, "work": self.folder / "work"}
        if self.evidence is not None:
            told["evidence"] = self.evidence
        if self.kind == "search":
            return search.search(self.examples, self.recipe, self.output, trials=self.trials, **told)
        return publish(self.examples, self.recipe, self.output, vectors=_vectors(self.folder), **told)

    def _derive(self) -> Manifest:
        return compress.derive(
            self.kind,
            self.parents,
            self.output,
            config=self.recipe.config,
            examples=self.examples,
            texts=self.texts,
            seed=self.recipe.seed,
            device=self.recipe.device,
            on_event=self.report,
            should_stop=self.should_stop,
        )


def read_job(folder: Path) -> dict[str, Any]:
    try:
        job: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise LearningError("The job cannot be read.") from error
    return job


def recipe_of(job: dict[str, Any]) -> Recipe:
    try:
        return Recipe(
            kind=job["kind"],
            encoder=job["encoder"],
            label_order=job["label_order"],
            seed=int(job.get("seed", 0)),
            config=job.get("config") or {},
            device=job.get("device") or "auto",
            snapshot_hash=job.get("snapshot_hash", ""),
            task=job.get("task") or "single",
        )
    except KeyError as error:
        raise LearningError(f"The job does not say its {error.args[0]}.") from error


def read_examples(path: Path) -> list[Example]:
    try:
        with path.open(encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines if line.strip()]
        return [_example(row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError("The examples of the job cannot be read.") from error


def _example(row: dict[str, Any]) -> Example:
    """A line {"id", "text"} with "label": index, "labels": [index …], "spans": [[start, end, index] …] or "target":
    [share …] over the label order; "weight" says how much it counts."""
    labels, spans, target = row.get("labels"), row.get("spans"), row.get("target")
    return Example(
        int(row["id"]),
        str(row["text"]),
        row.get("label"),
        None if labels is None else tuple(sorted(int(label) for label in labels)),
        None if spans is None else tuple(sorted(Span(int(s), int(e), int(label)) for s, e, label in spans)),
        float(row.get("weight", 1)),
        None if target is None else tuple(float(share) for share in target),
    )


def _texts(path: Path) -> list[str]:
    if not path.exists():
        return []
    try:
        with path.open(encoding="utf-8") as lines:
            return [str(json.loads(line)["text"]) for line in lines if line.strip()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError("The texts of the job cannot be read.") from error


def _vectors(folder: Path) -> Any:
    path = folder / "vectors.npy"
    return np.load(path, allow_pickle=False) if path.exists() else None


def _failed(report: Reporter, sentence: str, code: int) -> int:
    report({"event": "failed", "error": sentence, "sentence": sentence})
    return code


def _to_stdout(line: str) -> None:
    sys.stdout.write(line)
    sys.stdout.flush()


def _follow_parent(parent: int, report: Reporter) -> None:
    """End with the parent, at once: another attempt may take up the checkpoint any moment.

    The kernel's signal arrives when the *thread* that started this process ends, so it only makes us look.
    """
    signal.signal(signal.SIGUSR1, lambda *_: _end_if_orphaned(parent))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGUSR1)
    _end_if_orphaned(parent)

    def watch() -> None:
        while True:
            time.sleep(WATCH)
            _end_if_orphaned(parent)
            report.beat()

    threading.Thread(target=watch, daemon=True).start()


def _end_if_orphaned(parent: int) -> None:
    if os.getppid() != parent:
        os._exit(FAILED)
