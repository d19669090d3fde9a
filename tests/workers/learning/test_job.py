"""The child process as the application starts it: lines on stdout, exit codes, cancel, the parent's death."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from workers.learning import job
from workers.learning.checkpoint import verify
from workers.learning.predict import Predictor

pytestmark = pytest.mark.slow
COMMAND = [sys.executable, "-m", "workers.learning", "train", "--job"]
ENDLESS = {"epochs": 100_000, "batch_size": 8, "checkpoint_seconds": 1.0, "threads": 1}


@pytest.fixture
def folder(tmp_path, toys) -> Path:
    lines = [json.dumps({"id": e.id, "text": e.text, "label": e.label}) for e in toys]
    (tmp_path / "examples.jsonl").write_text("\n".join(lines))
    return tmp_path


def write_job(folder: Path, **changes) -> Path:
    known = {
        "kind": "head",
        "encoder": "char-ngrams",
        "label_order": [[1, "transfer"], [2, "card"]],
        "seed": 0,
        "config": {},
        "examples": "examples.jsonl",
        "device": "cpu",
        "output": "out",
    }
    (folder / "job.json").write_text(json.dumps(known | changes))
    return folder


def lines_of(output: str) -> list[dict]:
    return [json.loads(line) for line in output.splitlines()]


def start(folder: Path, **changes) -> subprocess.Popen:
    write_job(folder, parent_pid=os.getpid(), **changes)
    return subprocess.Popen([*COMMAND, str(folder)], stdout=subprocess.PIPE, text=True)


def wait_for_step(child: subprocess.Popen) -> None:
    for line in child.stdout:
        event = json.loads(line)
        if event["event"] == "progress" and event["step"] > 2:
            return
    pytest.fail("the child ended before its third step")


def test_a_head_is_trained_and_published(folder):
    done = subprocess.run([*COMMAND, str(write_job(folder))], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = lines_of(done.stdout)
    assert [e["event"] for e in events][-2:] == ["log", "done"]
    assert events[-1]["digest"] == verify(folder / "out").digest
    assert events[-1]["path"] == str(folder / "out")


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"config": {"epoch": 3}, "kind": "transformer", "encoder": "minilm-l6"}, "Unknown training settings"),
        ({"label_order": [[1, "a"]]}, "outside the label order"),
        ({"examples": "nowhere.jsonl"}, "cannot be read"),
    ],
)
def test_what_cannot_be_learnt_is_refused_before_any_work(folder, capsys, monkeypatch, changes, word):
    monkeypatch.setattr(job, "_follow_parent", lambda *_: None)
    before = signal.getsignal(signal.SIGTERM)
    code = job.run(write_job(folder, **changes))
    signal.signal(signal.SIGTERM, before)
    assert code == job.REFUSED
    event = lines_of(capsys.readouterr().out)[-1]
    assert event["event"] == "failed"
    assert word in event["sentence"]


@pytest.fixture
def do(monkeypatch, capsys):
    """Run a job in this process: its exit code and its lines."""
    monkeypatch.setattr(job, "_follow_parent", lambda *_: None)
    before = signal.getsignal(signal.SIGTERM)

    def run(folder: Path, **changes) -> tuple[int, list[dict]]:
        code = job.run(write_job(folder, **changes))
        return code, lines_of(capsys.readouterr().out)

    yield run
    signal.signal(signal.SIGTERM, before)


def test_an_ensemble_of_two_versions_is_a_job_too(folder, do, toys):
    for name, seed in (("one", 1), ("two", 2)):
        code, lines = do(folder, seed=seed, config={"c": 10.0 * seed}, output=name)
        assert code == job.DONE, lines[-1]
    (folder / "texts.jsonl").write_text(json.dumps({"id": 1, "text": toys[0].text}))
    parents = [str(folder / "one"), str(folder / "two")]
    code, lines = do(folder, kind="ensemble", parents=parents, output="both", examples="none.jsonl")
    assert code == job.DONE, lines[-1]
    found = [Predictor(folder / name).probabilities([toys[0].text]) for name in ("one", "two", "both")]
    np.testing.assert_allclose(found[2], (found[0] + found[1]) / 2, atol=1e-6)


def test_a_search_is_a_job_whose_trials_are_told(folder, do, toys, toy_encoder):
    lines = [json.dumps({"id": i, "text": f"{e.text} {i}", "label": e.label}) for i, e in enumerate(toys * 2)]
    (folder / "examples.jsonl").write_text("\n".join(lines))
    config = {"trials": 2, "epochs": 1}
    code, lines = do(folder, kind="search", encoder=toy_encoder, config=config)
    assert code == job.DONE, lines[-1]
    assert {e["number"] for e in lines if e["event"] == "trial"} == {0, 1}
    assert verify(folder / "out").kind == "transformer"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"kind": "onnx", "parents": []}, "Name the version"),
        ({"kind": "onnx", "parents": ["nowhere"]}, "no model"),
        ({"kind": "search", "config": {"trials": 2, "epoch": 1}}, "Unknown"),
        ({"kind": "oracle"}, "no kind"),
    ],
)
def test_derived_jobs_that_cannot_be_done_end_in_words(folder, do, toy_encoder, changes, word):
    code, lines = do(folder, **({"encoder": toy_encoder} | changes))
    assert code in (job.REFUSED, job.FAILED)
    assert word in lines[-1]["error"]


def test_silence_is_broken_by_repeating_the_last_progress(monkeypatch):
    told: list[str] = []
    report = job.Reporter(told.append)
    report({"event": "progress", "step": 3, "steps": 9, "epoch": 1, "loss": 0.5})
    report({"event": "log", "text": "x"})
    report.beat()
    assert len(told) == 2
    now = time.monotonic()
    monkeypatch.setattr(job.time, "monotonic", lambda: now + job.HEARTBEAT + 0.1)
    report.beat()
    assert json.loads(told[-1])["step"] == 3


def test_sigterm_saves_a_checkpoint_and_the_next_start_goes_on(folder, toy_encoder):
    child = start(folder, kind="transformer", encoder=toy_encoder, config=ENDLESS)
    wait_for_step(child)
    child.terminate()
    output, _ = child.communicate(timeout=120)
    assert child.returncode == 3
    assert lines_of(output)[-1]["event"] == "log"
    assert (folder / "work" / "state.json").exists()
    assert not (folder / "out").exists()
    again = start(folder, kind="transformer", encoder=toy_encoder, config=ENDLESS)
    wait_for_step(again)
    again.terminate()
    again.communicate(timeout=120)
    saved = json.loads((folder / "work" / "state.json").read_text())["progress"]["step"]
    assert saved > 3


def test_the_child_ends_when_its_parent_is_killed(folder, toy_encoder):
    write_job(folder, kind="transformer", encoder=toy_encoder, config=ENDLESS)
    code = (
        "import json,os,subprocess,sys,pathlib;p=pathlib.Path(sys.argv[1]);j=json.loads(p.joinpath('job.json').read_text());"
        "j['parent_pid']=os.getpid();p.joinpath('job.json').write_text(json.dumps(j));"
        "c=subprocess.Popen([*sys.argv[2:],str(p)],stdout=subprocess.PIPE,text=True,start_new_session=True);"
        "[None for l in iter(c.stdout.readline,'') if '\"step\": 3,' in l and print(c.pid,flush=True)]"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(folder), *COMMAND], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 60
    while _alive(child):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
