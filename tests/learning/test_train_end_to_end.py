"""The real child process, the real files, the real database: from a wish to a version that serves."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Prediction
from apps.learning import runs as bridge
from apps.learning.models import Evaluation, Repredict, TrainingRun
from apps.learning.services import jobs, repredictions, runs, versions
from apps.learning.services.wishes import Wish
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.learning.teach import add_item, add_items, head_wish

State = TrainingRun.State


def trained(project: Project, by: User, **wish: object) -> ModelVersion:
    run = runs.create(project, by, head_wish(**wish))
    bridge.train(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (State.SUCCEEDED, "")
    assert run.version is not None
    return run.version


def test_a_published_head_from_the_wish_to_its_evaluation(project: Project, alice: User) -> None:
    add_items(project, 8)
    held = add_items(project, 6, split="holdout")
    unlabelled = add_item(project, "held out, nobody looked yet", split="holdout")
    version = trained(project, alice, seed=5)
    run = TrainingRun.objects.get()
    assert run.snapshot is not None
    assert (version.number, version.snapshot_hash, version.seed) == (1, run.snapshot.hash, 5)
    assert [name for _pk, name in version.label_order] == ["card arrival", "exchange rate", "top up failed"]
    predicted = set(Prediction.objects.filter(version=version).values_list("item_id", flat=True))
    assert predicted == {item.pk for item in [*held, unlabelled]}
    measured = Evaluation.objects.get(version=version)
    assert measured.n == 18
    assert measured.metrics["accuracy"] > 0.9
    assert not jobs.folder_of(run).exists()


def test_the_artefact_is_safetensors_and_a_manifest_that_names_its_digest(project: Project, alice: User) -> None:
    add_items(project, 8)
    version = trained(project, alice)
    folder = versions.folder_of(version)
    assert folder == Path(settings.HOME) / "models" / str(project.pk) / "1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["files"]["model.safetensors"] == version.digest
    assert manifest["label_order"] == version.label_order
    assert manifest["snapshot_hash"] == version.snapshot_hash
    assert not [path.name for path in folder.rglob("*") if path.suffix in {".pkl", ".bin", ".pt"}]


def test_the_same_labels_and_seed_give_the_same_weights(project: Project, alice: User) -> None:
    add_items(project, 8)
    first, second = trained(project, alice), trained(project, alice)
    assert (first.number, second.number) == (1, 2)
    assert first.digest == second.digest


def test_an_artefact_that_was_tampered_with_is_not_loaded(project: Project, alice: User) -> None:
    add_items(project, 8)
    add_items(project, 2, split="holdout")
    version = trained(project, alice)
    weights = versions.folder_of(version) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"evil")
    add_item(project, "a new question")
    repredictions.want(version, pool=True)
    bridge.repredict(version.pk)
    job = Repredict.objects.get(version=version)
    assert "changed after it was written" in job.error
    assert not Prediction.objects.filter(version=version, item__split="pool").exists()


def test_promotion_predicts_the_pool_and_takes_up_what_was_left(project: Project, alice: User) -> None:
    pool = add_items(project, 8)
    version = trained(project, alice)
    versions.promote(project, version, by=alice)
    assert not bridge.repredict(version.pk)
    rows = Prediction.objects.filter(version=version)
    assert rows.count() == 24
    assert np.allclose(np.sum(rows[0].probabilities), 1, atol=1e-2)
    job = Repredict.objects.get(version=version)
    assert (job.done, job.total, job.error) == (24, 24, "")
    assert job.finished_at is not None
    # content that comes later is noticed and predicted too, and nothing is predicted twice
    late = add_item(project, "what about my card delivery")
    assert repredictions.revive() == [version.pk]
    bridge.repredict(version.pk)
    assert rows.count() == 25
    assert rows.filter(item=late).exists()
    assert rows.filter(item__in=pool).count() == 24


def test_a_superseded_prediction_job_writes_nothing(project: Project, alice: User) -> None:
    add_items(project, 8)
    version = trained(project, alice)
    versions.promote(project, version, by=alice)
    zombie = repredictions.claim(version.pk)
    assert zombie is not None
    assert repredictions.claim(version.pk) is None  # its heart still beats
    Repredict.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert repredictions.claim(version.pk) is not None
    item = add_item(project, "late")
    with pytest.raises(repredictions.Superseded):
        repredictions.store(zombie, [item.pk], np.full((1, 3), 1 / 3, dtype=np.float32))
    assert not repredictions.finish(zombie)
    assert not Prediction.objects.filter(version=version, item=item).exists()


def test_an_unknown_encoder_fails_in_words(project: Project, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    add_items(project, 8)
    run = runs.create(project, alice, head_wish(encoder="nobody/nothing"))
    bridge.train(run.pk)
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "nobody/nothing" in run.error
    assert not ModelVersion.objects.exists()


def test_a_crash_between_the_folder_and_its_row_is_mended_by_the_next_attempt(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_items(project, 8)
    run = runs.create(project, alice, head_wish())

    def crash(*_args: object, **_kwargs: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("apps.learning.services.versions.repredictions.want", crash)
        with pytest.raises(SystemExit):
            bridge.train(run.pk)
    assert (versions.models_root() / f"{project.pk}/1").exists()
    assert not ModelVersion.objects.exists()
    TrainingRun.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert runs.revive() == [run.pk]
    bridge.train(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.SUCCEEDED, 2)
    assert run.version is not None
    assert run.version.number == 1


def test_a_crash_after_the_version_is_on_record_does_not_train_again(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_items(project, 8)
    add_items(project, 2, split="holdout")
    run = runs.create(project, alice, head_wish())

    def crash(*_args: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr("apps.learning.runs._predictor", crash)
        with pytest.raises(SystemExit):
            bridge.train(run.pk)
    digest = ModelVersion.objects.get().digest
    long_ago = timezone.now() - timedelta(minutes=5)
    TrainingRun.objects.update(heartbeat_at=long_ago)
    Repredict.objects.update(heartbeat_at=long_ago)
    runs.revive()
    bridge.train(run.pk)
    assert ModelVersion.objects.get().digest == digest
    assert Evaluation.objects.get().n == 6


# the real child, but for its work, which never ends: it is killed in the middle of it on a machine of any speed
ENDLESS = """
import sys, time
from workers.learning import __main__, job
job.Work.do = lambda self: time.sleep(600)
sys.exit(__main__.main(sys.argv[1:]))
"""
SUPERVISOR = """
import sys
import django
django.setup()
from apps.learning import runs
from apps.learning.services import training
real = training.Child
training.Child = lambda folder: real(folder, [sys.executable, "-c", {endless!r}, "train", "--job", str(folder)])
runs.train({pk})
"""


@pytest.fixture
def supervisor(project: Project) -> Iterator[Callable[[int], subprocess.Popen[bytes]]]:
    """A worker process of its own, on the test database."""
    started: list[subprocess.Popen[bytes]] = []
    values = connection.settings_dict
    url = f"postgresql://{values['USER']}@/{values['NAME']}?host={values['HOST']}&port={values['PORT']}"

    def start(pk: int) -> subprocess.Popen[bytes]:
        environment = os.environ | {"DATABASE_URL": _database_url(url), "DJANGO_SETTINGS_MODULE": "tests.settings"}
        process = subprocess.Popen([sys.executable, "-c", SUPERVISOR.format(pk=pk, endless=ENDLESS)], env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def _database_url(fallback: str) -> str:
    given = os.environ.get("DATABASE_URL", fallback)
    return given.replace("/marginalia?", f"/{connection.settings_dict['NAME']}?")


@pytest.mark.django_db(transaction=True)
def test_a_killed_supervisor_takes_its_child_along_and_its_run_is_finished_by_another(
    project: Project, alice: User, supervisor: Callable[[int], subprocess.Popen[bytes]]
) -> None:
    add_items(project, 8)
    run = runs.create(project, alice, head_wish())
    first = supervisor(run.pk)
    _until(lambda: bool(_children(first.pid)), 180)
    children = _children(first.pid)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    _until(lambda: not any(_alive(pid) for pid in children), 120)
    run.refresh_from_db()
    assert (run.state, run.attempt) == (State.RUNNING, 1)
    TrainingRun.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=5))
    assert runs.revive() == [run.pk]
    bridge.train(run.pk)
    run.refresh_from_db()
    assert (run.state, run.attempt, run.error) == (State.SUCCEEDED, 2, "")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_transformer_is_cancelled_within_five_seconds_and_leaves_no_version(project: Project, alice: User) -> None:
    add_items(project, 20)
    run = runs.create(project, alice, transformer_wish(epochs=1_000))

    def work() -> None:
        bridge.train(run.pk)
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    _until(lambda: TrainingRun.objects.get(pk=run.pk).progress > 0, 240)
    asked = time.monotonic()
    runs.cancel(run)
    worker.join(timeout=200)
    assert time.monotonic() - asked < 60  # what this machine adds; a thousand epochs take longer
    run.refresh_from_db()
    assert run.state == State.CANCELLED
    assert not ModelVersion.objects.exists()


@pytest.mark.slow
def test_a_fine_tuned_transformer_from_the_wish_to_its_evaluation(project: Project, alice: User) -> None:
    add_items(project, 20)
    add_items(project, 5, split="holdout")
    version = trained(project, alice, kind=ModelVersion.Kind.TRANSFORMER, encoder="minilm-l6", epochs=1)
    assert (version.kind, version.encoder) == ("transformer", "minilm-l6")
    assert Prediction.objects.filter(version=version).count() == 15
    assert Evaluation.objects.get(version=version).metrics["accuracy"] > 0.6
    run = TrainingRun.objects.get()
    assert run.progress == 1
    assert [point for point in run.curve if "loss" in point]


def transformer_wish(epochs: int) -> Wish:
    known = {"kind": ModelVersion.Kind.TRANSFORMER, "encoder": "minilm-l6", "epochs": epochs}
    return head_wish(**known, options={"patience": epochs})


def _children(pid: int) -> list[int]:
    import psutil

    found = []
    for child in psutil.Process(pid).children():  # also of libraries that look around as they are loaded
        with suppress(psutil.NoSuchProcess):
            if "--job" in child.cmdline():
                found.append(child.pid)
    return found


def _alive(pid: int) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _until(fact: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < ends, "it never came true"
        time.sleep(0.1)
