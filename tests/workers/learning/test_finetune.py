from dataclasses import replace

import numpy as np
import pytest

from workers.learning import heads
from workers.learning.checkpoint import verify
from workers.learning.finetune import batches
from workers.learning.finetune import loop as ft
from workers.learning.finetune.classifier import Classifier
from workers.learning.finetune.config import Config
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Cancelled, Example, LearningError

FAST = {"learning_rate": 5e-3, "batch_size": 8, "epochs": 6, "patience": 50}
ORDER = [[11, "transfer"], [12, "card"]]


def recipe(encoder: str, **changes) -> Recipe:
    known = {
        "kind": "transformer",
        "encoder": encoder,
        "label_order": ORDER,
        "seed": 4,
        "config": FAST,
        "device": "cpu",
    }
    return Recipe(**(known | changes))


def train(toys, encoder, **changes):
    config = Config.of(FAST | changes.pop("config", {}))
    known = {"encoder": encoder, "n_classes": 2, "config": config, "seed": 4, "device": "cpu"}
    return ft.finetune(toys, **(known | changes))


def broken_off(toys, encoder, work, step: int, **changes) -> None:
    """A run that somebody stops after `step` steps."""
    steps: list[int] = []
    with pytest.raises(Cancelled):
        train(
            toys,
            encoder,
            work=work,
            on_event=lambda e: steps.append(e.get("step", 0)),
            should_stop=lambda: max(steps, default=0) >= step,
            **changes,
        )


def accuracy(model: Classifier, examples) -> float:
    logits = model.predict_logits(model.tokenise([e.text for e in examples]))
    return float((logits.argmax(axis=1) == [e.label for e in examples]).mean())


def weights(model: Classifier) -> dict[str, np.ndarray]:
    return {name: p.detach().numpy().copy() for name, p in model.modules.named_parameters()}


def test_it_overfits_32_toy_rows_from_chance(toys, toy_encoder):
    model, _ = train(toys, toy_encoder, config={"start_c": 0, "epochs": 25})
    assert accuracy(model, toys) == 1.0


def test_it_starts_where_the_linear_head_stands(toys, toy_encoder):
    model = Classifier.from_encoder(toy_encoder, n_classes=2)
    x = model.vectors(model.tokenise([e.text for e in toys]))
    head = heads.fit(x, np.array([e.label for e in toys]), n_classes=2)
    model.start_from(head.weights, head.bias)
    logits = model.predict_logits(model.tokenise([e.text for e in toys]))
    np.testing.assert_allclose(heads.softmax(logits), head.probabilities(x), atol=1e-5)


def test_the_same_seed_gives_the_same_digest_and_another_seed_another(toys, toy_encoder, tmp_path):
    digests = [
        publish(toys, recipe(toy_encoder, seed=seed), tmp_path / str(i)).digest for i, seed in enumerate((4, 4, 5))
    ]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("stop_at", [1, 9, 17])
def test_a_resumed_run_equals_an_unbroken_one(toys, toy_encoder, tmp_path, stop_at):
    many = [
        replace(e, id=e.id + 32 * i, text=f"{e.text} {i}") for i in range(2) for e in toys
    ]  # enough for a dev split
    whole, metrics = train(many, toy_encoder, work=tmp_path / "whole")
    broken_off(many, toy_encoder, tmp_path / "broken", stop_at)
    events: list[dict] = []
    resumed, again = train(many, toy_encoder, work=tmp_path / "broken", on_event=events.append)
    assert "Goes on" in events[0]["text"]
    assert next(e for e in events if e["event"] == "progress")["step"] == stop_at + 1
    assert again["dev"] == metrics["dev"]
    assert metrics["n_dev"] > 0
    for name, tensor in weights(whole).items():
        np.testing.assert_array_equal(weights(resumed)[name], tensor, err_msg=name)


def test_a_checkpoint_of_another_run_is_not_taken_up(toys, toy_encoder, tmp_path):
    broken_off(toys, toy_encoder, tmp_path, 1)
    events: list[dict] = []
    train(toys, toy_encoder, work=tmp_path, seed=5, on_event=events.append)
    assert not any("Goes on" in e.get("text", "") for e in events)


def test_a_damaged_checkpoint_is_refused_in_words(toys, toy_encoder, tmp_path):
    broken_off(toys, toy_encoder, tmp_path, 3)
    file = next(tmp_path.glob("state-*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(LearningError, match="damaged"):
        train(toys, toy_encoder, work=tmp_path)


def test_a_loss_that_is_no_number_stops_in_words(toys, toy_encoder, monkeypatch):
    monkeypatch.setattr(ft, "_gradients", lambda *_: float("nan"))
    with pytest.raises(LearningError, match="not a number at step 1"):
        train(toys, toy_encoder)


def test_running_out_of_memory_halves_the_batch_once_with_the_same_result(toys, toy_encoder, monkeypatch):
    real, sizes = ft._gradients, []

    def tight(run, group, pieces, epoch):
        sizes.append(len(group[0]) // pieces)
        if sizes[-1] > 4:
            raise MemoryError
        return real(run, group, pieces, epoch)

    monkeypatch.setattr(ft, "_gradients", tight)
    events: list[dict] = []
    model, _ = train(toys, toy_encoder, on_event=events.append)
    assert sizes[0] == 8
    assert set(sizes[1:]) == {4}
    assert any("halved" in e.get("text", "") for e in events)
    assert accuracy(model, toys) > 0.9


def test_running_out_of_memory_twice_ends_in_words(toys, toy_encoder, monkeypatch):
    def never(*_):
        raise MemoryError

    monkeypatch.setattr(ft, "_gradients", never)
    with pytest.raises(LearningError, match="half the batch"):
        train(toys, toy_encoder)


def test_early_stopping_keeps_the_best_epoch(toys, toy_encoder):
    noisy = [Example(i, toys[i % 32].text + f" {i}", (i * 7 + i // 3) % 2) for i in range(80)]
    events: list[dict] = []
    config = {"epochs": 30, "patience": 2, "dev_share": 0.3}
    _, metrics = train(noisy, toy_encoder, config=config, on_event=events.append)
    losses = [d["loss"] for d in metrics["dev"]]
    assert len(losses) < 31
    assert metrics["best_epoch"] == int(np.argmin(losses))
    assert any("No better" in e.get("text", "") for e in events)


def test_with_patience_for_all_epochs_the_last_one_is_kept(toys, toy_encoder):
    many = [Example(i, toys[i % 32].text + f" {i}", i % 2) for i in range(80)]
    _, metrics = train(many, toy_encoder, config={"epochs": 4, "patience": 4, "dev_share": 0.2})
    assert metrics["best_epoch"] == 4
    assert len(metrics["dev"]) == 5


def test_a_model_that_falls_clearly_below_its_head_is_given_up(toys, toy_encoder):
    many = [Example(i, toys[i % 32].text + f" {i}", i % 2) for i in range(200)]
    wild = {"epochs": 2, "patience": 2, "dev_share": 0.3, "learning_rate": 1.0, "head_learning_rate": 1.0, "clip": 1e6}
    _, metrics = train(many, toy_encoder, config=wild)
    assert metrics["dev"][0]["accuracy"] - metrics["dev"][-1]["accuracy"] > 0.2
    assert metrics["best_epoch"] == 0


def test_the_dev_part_never_holds_the_only_example_of_a_class():
    examples = [Example(i, "t", 0 if i else 1) for i in range(100)]
    for seed in range(20):
        kept, dev = batches.split_dev(examples, 0.4, seed, lambda e: (e.label,))
        assert 1 in {e.label for e in kept}
        assert len(dev) == 40
        assert not {e.id for e in kept} & {e.id for e in dev}


def test_batches_follow_from_seed_and_epoch_and_hold_every_text_once():
    lengths = [int(v) for v in np.random.default_rng(0).integers(3, 40, 70)]
    first, again, later = (list(batches.length_bucketed(lengths, 8, 1, epoch)) for epoch in (0, 0, 1))
    assert first == again != later
    assert sorted(i for batch in later for i in batch) == list(range(70))


def test_the_rate_rises_then_falls_to_zero():
    rates = [ft.rate(step, 100, 0.1) for step in range(100)]
    assert rates[0] == 0.1
    assert max(rates) == rates[9] == 1.0
    assert rates[9:] == sorted(rates[9:], reverse=True)
    assert rates[-1] < 0.02


@pytest.mark.parametrize(
    ("config", "word"), [({"epoch": 3}, "Unknown"), ({"epochs": 0}, "between 1"), ({"dev_share": 0.9}, "0.499")]
)
def test_impossible_settings_are_refused_in_words(config, word):
    with pytest.raises(LearningError, match=word):
        Config.of(config)


@pytest.mark.parametrize(
    ("changes", "labels", "word"),
    [
        ({}, [0, 0], "two labels"),
        ({}, [0, 5], "outside"),
        ({}, [0, None], "no label"),
        ({"encoder": "char-ngrams"}, [0, 1], "no weights to fine-tune"),
        ({"kind": "oracle"}, [0, 1], "no kind"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_words(toy_encoder, tmp_path, changes, labels, word):
    examples = [Example(i, "text", label) for i, label in enumerate(labels)]
    with pytest.raises(LearningError, match=word):
        publish(examples, recipe(**({"encoder": toy_encoder} | changes)), tmp_path / "model")


def test_a_published_transformer_predicts_as_it_did_in_training(toys, toy_encoder, tmp_path):
    manifest = publish(toys, recipe(toy_encoder), tmp_path / "model")
    model, _ = train(toys, toy_encoder)
    texts = [e.text for e in toys]
    expected = heads.softmax(model.predict_logits(model.tokenise(texts)) / np.float32(model.temperature))
    predictor = Predictor(tmp_path / "model", device="cpu")
    np.testing.assert_allclose(predictor.probabilities(texts), expected, atol=1e-6)
    assert verify(tmp_path / "model") == manifest == predictor.manifest
    assert predictor.probabilities([]).shape == (0, 2)


def test_a_tampered_artefact_is_refused_before_anything_is_loaded(toys, toy_encoder, tmp_path, monkeypatch):
    publish(toys, recipe(toy_encoder), tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"evil")
    monkeypatch.setattr(Classifier, "open", lambda *_: pytest.fail("loaded"))
    with pytest.raises(LearningError, match="changed"):
        Predictor(tmp_path / "model")


def test_a_published_head_equals_the_head_on_the_same_vectors(toys, tmp_path):
    order = recipe("char-ngrams", kind="head", config={})
    manifest = publish(toys, order, tmp_path / "model")
    predictor = Predictor(tmp_path / "model")
    p = predictor.probabilities([e.text for e in toys])
    assert (p.argmax(axis=1) == [e.label for e in toys]).all()
    assert publish(toys, order, tmp_path / "again").digest == manifest.digest
    assert manifest.label_order == ORDER


def test_a_head_on_given_vectors_encodes_nothing_but_the_text_that_times_it(toys, tmp_path, monkeypatch):
    from workers.learning import encoders

    real, read = encoders.load, []

    class Counted:
        def __init__(self, name, **options):
            self._real = real(name, **options)

        def encode(self, texts, **options):
            read.extend(texts)
            return self._real.encode(texts, **options)

    x = real("char-ngrams").encode([e.text for e in toys])
    monkeypatch.setattr(encoders, "load", Counted)
    publish(toys, recipe("char-ngrams", kind="head", config={}), tmp_path / "model", vectors=x)
    assert Predictor(tmp_path / "model").from_vectors(x).shape == (32, 2)
    assert not set(read) & {e.text for e in toys}
