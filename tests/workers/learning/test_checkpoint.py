import hashlib
import json
import os

import pytest

from workers.learning import checkpoint
from workers.learning.checkpoint import MANIFEST, WEIGHTS, Manifest
from workers.learning.types import LearningError

DRAFT = Manifest(kind="head", encoder="char-ngrams", encoder_digest="0" * 64, label_order=[[1, "a"], [2, "b"]], seed=7)


def publish(target, weights: bytes = b"weights"):
    folder = checkpoint.prepare(target)
    (folder / WEIGHTS).write_bytes(weights)
    (folder / "encoder").mkdir()
    (folder / "encoder" / "config.json").write_text("{}")
    return checkpoint.publish(folder, target, DRAFT)


def test_what_was_published_is_what_is_read(tmp_path):
    written = publish(tmp_path / "model")
    assert checkpoint.verify(tmp_path / "model") == written
    assert written.digest == hashlib.sha256(b"weights").hexdigest()
    assert set(written.files) == {WEIGHTS, "encoder/config.json"}
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("name", [WEIGHTS, "encoder/config.json"])
def test_a_changed_file_is_refused_in_words(tmp_path, name):
    publish(tmp_path / "model")
    (tmp_path / "model" / name).write_bytes(b"something else")
    with pytest.raises(LearningError, match="changed after it was written"):
        checkpoint.verify(tmp_path / "model")


def test_a_missing_file_is_refused_in_words(tmp_path):
    publish(tmp_path / "model")
    (tmp_path / "model" / WEIGHTS).unlink()
    with pytest.raises(LearningError, match="incomplete"):
        checkpoint.verify(tmp_path / "model")


def test_a_manifest_that_points_outside_is_refused(tmp_path):
    publish(tmp_path / "model")
    (tmp_path / "secret").write_text("x")
    path = tmp_path / "model" / MANIFEST
    raw = json.loads(path.read_text())
    raw["files"]["../secret"] = "0" * 64
    path.write_text(json.dumps(raw))
    with pytest.raises(LearningError, match="outside its folder"):
        checkpoint.verify(tmp_path / "model")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"kind": "head"}', '{"unknown": 1}'])
def test_a_broken_manifest_is_refused_in_words(tmp_path, text):
    publish(tmp_path / "model")
    (tmp_path / "model" / MANIFEST).write_text(text)
    with pytest.raises(LearningError, match="manifest"):
        checkpoint.verify(tmp_path / "model")


def test_no_model_is_refused_in_words(tmp_path):
    with pytest.raises(LearningError, match="no model"):
        checkpoint.verify(tmp_path)


def test_a_full_disk_leaves_the_old_model_untouched(tmp_path, monkeypatch):
    old = publish(tmp_path / "model", b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LearningError, match="No space left"):
        publish(tmp_path / "model", b"new")
    monkeypatch.undo()
    assert checkpoint.verify(tmp_path / "model") == old
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_publishing_again_replaces_the_model(tmp_path):
    publish(tmp_path / "model", b"old")
    new = publish(tmp_path / "model", b"new")
    assert checkpoint.verify(tmp_path / "model").digest == new.digest
    assert (tmp_path / "model" / WEIGHTS).read_bytes() == b"new"
