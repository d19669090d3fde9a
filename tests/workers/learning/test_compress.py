"""Derived versions: each must answer like its source, say what it weighs, and refuse in words what cannot be."""

import json
from pathlib import Path

import numpy as np
import pytest

from workers.learning import checkpoint, compress
from workers.learning.checkpoint import MEMBERS, ONNX, WEIGHTS
from workers.learning.compress import distillation, soft, student
from workers.learning.finetune.voting import vote
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Cancelled, Example, LearningError, ScoredSpan, Span, SpanAnswer

TWO = [["a", "card"], ["b", "transfer"]]
QUICK = {"epochs": 1, "batch_size": 16, "max_length": 32, "threads": 1}
TEXTS = ["my card is late", "the transfer number 7 never came", "card 🏦 çard", "ok", "", "is late " * 60]


def _trained(toys, toy_encoder, folder: Path, task="single", seed=0) -> Path:
    recipe = Recipe(
        kind="transformer", encoder=toy_encoder, label_order=TWO, seed=seed, config=QUICK, device="cpu", task=task
    )
    publish(toys, recipe, folder)
    return folder


@pytest.fixture(scope="module")
def single(toys, toy_encoder, tmp_path_factory) -> Path:
    return _trained(toys, toy_encoder, tmp_path_factory.mktemp("single") / "v")


@pytest.fixture(scope="module")
def multi(toys, toy_encoder, tmp_path_factory) -> Path:
    several = [Example(e.id, e.text, labels=((e.label, 1 - e.label) if e.id % 5 == 0 else (e.label,))) for e in toys]
    several = [Example(e.id, e.text, labels=tuple(sorted(e.labels))) for e in several]
    return _trained(several, toy_encoder, tmp_path_factory.mktemp("multi") / "v", task="multi")


@pytest.fixture(scope="module")
def spans(toys, toy_encoder, tmp_path_factory) -> Path:
    marked = []
    for e in toys:
        word = "card" if e.label else "transfer"
        marked.append(Example(e.id, e.text, spans=(Span(4, 4 + len(word), e.label),)))
    return _trained(marked, toy_encoder, tmp_path_factory.mktemp("spans") / "v", task="spans")


@pytest.fixture(scope="module")
def head(toys, toy_encoder, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("head") / "v"
    publish(toys, Recipe(kind="head", encoder=toy_encoder, label_order=TWO, device="cpu"), target)
    return target


@pytest.mark.parametrize("kind", ["single", "multi", "head"])
def test_an_exported_version_gives_the_probabilities_of_its_source(kind, request, tmp_path):
    source = request.getfixturevalue(kind)
    manifest = compress.to_onnx(source, tmp_path / "v", int8=False, texts=TEXTS)
    exported = Predictor(tmp_path / "v", device="cpu")
    np.testing.assert_allclose(
        exported.probabilities(TEXTS), Predictor(source, device="cpu").probabilities(TEXTS), atol=1e-5
    )
    assert (manifest.kind, set(manifest.files) & {ONNX, WEIGHTS}) == ("onnx", {ONNX})
    assert manifest.metrics["parity"]["agreement"] == 1
    assert manifest.metrics["size_bytes"] == sum((tmp_path / "v" / name).stat().st_size for name in manifest.files)
    assert manifest.metrics["latency_ms"] > 0


def test_an_exported_span_model_finds_the_same_spans(spans, tmp_path):
    manifest = compress.to_onnx(spans, tmp_path / "v", int8=False, texts=TEXTS)
    one, other = Predictor(spans, device="cpu").spans(TEXTS), Predictor(tmp_path / "v").spans(TEXTS)
    assert [[(s.start, s.end, s.label) for s in a.spans] for a in one] == [
        [(s.start, s.end, s.label) for s in a.spans] for a in other
    ]
    np.testing.assert_allclose([a.confidence for a in one], [a.confidence for a in other], atol=1e-5)
    assert manifest.metrics["parity"]["f1"] == 1


def test_int8_is_smaller_and_says_how_far_it_is_off(single, tmp_path):
    plain = compress.to_onnx(single, tmp_path / "fp32", int8=False, texts=TEXTS)
    small = compress.to_onnx(single, tmp_path / "int8", int8=True, texts=TEXTS)
    sizes = [(tmp_path / name / ONNX).stat().st_size for name in ("fp32", "int8")]
    assert sizes[1] < 0.5 * sizes[0]
    assert plain.metrics["parity"]["mean_difference"] < small.metrics["parity"]["mean_difference"] < 0.1
    assert small.digest != plain.digest


def test_what_has_no_network_is_not_exported(toys, tmp_path):
    publish(toys, Recipe(kind="head", encoder="char-ngrams", label_order=TWO), tmp_path / "v")
    with pytest.raises(LearningError, match="no ONNX form"):
        compress.to_onnx(tmp_path / "v", tmp_path / "w", int8=False)
    assert not (tmp_path / "w").exists()


def test_a_learnt_prefix_is_neither_exported_nor_cut(toys, toy_encoder, tmp_path):
    recipe = Recipe(
        kind="transformer", encoder=toy_encoder, label_order=TWO, config=QUICK | {"method": "prefix"}, device="cpu"
    )
    publish(toys, recipe, tmp_path / "v")
    with pytest.raises(LearningError, match="no ONNX form"):
        compress.to_onnx(tmp_path / "v", tmp_path / "w", int8=False)
    with pytest.raises(LearningError, match="learnt prefix"):
        compress.distil(tmp_path / "v", tmp_path / "w", examples=toys, config={"student": "layers:1"}, device="cpu")


def test_a_graph_that_was_changed_is_refused(single, tmp_path):
    compress.to_onnx(single, tmp_path / "v", int8=False, texts=TEXTS)
    file = tmp_path / "v" / ONNX
    file.write_bytes(file.read_bytes()[:-1] + b"\0")
    with pytest.raises(LearningError, match="changed after it was written"):
        Predictor(tmp_path / "v")


def test_pruning_cuts_the_smallest_weights_of_all_layers(single, tmp_path):
    from safetensors.numpy import load_file

    manifest = compress.prune(single, tmp_path / "v", share=0.6, texts=TEXTS)
    before, after = load_file(single / WEIGHTS), load_file(tmp_path / "v" / WEIGHTS)
    cut = [
        n
        for n in before
        if n.endswith("weight") and before[n].ndim == 2 and "embeddings" not in n and n.startswith("encoder")
    ]
    old, new = (np.concatenate([np.abs(t[n]).ravel() for n in cut]) for t in (before, after))
    assert (new == 0).mean() == pytest.approx(0.6, abs=0.001)
    assert old[new == 0].max() <= old[new > 0].min()
    assert all((before[n] == after[n]).all() for n in before if n not in cut)
    assert manifest.metrics["nonzero_share"] == pytest.approx(0.4, abs=0.001)


def test_zeros_make_the_file_no_smaller_unless_packed(single, tmp_path):
    half = compress.prune(single, tmp_path / "half", share=0.5, texts=TEXTS)
    most = compress.prune(single, tmp_path / "most", share=0.95, texts=TEXTS)
    assert (tmp_path / "half" / WEIGHTS).stat().st_size == (tmp_path / "most" / WEIGHTS).stat().st_size
    assert most.metrics["packed_bytes"] < half.metrics["packed_bytes"]


def test_impossible_shares_and_heads_are_not_pruned(single, head, tmp_path):
    for share in (0, 1, 1.5):
        with pytest.raises(LearningError, match="between 0 and 1"):
            compress.prune(single, tmp_path / "v", share=share)
    with pytest.raises(LearningError, match="Only a fine-tuned transformer"):
        compress.prune(head, tmp_path / "v", share=0.5)


def test_an_ensemble_is_the_mean_of_its_members(single, head, tmp_path):
    manifest = compress.ensemble([single, head], tmp_path / "v", texts=TEXTS)
    members = [Predictor(source, device="cpu").probabilities(TEXTS) for source in (single, head)]
    np.testing.assert_allclose(
        Predictor(tmp_path / "v", device="cpu").probabilities(TEXTS), np.mean(members, axis=0), atol=1e-6
    )
    named = json.loads((tmp_path / "v" / MEMBERS).read_text())
    assert [m["digest"] for m in named] == [checkpoint.verify(single).digest, checkpoint.verify(head).digest]
    assert manifest.metrics["members"] == 2


def test_a_member_that_was_changed_spoils_the_ensemble(single, head, tmp_path):
    compress.ensemble([single, head], tmp_path / "v", texts=TEXTS)
    (tmp_path / "v" / "member-1" / WEIGHTS).unlink()
    with pytest.raises(LearningError, match="incomplete"):
        Predictor(tmp_path / "v")


def test_versions_that_do_not_belong_together_make_no_ensemble(single, multi, tmp_path):
    for sources, words in (
        ([single], "at least two"),
        ([single, single], "named twice"),
        ([single, multi], "same task"),
    ):
        with pytest.raises(LearningError, match=words):
            compress.ensemble(sources, tmp_path / "v")
    compress.ensemble([single, _copy_of(single, tmp_path / "copy", seed=1)], tmp_path / "e", texts=TEXTS)
    with pytest.raises(LearningError, match="another ensemble"):
        compress.ensemble([tmp_path / "e", single], tmp_path / "v")


def _copy_of(source: Path, target: Path, *, seed: int) -> Path:
    compress.prune(source, target, share=0.01 * (seed + 1), texts=TEXTS)
    return target


def test_span_models_vote():
    def said(*spans, confidence=0.5):
        return SpanAnswer(tuple(ScoredSpan(*s) for s in spans), confidence, 0.4, 7)

    answer = vote(
        [
            said((0, 4, 0, 0.9), (5, 9, 1, 0.6), confidence=0.8),
            said((0, 4, 0, 0.6)),
            said((0, 3, 0, 0.9), (5, 9, 1, 0.9)),
        ]
    )
    assert [(s.start, s.end, s.label) for s in answer.spans] == [(0, 4, 0), (5, 9, 1)]
    assert [s.score for s in answer.spans] == pytest.approx([0.5, 0.5])
    assert answer.confidence == pytest.approx(0.6)


def test_a_head_fitted_on_its_own_teacher_finds_the_teacher_again():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 6)).astype(np.float32)
    weights, bias = rng.standard_normal((3, 6)).astype(np.float32), np.array([0.5, 0, -0.5], np.float32)
    for multi in (False, True):
        logits = x @ weights.T + bias
        p = 1 / (1 + np.exp(-logits)) if multi else np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        targets = soft.Targets(
            soft.softened(p, 2.0, multi=multi), np.zeros_like(p), np.zeros(400, bool), 2.0, 0.5, multi
        )
        w, b = soft.fit_head(x, targets, c=1e4)
        found = x @ w.T + b
        if not multi:  # a softmax does not see what all logits share
            found, logits = found - found.mean(1, keepdims=True), logits - logits.mean(1, keepdims=True)
        np.testing.assert_allclose(found, logits, atol=0.05)


@pytest.mark.parametrize("chosen", ["head", "layers:1"])
def test_a_student_learns_from_texts_that_nobody_labelled(chosen, single, toys, tmp_path):
    extra = [f"where is the {'card' if i % 2 else 'transfer'} {i}" for i in range(60)]
    told = []
    manifest = compress.distil(
        single,
        tmp_path / "v",
        examples=toys[:8],
        texts=extra,
        config={"student": chosen},
        device="cpu",
        on_event=told.append,
    )
    assert manifest.metrics["n_train"] + manifest.metrics["n_unlabelled"] < 68
    assert manifest.metrics["n_unlabelled"] > 40
    assert manifest.metrics["parity"]["agreement"] >= 0.9
    assert manifest.kind == ("head" if chosen == "head" else "transformer")
    assert any(event["event"] == "progress" for event in told)
    assert Predictor(tmp_path / "v", device="cpu").probabilities(["my card"]).shape == (1, 2)


def test_a_student_of_the_first_layers_is_smaller(single, toys, tmp_path):
    manifest = compress.distil(
        single, tmp_path / "v", examples=toys, config={"student": "layers:1", "epochs": 1}, device="cpu"
    )
    assert manifest.metrics["size_bytes"] < sum(file.stat().st_size for file in single.rglob("*") if file.is_file())
    assert (tmp_path / "v" / WEIGHTS).stat().st_size < (single / WEIGHTS).stat().st_size
    with pytest.raises(LearningError, match="has 2 layers"):
        compress.distil(single, tmp_path / "w", examples=toys, config={"student": "layers:2"}, device="cpu")


def test_a_student_learns_several_labels(multi, toys, tmp_path):
    manifest = compress.distil(
        multi, tmp_path / "v", examples=[], texts=[e.text for e in toys], config={"student": "head"}, device="cpu"
    )
    assert (manifest.task, manifest.thresholds) == ("multi", checkpoint.verify(multi).thresholds)
    said, taught = (Predictor(p, device="cpu").probabilities([e.text for e in toys]) for p in (tmp_path / "v", multi))
    assert np.abs(said - taught).mean() < 0.1


def test_the_same_seed_gives_the_same_student(single, toys, tmp_path):
    digests = {
        compress.distil(
            single, tmp_path / f"v{i}", examples=toys, config={"student": "layers:1", "epochs": 1}, device="cpu"
        ).digest
        for i in range(2)
    }
    assert len(digests) == 1


def test_a_distillation_can_be_stopped(single, toys, tmp_path):
    with pytest.raises(Cancelled):
        compress.distil(single, tmp_path / "v", examples=toys, device="cpu", should_stop=lambda: True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"student": "layers:x"}, "named like"),
        ({"student": "char-ngrams"}, "no weights to teach"),
        ({"alpha": 2}, "Alpha lies"),
        ({"colour": 1}, "Unknown settings"),
    ],
)
def test_impossible_students_are_refused_in_words(config, words, single, toys, tmp_path):
    with pytest.raises(LearningError, match=words):
        compress.distil(single, tmp_path / "v", examples=toys, config=config, device="cpu")


def test_one_way_in_does_every_kind(single, head, toys, tmp_path):
    for kind, parents, config in (
        ("onnx", [single], {"int8": True}),
        ("prune", [single], {"share": 0.3}),
        ("distil", [single], {"student": "head"}),
        ("ensemble", [single, head], {}),
    ):
        manifest = compress.derive(kind, parents, tmp_path / kind, config=config, examples=toys, device="cpu")
        assert {"size_bytes", "latency_ms", "parity"} <= set(manifest.metrics)
        assert checkpoint.verify(tmp_path / kind).digest == manifest.digest
    with pytest.raises(LearningError, match="no way called"):
        compress.derive("shrink", [single], tmp_path / "v", config={})
    with pytest.raises(LearningError, match="several versions"):
        compress.derive("prune", [single, head], tmp_path / "v", config={})


def test_the_layers_of_a_student_are_counted_in_its_name():
    assert [student.layers(name) for name in ("head", "layers:3", "minilm-l6")] == [0, 3, 0]
    assert distillation.Config.of({}).student == "head"
