"""Runtimes may differ in speed, not in what they say: the parity gate, the cache of graphs, threads and batches."""

from pathlib import Path

import numpy as np
import pytest

from workers.learning import encoders
from workers.learning.encoders import batches, onnx, parity, runtimes, store, threads, transformer
from workers.learning.types import LearningError

TEXTS = ["my card", "the transfer of last week never came to the other account", "", "ok 🏦", "late " * 20]


@pytest.fixture(scope="module")
def kept(toy_encoder, tmp_path_factory) -> Path:
    """A cache that already holds the toy's graphs."""
    cache = tmp_path_factory.mktemp("cache")
    encoders.load(toy_encoder, device="cpu", runtime="onnx-int8", cache=cache)
    return cache


def test_onnx_in_fp32_is_the_same_encoder(toy_encoder, kept):
    torch_, onnx_ = (
        encoders.load(toy_encoder, device="cpu", runtime=kind, cache=kept) for kind in ("torch", "onnx-fp32")
    )
    np.testing.assert_allclose(onnx_.encode(TEXTS), torch_.encode(TEXTS), atol=1e-5)
    assert onnx_.digest == torch_.digest == encoders.digest(toy_encoder)
    assert (onnx_.runtime.kind, torch_.runtime.kind) == ("onnx-fp32", "torch")


def test_auto_takes_onnx_where_it_can_be_kept_and_torch_elsewhere(toy_encoder, kept, monkeypatch):
    assert encoders.load(toy_encoder, device="cpu", cache=kept).runtime.kind == "onnx-fp32"
    monkeypatch.delenv("MARGINALIA_HOME", raising=False)
    assert encoders.load(toy_encoder, device="cpu").runtime.kind == "torch"
    monkeypatch.setenv("MARGINALIA_HOME", str(kept / "home"))
    encoders.load(toy_encoder, device="cpu")
    assert list((kept / "home" / "encoders").glob("fp32-*/model.onnx"))


def test_int8_that_passes_gets_a_digest_of_its_own(toy_encoder, kept):
    quick = encoders.load(toy_encoder, device="cpu", runtime="onnx-int8", cache=kept)
    assert quick.runtime.kind == "onnx-int8"
    assert quick.runtime.parity.cosine >= parity.LEAST_COSINE
    assert quick.digest == encoders.digest(f"{toy_encoder}?precision=int8") != encoders.digest(toy_encoder)
    promised = encoders.load(f"{toy_encoder}?precision=int8", cache=kept)
    assert (promised.digest, promised.runtime.kind) == (quick.digest, "onnx-int8")


def _broken(source: Path, target: Path) -> None:
    """What a processor that saturates does: the file is fine, the numbers are not."""
    import onnx as format_

    graph = format_.load(source)
    for tensor in graph.graph.initializer:
        if len(tensor.dims) == 2 and min(tensor.dims) >= 16:
            values = np.random.default_rng(0).standard_normal(tuple(tensor.dims)).astype(np.float32)
            tensor.CopyFrom(format_.numpy_helper.from_array(values, tensor.name))
    format_.save(graph, target)


def test_a_broken_int8_gives_way_to_fp32_and_says_why(toy_encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "quantise", _broken)
    encoder = encoders.load(toy_encoder, device="cpu", runtime="onnx-int8", cache=tmp_path)
    assert encoder.runtime.kind == "onnx-fp32"
    assert encoder.runtime.asked == "onnx-int8"
    assert encoder.runtime.reason.startswith("onnx-int8 was refused: its vectors differ")
    assert encoder.runtime.parity.cosine < parity.LEAST_COSINE
    assert encoder.digest == encoders.digest(toy_encoder)
    plain = encoders.load(toy_encoder, device="cpu", runtime="torch")
    np.testing.assert_allclose(encoder.encode(TEXTS), plain.encode(TEXTS), atol=1e-5)
    with pytest.raises(LearningError, match="cannot run in int8 on this machine: its vectors differ"):
        encoders.load(f"{toy_encoder}?precision=int8", cache=tmp_path)


def test_the_gate_is_asked_once_for_each_host_and_again_only_when_labels_suffice(toy_encoder, kept, monkeypatch):
    asked = []
    compare = parity.compare
    monkeypatch.setattr(parity, "compare", lambda *args: asked.append(1) or compare(*args))

    def load(held=None):
        return encoders.load(toy_encoder, device="cpu", runtime="onnx-int8", cache=kept, held=held).runtime

    texts = tuple(f"text {i} of a project" for i in range(120))
    assert (load().kind, load(encoders.Held(texts[:30])).kind, asked) == ("onnx-int8", "onnx-int8", [])
    labelled = encoders.Held(texts, tuple(i % 2 for i in range(120)))
    assert [load(labelled).parity.n, load(labelled).parity.n, len(asked)] == [120, 120, 1]
    more = encoders.Held((*texts, "and one more"), (*labelled.labels, 1))
    assert load(more).parity.n == 120
    monkeypatch.setattr(parity, "host", lambda: "another")
    encoders.load(toy_encoder, device="cpu", runtime="onnx-int8", cache=kept)
    assert len(asked) == 2


def test_a_head_that_loses_is_reason_enough_to_refuse():
    rng = np.random.default_rng(0)
    labels = tuple(int(v) for v in rng.integers(0, 2, 400))
    common = np.full((400, 8), 10.0, dtype=np.float32)
    signal = common.copy()
    signal[:, 0] += np.where(labels, 0.5, -0.5)
    fp32, other = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (signal, common))
    found = parity.compare(fp32, other, labels)
    assert found.cosine > 0.999
    assert found.accuracy_fp32 > 0.95 > 0.7 > found.accuracy
    assert "loses" in found.refusal
    assert parity.compare(fp32, fp32, labels).refusal == ""
    assert parity.compare(fp32[:50], fp32[:50], labels[:50]).accuracy is None


def test_not_a_number_is_refused():
    x = np.eye(3, dtype=np.float32)
    assert parity.compare(x, x * np.float32("nan")).refusal


def test_bf16_is_refused_where_the_processor_has_none(toy_encoder, monkeypatch):
    monkeypatch.setattr(parity, "cpu_flags", lambda: frozenset({"avx2"}))
    encoder = encoders.load(toy_encoder, device="cpu", runtime="torch-bf16")
    assert encoder.runtime.precision == "fp32"
    assert "no bf16 arithmetic" in encoder.runtime.reason


def test_bf16_passes_the_same_gate(toy_encoder, monkeypatch):
    monkeypatch.setattr(parity, "cpu_flags", lambda: frozenset({"avx512_bf16"}))
    encoder = encoders.load(toy_encoder, device="cpu", runtime="torch-bf16")
    assert encoder.runtime.precision == "bf16"
    assert encoder.digest == encoders.digest(f"{toy_encoder}?precision=bf16")
    plain = encoders.load(toy_encoder, device="cpu", runtime="torch")
    assert (encoder.encode(TEXTS) * plain.encode(TEXTS)).sum(1).min() > 0.99


def test_what_the_page_shows_is_plain_data(toy_encoder, kept):
    import json

    told = json.loads(
        json.dumps(encoders.load(toy_encoder, device="cpu", runtime="onnx-int8", cache=kept).runtime.as_dict())
    )
    assert told["kind"] == "onnx-int8"
    assert told["precision"] == "int8"
    assert told["parity"]["n"] == len(parity.PROBES)


@pytest.mark.parametrize(
    ("name", "runtime", "words"), [("", "fast", "no runtime “fast”"), ("?precision=bf16", "onnx-int8", "asks for bf16")]
)
def test_impossible_runtimes_are_refused_in_words(name, runtime, words, toy_encoder):
    with pytest.raises(LearningError, match=words):
        encoders.load(toy_encoder + name, device="cpu", runtime=runtime)


def test_a_crash_in_the_middle_leaves_nothing_that_looks_finished(tmp_path):
    def crash(file: Path) -> None:
        file.write_bytes(b"half of a gra")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.graph(tmp_path, "fp32", "d" * 64, crash)
    assert not list(tmp_path.glob("fp32-*"))
    (tmp_path / ".fp32-dddd.partial").mkdir()  # what a killed process leaves
    file = store.graph(tmp_path, "fp32", "d" * 64, lambda file: file.write_bytes(b"whole") and None)
    assert file.read_bytes() == b"whole"


def test_a_damaged_graph_is_built_again_and_a_whole_one_is_not(tmp_path):
    built = []

    def build(file: Path) -> None:
        built.append(1)
        file.write_bytes(b"graph")

    file = store.graph(tmp_path, "fp32", "d" * 64, build)
    assert store.graph(tmp_path, "fp32", "d" * 64, build) == file
    assert len(built) == 1
    file.write_bytes(b"grap")
    assert store.graph(tmp_path, "fp32", "d" * 64, build).read_bytes() == b"graph"
    assert len(built) == 2


def test_the_first_of_two_builders_wins(tmp_path):
    def slow(file: Path) -> None:
        store.graph(tmp_path, "fp32", "d" * 64, lambda other: other.write_bytes(b"first") and None)
        file.write_bytes(b"second")

    assert store.graph(tmp_path, "fp32", "d" * 64, slow).read_bytes() == b"first"
    assert not list(tmp_path.glob(".*"))


def test_a_cache_that_cannot_be_written_is_said_in_words(tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(LearningError, match="could not be written"):
        store.graph(tmp_path / "cache", "fp32", "d" * 64, lambda file: None)


def test_a_model_that_cannot_be_traced_runs_in_torch(toy_encoder, tmp_path, monkeypatch):
    def refuse(*args: object, **kwargs: object) -> None:
        raise LearningError("The model cannot be written as ONNX: no.")

    monkeypatch.setattr(onnx, "export", refuse)
    encoder = encoders.load(toy_encoder, device="cpu", cache=tmp_path)
    assert encoder.runtime.kind == "torch"
    assert "cannot be written as ONNX" in encoder.runtime.reason
    assert encoder.encode(TEXTS).shape == (5, 16)


def test_a_graph_that_says_something_else_than_torch_is_not_used(toy_encoder, tmp_path, monkeypatch):
    export = onnx.export

    def off(module: object, file: Path) -> None:
        export(module, file)
        _broken(file, file)

    monkeypatch.setattr(onnx, "export", off)
    encoder = encoders.load(toy_encoder, device="cpu", cache=tmp_path)
    assert encoder.runtime.kind == "torch"
    assert "other vectors than torch" in encoder.runtime.reason
    assert not list(tmp_path.glob("fp32-*"))


def test_a_gpu_s_order_of_work_gives_every_text_its_own_row(toy_encoder, monkeypatch):
    """Tokenising ahead in a thread and fetching late, without a GPU: the forward pass stays where it was."""
    monkeypatch.setattr(transformer, "TOKENISE_AT_ONCE", 7)
    encoder = encoders.load(toy_encoder, device="cpu", runtime="torch")
    texts = [f"text {i} " + "late " * (i % 9) for i in range(40)]
    plain = encoder.encode(texts)
    encoder.device = "cuda"
    told: list[int] = []
    np.testing.assert_allclose(encoder.encode(texts, batch_tokens=40, on_progress=told.append), plain, atol=1e-5)
    assert (told[-1], told) == (40, sorted(told))
    assert encoder.encode([]).shape == (0, 16)


def test_padding_ends_at_the_longest_text():
    ids, mask = batches.padded([[5, 6, 7], [8]], 9)
    assert ids.tolist() == [[5, 6, 7], [8, 9, 9]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batches.padded([[5, 6, 7]], 9, multiple=8)[0].shape == (1, 8)


def test_threads_stay_within_quota_and_what_the_starter_says(tmp_path, monkeypatch):
    file = tmp_path / "cpu.max"
    file.write_text("150000 100000\n")
    monkeypatch.setattr(threads, "CGROUP", file)
    monkeypatch.setattr(threads.os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    for told, cores in (("", 2), ("1", 1), ("8", 2), ("nonsense", 2)):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        threads.usable_cores.cache_clear()
        assert threads.usable_cores() == cores
    file.write_text("max 100000\n")
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    threads.usable_cores.cache_clear()
    assert threads.usable_cores() == 16
    threads.usable_cores.cache_clear()


def test_int8_reads_seven_bits_where_eight_would_saturate(monkeypatch):
    monkeypatch.setattr(onnx, "cpu_flags", lambda: frozenset({"avx2"}))
    assert onnx.int8_name() == "int8-reduced"
    monkeypatch.setattr(onnx, "cpu_flags", lambda: frozenset({"avx512_vnni"}))
    assert onnx.int8_name() == "int8"
    assert set(runtimes.PRECISION) | {"auto"} == set(encoders.KINDS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx-int8", "torch-bf16"])
def test_whatever_this_machine_makes_of_minilm_is_minilm(kind, questions, tmp_path):
    """The known trap: dynamic int8 of MiniLM is near random on some processors. Accepted or not, the vectors are right."""
    texts, labels = questions(150)
    names = sorted(set(labels))
    held = encoders.Held(tuple(texts), tuple(names.index(label) for label in labels))
    plain = encoders.load("minilm-l6", device="cpu", runtime="torch").encode(texts)
    faster = encoders.load("minilm-l6", device="cpu", runtime=kind, cache=tmp_path, held=held)
    assert (faster.encode(texts) * plain).sum(1).mean() >= parity.LEAST_COSINE
    assert (
        bool(faster.runtime.parity and faster.runtime.parity.refusal) == (faster.runtime.kind != kind)
        or not faster.runtime.parity
    )
    assert (faster.digest == encoders.digest("minilm-l6")) == (faster.runtime.kind != kind)
