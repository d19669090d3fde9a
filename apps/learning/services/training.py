"""The child process that trains, and the supervisor that turns its lines into news on the run's row."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, Literal

from django.conf import settings
from django.utils.translation import gettext as _

from apps.learning.models import SearchTrial, TrainingRun
from apps.learning.services import runs

LOOK_EVERY = 0.25  # seconds between looks at the child, where it says nothing
REPORT_EVERY = 1.0  # seconds: heartbeat, news, and how soon a wish to cancel is seen
GRACE = 3.0  # seconds a cancelled child has before it is killed: cancel promises five in all
GRACE_TO_SAVE = 8.0  # seconds for its checkpoint when the worker stops; Celery gives ten
CURVE_POINTS = 400
LOG_BYTES = 16_000
CANCELLED, REFUSED = 3, 4  # exit codes of the child
NO_SCORES = {"event", "epoch", "step", "steps", "seconds", "metric"}  # of a line about the dev part
# the child reads and writes one folder; it has no business with the database, the broker or the keys
KEPT_FROM_CHILD = {"DATABASE_URL", "BROKER_URL", "SECRET_KEY", "EMAIL_URL", "DJANGO_SETTINGS_MODULE"}

Ending = Literal["done", "cancelled", "failed", "refused", "stopped", "superseded"]


@dataclass(frozen=True, slots=True)
class Outcome:
    ending: Ending
    error: str = ""


class Child:
    """`python -m workers.learning train` in a session of its own, its output read by two threads."""

    def __init__(self, folder: Path, command: list[str] | None = None) -> None:
        command = command or [sys.executable, "-m", "workers.learning", "train", "--job", str(folder)]
        self.process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env={key: value for key, value in os.environ.items() if key not in KEPT_FROM_CHILD}
            | {"MARGINALIA_HOME": str(settings.HOME)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal reaches the supervisor alone, which asks the child nicely
            text=True,
            errors="replace",
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._readers = [Thread(target=self._read, args=(pipe,), daemon=True) for pipe in self._pipes()]
        for reader in self._readers:
            reader.start()

    def _pipes(self) -> list[IO[str]]:
        return [pipe for pipe in (self.process.stdout, self.process.stderr) if pipe is not None]

    def _read(self, pipe: IO[str]) -> None:
        with suppress(ValueError):  # closed under our hands when the child was killed
            for line in pipe:
                self._lines.put(line)

    def lines(self, timeout: float) -> list[str]:
        """What came since the last call, waiting a moment for the first line."""
        found: list[str] = []
        with suppress(Empty):
            found.append(self._lines.get(timeout=timeout))
            while True:
                found.append(self._lines.get_nowait())
        return found

    def ended(self) -> bool:
        return self.process.poll() is not None

    def rest(self) -> list[str]:
        """The last lines of a child that has ended."""
        for reader in self._readers:
            reader.join(timeout=2)
        return self.lines(timeout=0.01)

    def stop(self, grace: float) -> None:
        """Ask, wait, then insist."""
        self._signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(grace)
        self.kill()

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self.process.wait()
        for reader in self._readers:
            reader.join(timeout=2)
        for pipe in self._pipes():
            pipe.close()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            # the whole group: a torchrun child has children of its own
            os.killpg(self.process.pid, number)


@dataclass(slots=True)
class News:
    """The child's lines, digested into the columns of the run's row and the rows of its trials."""

    curve: list[dict[str, Any]] = field(default_factory=list)
    log: str = ""
    progress: float = 0.0
    error: str = ""
    done: bool = False
    trials: dict[int, dict[str, Any]] = field(default_factory=dict)  # by number; what was not yet told

    def take(self, line: str) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            self._write(line)
            return
        kind = event.get("event")
        if kind == "progress":
            self._progress(event)
        elif kind == "dev":
            self._dev(event)
        elif kind == "trial":
            self._trial(event)
        elif kind == "failed":
            self.error = str(event.get("error", ""))
            self._write(self.error)
        elif kind == "done":
            self.done = True
        else:
            self._write(str(event.get("text", event)))

    def _progress(self, event: dict[str, Any]) -> None:
        step, steps = int(event.get("step", 0)), int(event.get("steps", 0))
        if steps:
            self.progress = min(1.0, step / steps)
        if event.get("loss") is None:
            return
        # after a restart from a checkpoint the steps in between are told a second time
        self.curve = [point for point in self.curve if point["step"] < step]
        point = {"step": step, "epoch": event.get("epoch"), "loss": round(float(event["loss"]), 5)}
        if event.get("lr") is not None:
            point["lr"] = float(event["lr"])
        self.curve.append(point)
        if len(self.curve) > CURVE_POINTS:
            self.curve = [point for at, point in enumerate(self.curve) if at % 2 or "dev_accuracy" in point]

    def _dev(self, event: dict[str, Any]) -> None:
        """Scores on the run's own dev part; the first one named is the one that decides."""
        scores = {
            name: round(float(value), 4)
            for name, value in event.items()
            if name not in NO_SCORES and isinstance(value, int | float) and not isinstance(value, bool)
        }
        if not scores:
            return
        if not self.curve:  # the head alone, before the first step
            self.curve.append({"step": 0, "epoch": 0})
        if "value" in scores:
            scores[str(event.get("metric", "value"))] = scores.pop("value")
        name = event["metric"] if event.get("metric") in scores else next(iter(scores))
        self.curve[-1] |= {"dev_accuracy": scores[name], "dev": scores, "dev_metric": name}

    def _trial(self, event: dict[str, Any]) -> None:
        value, seconds = event.get("value"), event.get("seconds")
        self.trials[int(event["number"])] = {
            "params": event.get("params") or {},
            "value": None if value is None else float(value),
            "state": str(event.get("state", ""))[:16],
            "seconds": None if seconds is None else float(seconds),
            "curve": event.get("curve") or [],
        }

    def _write(self, text: str) -> None:
        # PostgreSQL stores no NUL
        self.log = (self.log + text.rstrip("\n").replace("\x00", "") + "\n")[-LOG_BYTES:]

    def columns(self) -> dict[str, Any]:
        return {"progress": self.progress, "curve": self.curve, "log_tail": self.log}


def _tell(run: TrainingRun, news: News) -> TrainingRun.State | None:
    """Everything new into the rows; the trials only while the run is this attempt's to write."""
    state = runs.report(run, **news.columns())
    if state is not None:
        for number, values in news.trials.items():
            SearchTrial.objects.update_or_create(run=run, number=number, defaults=values)
        news.trials.clear()
    return state


def supervise(run: TrainingRun, child: Child, *, stopping: Callable[[], bool] = lambda: False) -> Outcome:
    """Watch a child to its end. Whatever happens here, no child outlives this call."""
    news = News(curve=list(run.curve), log=run.log_tail)
    told = 0.0
    try:
        while not child.ended():
            for line in child.lines(timeout=LOOK_EVERY):
                news.take(line)
            if stopping():
                return _stop(run, child, news, "stopped")
            if time.monotonic() - told < REPORT_EVERY:
                continue
            told = time.monotonic()
            state = _tell(run, news)
            if state is None:
                return Outcome("superseded")
            if state == TrainingRun.State.CANCELLING:
                return _stop(run, child, news, "cancelled")
        for line in child.rest():
            news.take(line)
        _tell(run, news)
        return _ending(child.process.returncode, news)
    finally:
        child.kill()


def _stop(run: TrainingRun, child: Child, news: News, ending: Ending) -> Outcome:
    child.stop(GRACE if ending == "cancelled" else GRACE_TO_SAVE)
    for line in child.lines(timeout=0.01):
        news.take(line)
    _tell(run, news)
    return Outcome(ending)


def _ending(code: int, news: News) -> Outcome:
    if code == 0 and news.done:
        return Outcome("done")
    if code == CANCELLED:
        return Outcome("stopped")  # somebody asked the child, not us; its checkpoint is good
    if code == REFUSED:
        return Outcome("refused", news.error or _("The labels of this run cannot be learned from."))
    if code == -signal.SIGKILL:
        return Outcome("failed", _("The training process was killed, most likely because memory ran out."))
    if news.error:
        return Outcome("failed", news.error)
    return Outcome(
        "failed", _("The training process ended unexpectedly (code %(code)d). See its log.") % {"code": code}
    )
