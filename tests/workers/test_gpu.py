import os
from pathlib import Path

import pytest

from workers import gpu


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CUDA_VISIBLE_DEVICES", *gpu.THREAD_SETTINGS):
        monkeypatch.delenv(name, raising=False)


def test_gpus_are_counted_without_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert gpu.gpus(tmp_path) == []
    for name in ("nvidia3", "nvidia7", "nvidiactl", "nvidia-uvm"):  # what a container was given
        (tmp_path / name).touch()
    assert gpu.gpus(tmp_path) == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert gpu.gpus(tmp_path) == ["1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert gpu.gpus(tmp_path) == []


def test_the_worker_takes_one_gpu_and_one_job_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    arguments = " ".join(gpu.command(["--gpu", "1", "--loglevel", "INFO"]))
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
    assert "-n gpu1@%h --pool threads --concurrency 1" in arguments
    assert arguments.endswith("--loglevel INFO")


def test_compute_threads_are_limited_unless_the_operator_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_NUM_THREADS", "")
    monkeypatch.delenv("MKL_NUM_THREADS")
    gpu.limit_threads(3)
    try:
        assert (os.environ["OMP_NUM_THREADS"], os.environ["MKL_NUM_THREADS"]) == ("7", "3")
    finally:
        for name in ("MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.pop(name, None)
