import subprocess
import sys
from itertools import chain

import numpy as np
import pytest

from workers.learning import encoders, heads
from workers.learning.encoders import backbone
from workers.learning.encoders.batches import batches_by_tokens
from workers.learning.types import LearningError


@pytest.fixture(scope="module")
def minilm() -> encoders.Encoder:
    return encoders.load("minilm-l6", device="cpu")


def test_naming_an_encoder_costs_no_torch():
    code = (
        "import sys; from workers.learning import encoders, heads, sampling, evaluate, checkpoint;"
        "print(encoders.digest('minilm-l6'), encoders.dimension('minilm-l6'), 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert len(out[0]) == 64
    assert out[1:] == ["384", "False"]


def test_vectors_equal_a_plain_mean_pool(minilm):
    import torch
    from transformers import AutoModel, AutoTokenizer

    texts = ["I lost my card", "", "¿Dónde está mi dinero? 🏦", "word " * 400, "top-up failed twice", "Hi"]
    folder = backbone.spec("minilm-l6").folder
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    batch = tokenizer(texts, padding="max_length", truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (states * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(mean, dim=1).numpy()
    np.testing.assert_allclose(minilm.encode(texts), expected, atol=1e-4)


def test_vectors_do_not_depend_on_the_company_they_keep(minilm):
    texts = [f"question {i} " + "please " * (i % 30) for i in range(60)]
    told: list[int] = []
    together = minilm.encode(texts, batch_tokens=300, on_progress=told.append)
    np.testing.assert_allclose(together[[7, 29]], minilm.encode([texts[7], texts[29]]), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    assert told[-1] == 60
    assert told == sorted(told)


def test_no_text_gives_no_row(minilm):
    assert minilm.encode([]).shape == (0, 384)
    assert encoders.load("char-ngrams").encode([]).shape == (0, encoders.dimension("char-ngrams"))


def test_385_random_labels_reach_the_published_accuracy(minilm, questions):
    texts, labels = questions(1_000)
    _, y = np.unique(labels, return_inverse=True)
    x = minilm.encode(texts)
    head = heads.fit(x[:385], y[:385], n_classes=y.max() + 1)
    assert (head.probabilities(x[385:]).argmax(axis=1) == y[385:]).mean() == pytest.approx(0.69, abs=0.05)


def test_changed_weights_are_refused_in_words(tmp_path, monkeypatch):
    real = backbone.spec("minilm-l6")
    for file in real.folder.glob("*.*"):
        if file.is_file() and file.suffix != ".safetensors":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"not the weights")
    monkeypatch.setattr(backbone, "_minilm_folder", lambda: tmp_path)
    backbone.spec.cache_clear()
    try:
        with pytest.raises(LearningError, match="not the published ones"):
            encoders.load("minilm-l6")
    finally:
        backbone.spec.cache_clear()


def test_pickled_weights_are_refused_in_words(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(LearningError, match="pickled"):
        encoders.digest(str(tmp_path))


def test_an_encoder_that_is_nowhere_is_refused_in_words(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LearningError, match="neither a folder here nor reachable"):
        encoders.digest("no spaces allowed/../x")


def test_batches_hold_every_text_once_and_keep_the_budget():
    lengths = [int(v) for v in np.random.default_rng(0).integers(1, 50, 300)] + [900]
    batches = list(batches_by_tokens(lengths, 256, 10**9))
    assert sorted(i for batch in batches for i in batch) == list(range(301))
    assert all(len(b) == 1 or max(lengths[i] for i in b) * len(b) <= 256 for b in batches)


def test_batches_end_before_padding_costs_more_than_another_pass():
    lengths = [int(v) for v in np.random.default_rng(1).integers(1, 90, 40)]
    sizes = {}
    for padding in (0, 24, 10**9):
        batches = [[lengths[i] for i in batch] for batch in batches_by_tokens(lengths, 10**9, padding)]
        assert sorted(chain.from_iterable(batches)) == sorted(lengths)
        assert all(max(batch) * len(batch) - sum(batch) <= padding for batch in batches)
        sizes[padding] = len(batches)
    assert sizes[0] == len(set(lengths)) > sizes[24] > sizes[10**9] == 1
    assert list(batches_by_tokens([], 256, 24)) == []


def test_character_ngrams_bring_alike_texts_together_in_any_script():
    x = encoders.load("char-ngrams").encode(
        ["很快，好吃，味道足", "味道足，好吃，送得很快", "没有送水没有送水", "where is my card"]
    )
    assert x.shape == (4, encoders.dimension("char-ngrams"))
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    assert x[0] @ x[1] > max(x[0] @ x[2], x[0] @ x[3]) + 0.2


def test_character_ngrams_are_the_same_in_every_process():
    code = "from workers.learning import encoders; print(encoders.load('char-ngrams').encode(['abc 你好'])[0].tobytes().hex())"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert out == encoders.load("char-ngrams").encode(["abc 你好"])[0].tobytes().hex()
