import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from apps.config.embedded import free_port
from workers.learning.encoders import backbone
from workers.learning.finetune.distributed import Parallel, launched, parallel

ROOT = Path(__file__).parents[3]
LAUNCH = [
    "-m",
    "accelerate.commands.launch",
    "--cpu",
    "--num_machines=1",
    "--mixed_precision=no",
    "--dynamo_backend=no",
]
ONE_BY_ONE = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": ""}


def test_a_process_by_itself_is_the_first_of_one(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert not launched()
    alone = parallel("cpu")
    assert (alone.main, alone.world) == (True, 1)
    assert alone.shard([3, 1, 2]) == [3, 1, 2]
    assert alone.device("cuda:3") == "cuda:3"
    assert (alone.total(2.5), alone.any(False), alone.any(True), alone.from_main("x")) == (2.5, False, True, "x")


def test_shares_hold_every_row_once_and_spread_long_texts():
    lengths = list(range(100, 0, -7))
    shares = []
    for rank in range(4):
        one = Parallel()
        one.rank, one.world = rank, 4
        shares.append(one.shard(lengths))
    assert sorted(length for share in shares for length in share) == sorted(lengths)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [share[0] for share in shares] == lengths[:4]


def test_only_the_first_process_reports():
    told: list[dict] = []
    second = Parallel()
    second.rank = 1
    second.reporter(told.append)({"event": "log"})
    Parallel().reporter(told.append)({"event": "log", "text": "first"})
    assert told == [{"event": "log", "text": "first"}]


@pytest.fixture(scope="module")
def steady_encoder(tmp_path_factory) -> str:
    """The toy without dropout: what one process draws, two draw otherwise."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    folder = tmp_path_factory.mktemp("steady")
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    still = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    BertModel(BertConfig(vocab_size=30_522, **size, **still)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone.spec(backbone.MINILM).folder).save_pretrained(folder)
    return str(folder)


@pytest.mark.slow
def test_two_processes_end_with_the_metrics_and_weights_of_one(steady_encoder, questions, tmp_path):
    """Same global batches, gradients added up over gloo: equal up to the rounding of sums (1e-3 on losses)."""
    from safetensors.numpy import load_file

    texts, labels = questions(90)
    rows = [{"text": t, "label": label[:6]} for t, label in zip(texts, labels, strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    told = {}
    for name, launcher in (("one", []), ("two", [*LAUNCH, "--num_processes=2", f"--main_process_port={free_port()}"])):
        command = [sys.executable, *launcher, "-m", "workers.learning", "train", str(tmp_path / "rows.jsonl")]
        wish = ["--label-col=label", "--kind=transformer", "--epochs=2", "--device=cpu", f"--encoder={steady_encoder}"]
        wish += ["--config", "dev_share=0.2"]
        done = subprocess.run(
            [*command, *wish, f"--out={tmp_path / name}"],
            cwd=ROOT,
            env=os.environ | ONE_BY_ONE,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        told[name] = json.loads(done.stdout)["metrics"]
        assert done.stderr.count('"step": 1,') == 1  # reported once, by the first
    one, two = told["one"], told["two"]
    assert len(one["dev"]) == 3
    for a, b in zip(one["dev"], two["dev"], strict=True):
        assert b["loss"] == pytest.approx(a["loss"], abs=1e-3)
        assert b["accuracy"] == a["accuracy"]
    assert (one["steps"], one["best_epoch"]) == (two["steps"], two["best_epoch"])
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("one", "two"))
    assert set(first) == set(second)
    for name, tensor in first.items():
        np.testing.assert_allclose(second[name], tensor, atol=2e-3, err_msg=name)
