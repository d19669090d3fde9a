import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection

from apps.config import doctor
from apps.config.doctor import Finding


def _faults(findings: list[Finding]) -> list[str]:
    return [finding.text for finding in findings if finding.wrong]


@pytest.fixture
def at_home(tmp_path: Path, settings) -> Path:
    settings.HOME = tmp_path
    return tmp_path


def test_a_healthy_database_has_no_fault(db: None) -> None:
    assert _faults([*doctor.database(), *doctor.extensions(), *doctor.migrations()]) == []


def test_an_unreachable_database_is_said_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable() -> None:
        raise OperationalError("connection failed\nno route to host")

    monkeypatch.setattr(connection, "ensure_connection", unreachable)
    (fault,) = _faults(list(doctor.database()))
    assert "does not answer (no route to host)" in fault


def test_an_old_server_and_an_old_extension_are_refused(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "LEAST_POSTGRES", 99)
    monkeypatch.setattr(doctor, "LEAST_VECTOR", (99, 0))
    old_server, old_vector = _faults([*doctor.database(), *doctor.extensions()])
    assert "too old: 99 or newer" in old_server
    assert "vector" in old_vector


def test_a_migration_that_is_due_is_counted(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'learning'")
    (fault,) = _faults(list(doctor.migrations()))
    assert "migrations are due" in fault


def test_a_low_disk_is_said_in_gigabytes(at_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=512 * 1024**2))
    assert _faults(list(doctor.disk())) == [
        f"Only 0.5 GB are free below {at_home}; imports and training will fail soon."
    ]


def test_a_key_that_others_can_read_is_named(at_home: Path) -> None:
    key = at_home / "secret-key"
    key.write_text("k")
    key.chmod(0o644)
    assert _faults(list(doctor.keys())) == [f"Others on this machine can read {key}. Run: chmod 600 {key}"]
    key.chmod(0o600)
    assert _faults(list(doctor.keys())) == []


def test_nobody_listening_is_one_fault_per_queue_and_one_for_beat(monkeypatch: pytest.MonkeyPatch, broker: str) -> None:
    monkeypatch.setattr(doctor, "INSPECT_SECONDS", 0.3)
    faults = _faults(list(doctor.broker()))
    assert [fault.split(":")[0] for fault in faults] == [
        "No worker listens on the queue default",
        "No worker listens on the queue gpu",
        "Beat does not answer",
    ]


def test_a_broker_that_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.app import app

    monkeypatch.setattr(app, "connection_for_write", lambda **_: app.connection("redis://127.0.0.1:1/0"))
    (fault,) = _faults(list(doctor.broker()))
    assert fault.startswith("The broker does not answer")


def test_a_wanted_gpu_that_is_not_there_is_a_fault_and_a_plain_cpu_is_none(
    settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(returncode=0, stdout='["2.13.0", ""]', stderr="")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: answer)
    settings.DEVICE = "auto"
    assert _faults(list(doctor.torch())) == []
    settings.DEVICE = "cuda"
    assert _faults(list(doctor.torch())) == ["DEVICE is cuda, but torch 2.13.0 sees no GPU."]


def test_a_torch_that_cannot_be_loaded_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = SimpleNamespace(returncode=1, stdout="", stderr="Traceback\nImportError: libcudart.so.13")
    monkeypatch.setattr(doctor.subprocess, "run", lambda *_, **__: answer)
    assert _faults(list(doctor.torch())) == ["torch cannot be loaded: ImportError: libcudart.so.13"]


def test_an_inference_process_that_is_not_there_is_a_fault(at_home: Path, settings) -> None:
    settings.SERVE_URL = ""
    (fault,) = _faults(list(doctor.inference()))
    assert "does not answer" in fault
    settings.SERVE_URL = "http://127.0.0.1:9"
    (fault,) = _faults(list(doctor.inference()))
    assert "at http://127.0.0.1:9" in fault


def test_an_inference_process_says_what_it_cannot_open(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"loaded": [["1/1", "d"]], "failed": [["1/2", "d", "It was changed."]]}
    monkeypatch.setattr("apps.serving.services.inference.client", lambda: SimpleNamespace(health=lambda: told))
    found = list(doctor.inference())
    assert found[0].text == "The inference process answers; it holds 1 version."
    assert _faults(found) == ["The inference process cannot open the version in models/1/2: It was changed."]
