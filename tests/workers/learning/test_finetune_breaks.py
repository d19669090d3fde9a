"""What happens when the machine misbehaves: kills, a full disk, numbers that are none."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from workers.learning import checkpoint
from workers.learning.finetune import loop
from workers.learning.finetune.config import Config
from workers.learning.publish import Recipe, publish
from workers.learning.types import Cancelled, LearningError

ROOT = Path(__file__).parents[3]
# threads of a library do not live on in a fork, and whoever waits for them waits for ever
SINGLE = {"TOKENIZERS_PARALLELISM": "false", **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}


@pytest.mark.slow
def test_twenty_kills_at_random_steps_end_like_an_unbroken_run(toy_encoder, tmp_path):
    command = [sys.executable, "-m", "tests.workers.learning.killed", toy_encoder, str(tmp_path / "work"), "7", "20"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240, env={**os.environ, **SINGLE}
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["kills"] == 20
    assert told["unbroken"] == told["broken"]  # scores of every epoch and the weights, to the last bit


@pytest.fixture
def small_disk():
    """Files end at so many bytes: the kernel refuses the write, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    yield limit
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def recipe(encoder: str, **config) -> Recipe:
    return Recipe(
        kind="transformer",
        encoder=encoder,
        label_order=[[1, "a"], [2, "b"]],
        config={"epochs": 1} | config,
        device="cpu",
    )


def test_a_disk_that_is_full_at_the_end_leaves_the_old_model_untouched(toys, toy_encoder, tmp_path, small_disk):
    old = publish(toys, recipe(toy_encoder), tmp_path / "model")
    small_disk(1_000_000)  # the weights are twice as large
    with pytest.raises(LearningError, match="could not be written"):
        publish(toys, recipe(toy_encoder, epochs=2), tmp_path / "model")
    small_disk(resource.RLIM_INFINITY)
    assert checkpoint.verify(tmp_path / "model") == old
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_disk_that_is_full_at_a_checkpoint_leaves_the_old_model_and_the_last_checkpoint(
    toys, toy_encoder, tmp_path, small_disk
):
    old = publish(toys, recipe(toy_encoder), tmp_path / "model")
    work, config = tmp_path / "work", {"epochs": 4, "batch_size": 8}
    steps: list[int] = []
    with pytest.raises(Cancelled):
        publish(
            toys,
            recipe(toy_encoder, **config),
            tmp_path / "model",
            work=work,
            on_event=lambda e: steps.append(e.get("step", 0)),
            should_stop=lambda: max(steps, default=0) >= 5,
        )
    kept = (work / "state.json").read_bytes()
    small_disk(2_000)
    with pytest.raises(OSError, match="File too large"):
        publish(toys, recipe(toy_encoder, **config, checkpoint_seconds=0), tmp_path / "model", work=work)
    small_disk(resource.RLIM_INFINITY)
    assert (work / "state.json").read_bytes() == kept
    assert checkpoint.verify(tmp_path / "model") == old
    events: list[dict] = []
    publish(toys, recipe(toy_encoder, **config), tmp_path / "model", work=work, on_event=events.append)
    assert any("Goes on from epoch 2" in e.get("text", "") for e in events)


@pytest.mark.parametrize("stage", ["head", "dev", "step"])
def test_a_wish_to_stop_is_heard_in_every_stage(toys, toy_encoder, tmp_path, stage):
    """Between any two batches, also while the head is fitted and the dev part is scored."""
    many = [type(e)(e.id + 32 * i, f"{e.text} {i}", e.label) for i in range(2) for e in toys]
    asked = {"head": 1, "dev": 2, "step": 4}[stage]
    calls: list[int] = []

    def should_stop() -> bool:
        calls.append(1)
        return len(calls) >= asked

    config = Config.of({"epochs": 3, "batch_size": 8})
    with pytest.raises(Cancelled):
        loop.finetune(
            many, encoder=toy_encoder, n_classes=2, config=config, seed=1, device="cpu", should_stop=should_stop
        )
    assert len(calls) == asked
