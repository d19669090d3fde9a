"""The supervisor with stand-in children: small scripts that speak its language, or misbehave."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

from apps.learning.models import TrainingRun
from apps.learning.services import runs, training
from apps.projects.models import Project

State = TrainingRun.State
SAY = "import json, sys, time, os, signal\nsay = lambda **event: print(json.dumps(event), flush=True)\n"


@pytest.fixture
def running(project: Project) -> TrainingRun:
    return TrainingRun.objects.create(
        project=project, kind="head", state=State.RUNNING, attempt=1, heartbeat_at=timezone.now()
    )


def child(tmp_path: Path, script: str) -> training.Child:
    return training.Child(tmp_path, [sys.executable, "-c", SAY + script])


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_news_of_the_child_become_columns_of_the_row(running: TrainingRun, tmp_path: Path) -> None:
    script = """
say(event="log", text="reading")
say(event="dev", epoch=0, accuracy=0.4, loss=1.0)
for step in range(1, 5):
    say(event="progress", step=step, steps=4, epoch=1, loss=1 / step)
say(event="dev", epoch=1, accuracy=0.75, loss=0.3)
print("a warning from a library", file=sys.stderr)
say(event="done")
"""
    outcome = training.supervise(running, child(tmp_path, script))
    assert outcome.ending == "done"
    running.refresh_from_db()
    assert running.progress == 1
    assert [point["step"] for point in running.curve] == [0, 1, 2, 3, 4]
    assert running.curve[0]["dev_accuracy"] == 0.4
    assert running.curve[-1] == {
        **{"step": 4, "epoch": 1, "loss": 0.25, "dev_accuracy": 0.75, "dev_metric": "accuracy"},
        "dev": {"accuracy": 0.75, "loss": 0.3},
    }
    assert "reading" in running.log_tail
    assert "a warning from a library" in running.log_tail


def test_the_heart_beats_while_the_child_is_silent(running: TrainingRun, tmp_path: Path) -> None:
    before = running.heartbeat_at
    training.supervise(running, child(tmp_path, "time.sleep(2.5)"))
    running.refresh_from_db()
    assert before is not None
    assert running.heartbeat_at is not None
    assert (running.heartbeat_at - before).total_seconds() > 1.5


def test_steps_told_twice_after_a_restart_are_drawn_once() -> None:
    news = training.News(curve=[{"step": 1, "epoch": 1, "loss": 0.9}, {"step": 2, "epoch": 1, "loss": 0.8}])
    news.take('{"event": "progress", "step": 2, "steps": 4, "epoch": 1, "loss": 0.7}')
    assert [(point["step"], point["loss"]) for point in news.curve] == [(1, 0.9), (2, 0.7)]


def test_a_long_curve_is_thinned_and_a_long_log_cut() -> None:
    news = training.News()
    for step in range(1, 5_000):
        news.take(f'{{"event": "progress", "step": {step}, "steps": 5000, "epoch": 1, "loss": 0.5}}')
        news.take("line of text\x00\n")
    assert len(news.curve) <= training.CURVE_POINTS
    assert news.curve[-1]["step"] == 4_999
    assert len(news.log) <= training.LOG_BYTES
    assert "\x00" not in news.log


@pytest.mark.parametrize(
    ("script", "ending", "words"),
    [
        ('say(event="failed", error="The loss is not a number."); sys.exit(1)', "failed", "not a number"),
        ('say(event="failed", error="One label only."); sys.exit(4)', "refused", "One label only"),
        ("sys.exit(3)", "stopped", ""),
        ("os.kill(os.getpid(), signal.SIGKILL)", "failed", "memory ran out"),
        ("raise SystemExit(9)", "failed", "code 9"),
        ("pass", "failed", "ended unexpectedly"),
        ('print("[1, 2"); print("null"); say(event="done")', "done", ""),
    ],
)
def test_how_a_child_ends_is_told_in_words(
    running: TrainingRun, tmp_path: Path, script: str, ending: str, words: str
) -> None:
    outcome = training.supervise(running, child(tmp_path, script))
    assert outcome.ending == ending
    assert words in outcome.error


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("deaf", [False, True])
def test_a_wish_to_cancel_is_fulfilled_within_five_seconds(running: TrainingRun, tmp_path: Path, deaf: bool) -> None:
    script = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" if deaf else ""
    started = child(tmp_path, script + 'say(event="log", text="ready")\ntime.sleep(300)')
    outcomes: list[training.Outcome] = []
    watcher = _in_thread(lambda: outcomes.append(training.supervise(running, started)))
    _until(lambda: "ready" in TrainingRun.objects.get(pk=running.pk).log_tail)
    asked = time.monotonic()
    runs.cancel(running)
    watcher.join(timeout=120)
    assert outcomes[0].ending == "cancelled"
    assert time.monotonic() - asked < 60  # what this machine adds; the child would have slept on
    assert training.LOOK_EVERY + training.REPORT_EVERY + training.GRACE < 5
    assert not alive(started.process.pid)


@pytest.mark.django_db(transaction=True)
def test_a_supervisor_that_lost_its_run_kills_its_child_and_writes_nothing(
    running: TrainingRun, tmp_path: Path
) -> None:
    lost = tmp_path / "lost"
    script = f"""
say(event="log", text="ready")
while not os.path.exists({str(lost)!r}):
    time.sleep(0.05)
say(event="log", text="from the zombie")
time.sleep(300)
"""
    started = child(tmp_path, script)
    outcomes: list[training.Outcome] = []
    watcher = _in_thread(lambda: outcomes.append(training.supervise(running, started)))
    _until(lambda: "ready" in TrainingRun.objects.get(pk=running.pk).log_tail)
    TrainingRun.objects.filter(pk=running.pk).update(attempt=2)
    lost.touch()
    watcher.join(timeout=120)
    assert outcomes[0].ending == "superseded"
    assert not alive(started.process.pid)
    running.refresh_from_db()
    assert "zombie" not in running.log_tail


def test_a_worker_that_is_asked_to_stop_lets_the_child_save_first(running: TrainingRun, tmp_path: Path) -> None:
    script = f"""
def save(*_):
    open({str(tmp_path / "checkpoint")!r}, "w").close()
    sys.exit(3)
signal.signal(signal.SIGTERM, save)
say(event="log", text="ready")
time.sleep(300)
"""

    def listening() -> bool:
        return "ready" in TrainingRun.objects.get(pk=running.pk).log_tail

    outcome = training.supervise(running, child(tmp_path, script), stopping=listening)
    assert outcome.ending == "stopped"
    assert (tmp_path / "checkpoint").exists()
    assert runs.hand_back(running)
    assert runs.revive() == [running.pk]


def test_the_child_learns_no_secret(running: TrainingRun, tmp_path: Path) -> None:
    script = 'say(event="log", text=" ".join(os.environ)); say(event="done")'
    training.supervise(running, child(tmp_path, script))
    running.refresh_from_db()
    assert "PATH" in running.log_tail
    for name in training.KEPT_FROM_CHILD:
        assert name not in running.log_tail


def _in_thread(act: Callable[[], object]) -> threading.Thread:
    from django.db import connection

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _until(fact: Callable[[], bool], seconds: float = 120) -> None:
    ends = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.05)
