import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.content.models import Item, Vector
from apps.learning import queries, runs
from apps.learning.models import Encoding
from apps.learning.services import encoding
from apps.projects.models import Project
from tests.learning import rows
from workers.learning import encoders


@pytest.fixture
def project(project: Project) -> Project:
    project.encoder = "char-ngrams"  # no torch, no weights
    project.save()
    return project


def _digest() -> str:
    return encoders.digest("char-ngrams")


def test_every_text_gets_the_encoders_vector_once(project: Project) -> None:
    items = rows.items(project, ["where is my card", "top up failed", "where is my card", "卡在哪里"], holdout_every=2)
    assert queries.projects_to_encode() == [project.pk]
    assert runs.encode(project.pk) is False
    stored = {bytes(v.text_hash): np.array(v.vector) for v in Vector.objects.filter(encoder_digest=_digest())}
    assert len(stored) == 3
    expected = encoders.load("char-ngrams").encode([item.text for item in items])
    for item, vector in zip(items, expected, strict=True):
        assert np.allclose(stored[bytes(item.text_hash)], vector, atol=1e-3)
    row = Encoding.objects.get(project=project)
    assert (row.done, row.total, row.through_item, row.heartbeat_at) == (4, 4, items[-1].pk, None)
    assert queries.projects_to_encode() == []
    assert queries.encoding_progress(project).finished


def test_a_text_known_from_another_project_is_not_encoded_again(project: Project, monkeypatch) -> None:
    rows.items(project, ["a shared text", "another"])
    runs.encode(project.pk)
    other = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    rows.items(other, ["a shared text", "a new one"])
    seen: list[str] = []
    encode = runs._encoder("char-ngrams").__class__.encode
    monkeypatch.setattr(
        "workers.learning.encoders.ngrams.CharNgrams.encode",
        lambda self, texts, **kw: (seen.extend(texts), encode(self, texts))[1],
    )
    runs.encode(other.pk)
    assert seen == ["a new one"]
    assert Encoding.objects.get(project=other).done == 2


def test_many_chunks_end_with_everything_encoded(project: Project, monkeypatch) -> None:
    monkeypatch.setattr(runs, "ENCODE_AT_ONCE", (7, 7))
    rows.items(project, [f"text number {n}" for n in range(60)])
    runs.encode(project.pk)
    assert Vector.objects.count() == 60
    assert Encoding.objects.get(project=project).rate is not None


def test_a_slice_ends_in_time_and_the_next_goes_on_where_it_ended(project: Project, monkeypatch) -> None:
    monkeypatch.setattr(runs, "ENCODE_AT_ONCE", (10, 10))
    monkeypatch.setattr(runs, "ENCODE_SLICE", 0.0)
    rows.items(project, [f"text number {n}" for n in range(25)])
    monkeypatch.setattr(runs.time, "monotonic", iter(np.arange(0, 1000, 0.1)).__next__)
    assert runs.encode(project.pk) is True
    assert runs.encode(project.pk) is True
    monkeypatch.setattr(runs, "ENCODE_SLICE", 60.0)
    assert runs.encode(project.pk) is False
    assert Vector.objects.count() == 25


def test_two_workers_do_not_take_the_same_project(project: Project) -> None:
    rows.items(project, ["one"])
    assert encoding.claim(project, _digest()) is not None
    assert encoding.claim(project, _digest()) is None


def test_a_dead_workers_project_is_taken_over_and_its_late_write_refused(project: Project) -> None:
    items = rows.items(project, [f"text {n}" for n in range(10)])
    dead = encoding.claim(project, _digest())
    assert dead is not None
    chunk = encoding.next_chunk(dead, items[-1].pk, 4)
    Encoding.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=2))
    runs.encode(project.pk)
    assert Vector.objects.count() == 10
    vectors = encoders.load("char-ngrams").encode(chunk.texts)
    assert encoding.store(dead, chunk, vectors, 1.0) is None
    assert Encoding.objects.get(project=project).through_item == items[-1].pk


def test_a_changed_encoder_starts_again_and_keeps_the_old_vectors(project: Project, monkeypatch) -> None:
    items = rows.items(project, ["one", "two", "three"])
    runs.encode(project.pk)
    project.encoder = "another"
    project.save()
    assert queries.projects_to_encode() == [project.pk]
    assert not queries.encoding_progress(project).finished
    monkeypatch.setattr(runs.encoders, "digest", lambda name: "f" * 64)
    other = encoders.load("char-ngrams")
    monkeypatch.setattr(other, "digest", "f" * 64)
    monkeypatch.setattr(runs, "_encoder", lambda name: other)
    runs.encode(project.pk)
    assert Vector.objects.filter(encoder_digest="f" * 64).count() == 3
    assert Vector.objects.filter(encoder_digest=_digest()).count() == 3
    assert Encoding.objects.get(project=project).through_item == items[-1].pk


def test_an_encoder_that_cannot_be_found_is_said_in_words_and_tried_again_later(project: Project, monkeypatch) -> None:
    from workers.learning.types import LearningError

    def refuse(name: str) -> str:
        raise LearningError("The encoder “x” is neither a folder here nor reachable.")

    rows.items(project, ["one"])
    monkeypatch.setattr(runs.encoders, "digest", refuse)
    assert runs.encode(project.pk) is False
    assert "neither a folder" in queries.encoding_progress(project).error
    assert encoding.ask(project.pk) is False
    Encoding.objects.update(asked_at=timezone.now() - timedelta(minutes=5))
    assert encoding.ask(project.pk) is True


def test_weights_that_cannot_be_read_release_the_project(project: Project, monkeypatch) -> None:
    from workers.learning.types import LearningError

    def refuse(name: str) -> None:
        raise LearningError("The weights are not the published ones.")

    rows.items(project, ["one"])
    monkeypatch.setattr(runs, "_encoder", refuse)
    assert runs.encode(project.pk) is False
    row = Encoding.objects.get(project=project)
    assert (row.heartbeat_at, row.error) == (None, "The weights are not the published ones.")


def test_a_worker_is_woken_once_in_half_a_minute(project: Project) -> None:
    assert [encoding.ask(project.pk) for _ in range(3)] == [True, False, False]


@pytest.mark.django_db(transaction=True)
def test_the_mark_waits_for_imports_that_hold_lower_ids(project: Project) -> None:
    """An id is given out before its row can be seen: the mark must not pass over it."""
    inserted, commit = threading.Event(), threading.Event()

    def slow_import() -> None:
        with transaction.atomic():
            rows.items(project, ["slow one"], prefix="slow")
            inserted.set()
            commit.wait(120)
        connection.close()

    importer = threading.Thread(target=slow_import)
    importer.start()
    assert inserted.wait(60)
    rows.items(project, ["quick one"], prefix="quick")
    _, writers = encoding.arrivals(project.pk)
    assert len(writers) == 1
    threading.Timer(0.3, commit.set).start()
    runs.encode(project.pk)
    importer.join()
    assert Item.objects.count() == Vector.objects.count() == 2


_SLOWLY = """
import sys, time
import django
django.setup()
from apps.learning import runs
from workers.learning.encoders.ngrams import CharNgrams
fast = CharNgrams.encode
def slow(self, texts, **given):
    time.sleep(1)
    return fast(self, texts, **given)
CharNgrams.encode = slow
runs.ENCODE_AT_ONCE = (20, 20)
runs.encode(int(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_after_kill_9_another_worker_goes_on_and_nothing_is_missing(project: Project) -> None:
    rows.items(project, [f"text number {n}" for n in range(400)])
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    environ = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    worker = subprocess.Popen([sys.executable, "-c", _SLOWLY, str(project.pk)], env=environ)
    deadline = time.monotonic() + 180
    while Encoding.objects.filter(done__gte=40).count() == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    worker.kill()
    worker.wait()
    assert 40 <= Vector.objects.count() < 400
    assert runs.encode(project.pk) is False
    assert Vector.objects.count() < 400  # the heartbeat is still fresh: nobody knows yet that it died
    Encoding.objects.update(heartbeat_at=timezone.now() - encoding.STALE)
    runs.encode(project.pk)
    assert Vector.objects.count() == 400
    row = Encoding.objects.get(project=project)
    assert (row.done, row.attempt, row.heartbeat_at) == (400, 2, None)


def test_the_row_says_which_runtime_computes_and_why(project: Project, monkeypatch) -> None:
    parity = encoders.Parity(200, 0.9981, 0.97, 0.9, 0.898, "here")
    runtime = encoders.Runtime("onnx-int8", "onnx-int8", "cpu", "As asked for.", parity)
    other = encoders.load("char-ngrams")
    monkeypatch.setattr(other, "runtime", runtime, raising=False)
    monkeypatch.setattr(other, "digest", "8" * 64)
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(runs, "_encoder", lambda name, **wished: (asked.append(wished), other)[1])
    rows.items(project, ["one", "two"])
    runs.encode(project.pk)
    assert asked == [{}]
    project.encoder_runtime = Project.EncoderRuntime.ONNX_INT8
    project.save()
    assert queries.projects_to_encode() == [project.pk]
    assert not queries.encoding_progress(project).finished
    runs.encode(project.pk)
    assert asked[1] == {"runtime": "onnx-int8", "held": None}
    row = Encoding.objects.get(project=project)
    assert (row.runtime, row.asked_runtime, row.encoder_digest) == ("onnx-int8", "onnx-int8", "8" * 64)
    assert "0.9981" in row.parity
    assert "0.898 instead of 0.900" in row.parity
    assert queries.projects_to_encode() == []


def test_int8_is_compared_on_the_projects_own_labelled_texts(project: Project) -> None:
    assert runs._held(project) is None
    label = project.labels.all()[0]
    for item in rows.items(project, [f"text {n}" for n in range(runs.LEAST_HELD)]):
        rows.resolve(item, label)
    held = runs._held(project)
    assert held is not None
    assert len(held.texts) == len(held.labels) == runs.LEAST_HELD
