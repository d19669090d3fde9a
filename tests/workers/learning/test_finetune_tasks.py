"""Several labels per text, and spans: trained, published, opened and asked."""

import json

import numpy as np
import pytest

from workers.learning.finetune import loop
from workers.learning.finetune.config import Config
from workers.learning.finetune.tasks import HEAVIEST, rarity, sigmoid_temperature
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Example, LearningError, Span

FAST = {"learning_rate": 5e-3, "batch_size": 8, "epochs": 12, "patience": 50}
NAMES = ["anna", "boris", "clara", "dmitri", "emma", "felix"]
TOWNS = ["paris", "rome", "oslo", "berlin", "madrid"]


def labelled() -> list[Example]:
    """Texts with any of two labels, each told by one word."""
    return [
        Example(i, f"{'late ' * (i % 2)}{'broken ' * (i % 3 == 0)}parcel {i}", labels=tuple(_facts(i)))
        for i in range(96)
    ]


def _facts(i: int) -> list[int]:
    return [0] * (i % 2) + [1] * (i % 3 == 0)


def marked() -> list[Example]:
    """A name and a town in every text; offsets are code points behind an emoji."""
    out = []
    for i in range(96):
        name, town = NAMES[i % 6], TOWNS[i % 5]
        text = f"👩‍👩‍👧 {name} moved to {town} in {i}"
        at = [(text.index(word), word) for word in (name, town)]
        out.append(Example(i, text, spans=tuple(Span(s, s + len(w), k) for k, (s, w) in enumerate(at))))
    return out


def recipe(encoder: str, task: str, **changes) -> Recipe:
    known = {"kind": "transformer", "encoder": encoder, "label_order": [[1, "a"], [2, "b"]], "config": FAST}
    return Recipe(**(known | {"task": task, "device": "cpu", "seed": 3} | changes))


def test_several_labels_are_learnt_with_thresholds_from_the_dev_part(toy_encoder, tmp_path):
    manifest = publish(labelled(), recipe(toy_encoder, "multi"), tmp_path / "model")
    predictor = Predictor(tmp_path / "model", device="cpu")
    p = predictor.probabilities([e.text for e in labelled()])
    truth = np.array([[label in e.labels for label in range(2)] for e in labelled()])
    assert ((p >= predictor.thresholds) == truth).mean() > 0.97
    assert manifest.thresholds == pytest.approx(predictor.thresholds)
    assert manifest.metrics["dev_metric"] == "micro_f1"
    assert not np.allclose(p.sum(axis=1), 1)


def test_spans_are_learnt_and_told_in_code_points(toy_encoder, tmp_path):
    events: list[dict] = []
    manifest = publish(marked(), recipe(toy_encoder, "spans"), tmp_path / "model", on_event=events.append)
    answers = Predictor(tmp_path / "model", device="cpu").spans([e.text for e in marked()])
    found = [tuple(Span(s.start, s.end, s.label) for s in answer.spans) for answer in answers]
    hits = sum(len(set(a) & set(e.spans)) for a, e in zip(found, marked(), strict=True))
    assert hits / (2 * 96) > 0.95
    assert all(0 < a.confidence <= 1 and 0 <= a.margin <= 1 and a.tokens == 7 for a in answers)
    assert all(0 < s.score <= 1 for a in answers for s in a.spans)
    dev = next(e for e in events if e["event"] == "dev")
    assert dev["metric"] == "span_f1"
    assert dev["span_f1"] == dev["value"]
    assert manifest.metrics["inexact_spans"] == 0


def joined(start: int, n: int = 6) -> Example:
    """Several marked texts in one."""
    text, spans = "", []
    for e in (marked()[(start * 7 + i) % 96] for i in range(n)):
        spans += [Span(s.start + len(text), s.end + len(text), s.label) for s in e.spans]
        text += e.text + " so" * (len(text) % 5) + " "  # no place in a window tells what stands there
    return Example(start, text, spans=tuple(spans))


def test_a_text_longer_than_the_encoder_reads_is_learnt_and_answered_in_windows(toy_encoder, tmp_path):
    config = FAST | {"max_length": 16}
    publish([joined(i) for i in range(60)], recipe(toy_encoder, "spans", config=config), tmp_path / "model")
    long = joined(61, 40)
    answer = Predictor(tmp_path / "model", device="cpu").spans([long.text])[0]
    found = {Span(s.start, s.end, s.label) for s in answer.spans}
    assert answer.tokens == len(long.text.split())
    assert len(found & set(long.spans)) / 80 > 0.9
    assert max(s.end for s in found) > len(long.text) - 40


def test_a_span_model_refuses_probabilities_and_the_others_refuse_spans(toy_encoder, tmp_path):
    short = FAST | {"epochs": 1}
    publish(marked(), recipe(toy_encoder, "spans", config=short), tmp_path / "spans")
    publish(labelled(), recipe(toy_encoder, "multi", config=short), tmp_path / "multi")
    with pytest.raises(LearningError, match="answers with spans"):
        Predictor(tmp_path / "spans", device="cpu").probabilities(["x"])
    with pytest.raises(LearningError, match="trained on spans"):
        Predictor(tmp_path / "multi", device="cpu").spans(["x"])
    assert Predictor(tmp_path / "spans", device="cpu").spans(["", "  "])[0].tokens == 0


def test_samples_differ_by_dropout_and_agree_on_average(toy_encoder, tmp_path):
    publish(labelled(), recipe(toy_encoder, "multi", config=FAST | {"epochs": 3}), tmp_path / "model")
    predictor = Predictor(tmp_path / "model", device="cpu")
    texts = [e.text for e in labelled()[:10]]
    samples = predictor.samples(texts, 20, seed=1)
    assert samples.shape == (20, 10, 2)
    assert samples.std(axis=0).max() > 0
    np.testing.assert_array_equal(samples, predictor.samples(texts, 20, seed=1))
    np.testing.assert_allclose(samples.mean(axis=0), predictor.probabilities(texts), atol=0.2)
    np.testing.assert_array_equal(predictor.probabilities(texts), predictor.probabilities(texts))


@pytest.mark.parametrize(("task", "examples"), [("multi", labelled()), ("spans", marked())])
def test_a_batch_in_halves_gives_the_same_gradient(toy_encoder, monkeypatch, task, examples):
    """Memory that runs out must not change what is learnt: the loss is a sum over units, divided by all of them."""
    from dataclasses import replace

    from workers.learning.finetune.begin import begin

    config = Config.of(FAST | {"balance": "weights"})
    found = []
    for pieces in (1, 2):
        begun = begin(
            examples, toy_encoder, 2, config=config, seed=1, task=task, label_order=None, device="cpu",
            on_event=lambda e: None,
        )  # fmt: skip
        begun.model.modules.eval()  # no dropout: the two must agree to rounding
        run = loop.Run(begun, None, None, loop.parallel(), config, 1, 1, lambda e: None, lambda: False)
        loop._gradients(run, (list(range(7)), [8, 9]), pieces, 0)
        found.append(begun.model.head.weight.grad.clone().numpy())
        assert replace(run, seed=2).seed == 2
    np.testing.assert_allclose(found[0], found[1], atol=1e-6)


@pytest.mark.parametrize("balance", ["weights", "resample"])
def test_balancing_finds_a_rare_label_that_plain_training_misses(toy_encoder, balance):
    rows = [Example(i, f"parcel {i} {'lost' if i % 16 == 0 else 'fine'}", i % 16 == 0) for i in range(160)]
    examples = [Example(e.id, e.text, int(e.label)) for e in rows]
    recall = {}
    for way in ("none", balance):
        config = Config.of(FAST | {"epochs": 2, "learning_rate": 1e-3, "start_c": 0, "dev_share": 0, "balance": way})
        model, _ = loop.finetune(examples, encoder=toy_encoder, n_classes=2, config=config, seed=1, device="cpu")
        logits = model.predict_logits(model.tokenise([e.text for e in examples if e.label]))
        recall[way] = float((logits[:, 1] - logits[:, 0]).mean())
    assert recall[balance] > recall["none"]


def test_weights_of_rare_labels_grow_with_the_root_and_are_bounded():
    weights = rarity(np.array([100, 25, 1, 0]))
    assert weights[1] / weights[0] == pytest.approx(2)
    assert weights.max() == HEAVIEST
    assert weights[3] == 1
    assert (rarity(np.array([60.0]), np.array([40.0])) == 1).all()


def test_the_temperature_of_sigmoids_finds_what_was_done_to_them():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4_000, 3))
    truth = rng.random((4_000, 3)) < 1 / (1 + np.exp(-logits))
    assert sigmoid_temperature(logits * 3, truth) == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("task", ["multi", "spans"])
def test_examples_of_another_task_are_refused_in_words(toy_encoder, tmp_path, toys, task):
    with pytest.raises(LearningError, match="no label"):
        publish(toys, recipe(toy_encoder, task), tmp_path / "model")


def test_a_head_for_several_labels_is_published_with_its_thresholds(tmp_path):
    examples = labelled()
    order = recipe("char-ngrams", "multi", kind="head", config={"balance": "weights"})
    manifest = publish(examples, order, tmp_path / "model")
    predictor = Predictor(tmp_path / "model")
    said = predictor.probabilities([e.text for e in examples]) >= predictor.thresholds
    assert (said == [[label in e.labels for label in range(2)] for e in examples]).mean() > 0.95
    assert len(manifest.thresholds) == 2


@pytest.mark.parametrize("features", ["ngrams", "both"])
def test_a_head_on_ngrams_reads_texts_by_itself(toys, tmp_path, features):
    order = recipe("char-ngrams", "single", kind="head", config={"features": features})
    publish(toys, order, tmp_path / "model")
    predictor = Predictor(tmp_path / "model")
    assert (predictor.probabilities([e.text for e in toys]).argmax(axis=1) == [e.label for e in toys]).all()


@pytest.mark.parametrize(
    ("config", "task", "word"),
    [
        ({"features": "sound"}, "single", "one of vectors"),
        ({"epochs": 3}, "single", "Unknown settings of a head"),
        ({}, "spans", "choose the transformer"),
    ],
)
def test_impossible_heads_are_refused_in_words(toys, tmp_path, config, task, word):
    examples = marked() if task == "spans" else toys
    with pytest.raises(LearningError, match=word):
        publish(examples, recipe("char-ngrams", task, kind="head", config=config), tmp_path / "model")


def test_the_share_of_cut_texts_is_told(toys, toy_encoder, tmp_path):
    events: list[dict] = []
    config = FAST | {"epochs": 1, "max_length": 16}
    long = [Example(e.id, e.text + " and so on" * (10 if e.id % 4 == 0 else 0), e.label) for e in toys]
    manifest = publish(long, recipe(toy_encoder, "single", config=config), tmp_path / "m", on_event=events.append)
    assert manifest.metrics["share_cut"] == 0.25
    assert any("25.0% of the texts are cut at 16 tokens" in e.get("text", "") for e in events)
    assert json.loads((tmp_path / "m" / "classifier.json").read_text())["max_length"] == 16


def test_every_artefact_says_what_serving_it_costs(toys, toy_encoder, tmp_path):
    from workers.learning.checkpoint import verify

    for kind, encoder, config in (("head", "char-ngrams", {}), ("transformer", toy_encoder, FAST | {"epochs": 1})):
        told = publish(toys, recipe(encoder, "single", kind=kind, config=config), tmp_path / kind)
        assert verify(tmp_path / kind) == told
        assert told.metrics["latency_ms"] > 0
        files = [p for p in (tmp_path / kind).rglob("*") if p.is_file() and p.name != "manifest.json"]
        assert told.metrics["size_bytes"] == sum(p.stat().st_size for p in files)
