import itertools
from dataclasses import replace

import numpy as np
import pytest

from workers.learning import search as hunting
from workers.learning.checkpoint import verify
from workers.learning.finetune.config import METHODS, Config
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe
from workers.learning.search import search, space
from workers.learning.types import Cancelled, Example, LearningError

ORDER = [[11, "transfer"], [12, "card"]]
QUICK = {"learning_rate": 1e-4, "batch_size": 16, "epochs": 3, "patience": 50, "head_learning_rate": 1e-2}


@pytest.fixture(scope="module")
def many() -> list[Example]:
    """Enough for a dev split, and noisy enough that settings matter."""
    return [Example(i, f"the {'card' if i % 2 else 'transfer'} number {i}", (i + (i % 7 == 0)) % 2) for i in range(80)]


def recipe(encoder: str, **changes) -> Recipe:
    known = {
        "kind": "transformer",
        "encoder": encoder,
        "label_order": ORDER,
        "seed": 4,
        "config": QUICK,
        "device": "cpu",
    }
    return Recipe(**(known | changes))


def ended(events: list[dict]) -> list[dict]:
    return [e for e in events if e["event"] == "trial" and e["state"] != "running"]


@pytest.fixture(scope="module")
def found(many, toy_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    events: list[dict] = []
    manifest = search(
        many, recipe(toy_encoder), folder / "model", trials=6, work=folder / "work", on_event=events.append
    )
    return folder, manifest, events


def test_the_best_trial_becomes_the_artefact(found, many):
    folder, manifest, events = found
    trials = ended(events)
    assert [t["number"] for t in trials] == list(range(6))
    complete = [t for t in trials if t["state"] == "complete"]
    best = manifest.metrics["search"]["best"]
    assert trials[best]["value"] == max(t["value"] for t in complete)
    assert manifest == verify(folder / "model")
    assert manifest.config["learning_rate"] == pytest.approx(trials[best]["params"]["learning_rate"])
    assert Predictor(folder / "model", device="cpu").probabilities([e.text for e in many]).shape == (80, 2)


def test_the_first_trial_is_the_recipes_own_configuration(found):
    params = ended(found[2])[0]["params"]
    assert {name: params[name] for name in ("learning_rate", "batch_size", "head_learning_rate")} == {
        name: QUICK[name] for name in ("learning_rate", "batch_size", "head_learning_rate")
    }


def test_every_trial_tells_its_curve_and_the_whole_bar_only_rises(found):
    _, manifest, events = found
    for trial in ended(events):
        assert [epoch for epoch, _ in trial["curve"]] == list(range(1, len(trial["curve"]) + 1))
        assert trial["seconds"] >= 0
        assert set(trial["params"]) == set(space("full"))
        if trial["state"] == "complete":
            assert len(trial["curve"]) == QUICK["epochs"]
    steps = [e["step"] for e in events if e["event"] == "progress"]
    assert steps == sorted(steps)
    assert all(e["steps"] == 6_000 for e in events if e["event"] == "progress")
    assert manifest.metrics["search"]["trials"] == [
        {k: v for k, v in t.items() if k != "seconds"} | {"seconds": pytest.approx(t["seconds"])} for t in ended(events)
    ]


def test_only_the_best_model_stays_on_disk(found):
    folder, manifest, _ = found
    best = manifest.metrics["search"]["best"]
    assert [p.parent.name for p in folder.glob("work/trial-*/model")] == [f"trial-{best}"]
    assert not list(folder.glob("work/trial-*/work"))


def test_a_search_that_was_stopped_ends_with_the_same_trials(found, many, toy_encoder, tmp_path):
    _, whole, _ = found
    for stop_at in (9, 30):
        calls = itertools.count()
        with pytest.raises(Cancelled):
            search(
                many,
                recipe(toy_encoder),
                tmp_path / "model",
                trials=6,
                work=tmp_path / "work",
                should_stop=lambda calls=calls, at=stop_at: next(calls) >= at,
            )
        assert not (tmp_path / "model").exists()
    events: list[dict] = []
    resumed = search(
        many, recipe(toy_encoder), tmp_path / "model", trials=6, work=tmp_path / "work", on_event=events.append
    )
    assert events[0]["event"] == "trial"  # what had ended is told again

    def told(manifest):
        return [(t["params"], t["value"], t["state"], t["curve"]) for t in manifest.metrics["search"]["trials"]]

    assert told(resumed) == told(whole)
    assert resumed.digest == whole.digest


def test_a_hopeless_trial_is_pruned_and_a_failed_one_does_not_end_the_search(many, toy_encoder, tmp_path, monkeypatch):
    """Against a stand-in for training, whose scores are written down here."""
    curves = [[0.8, 0.9]] * 5 + [[0.8, 0.1, 0.1, 0.95], None]
    turn = itertools.count()

    def publish(examples, recipe, target, *, work, on_event, should_stop):
        curve = curves[next(turn)]
        if curve is None:
            raise LearningError("The loss is not a number.")
        dev = [{"epoch": i + 1, "loss": 1.0, "accuracy": value} for i, value in enumerate(curve)]
        for point in dev:
            on_event({"event": "dev", "value": point["accuracy"]} | point)
            if should_stop():
                raise Cancelled
        target.mkdir(parents=True)
        return replace(written, metrics={"dev": dev, "best_epoch": len(curve), "dev_value": curve[-1]})

    written = hunting.Manifest("transformer", "toy", "d", ORDER, 4)
    monkeypatch.setattr(hunting, "publish", publish)
    monkeypatch.setattr(hunting.Hunt, "publish", lambda self, target: written)
    events: list[dict] = []
    search(many, recipe(toy_encoder), tmp_path / "m", trials=7, work=tmp_path / "w", on_event=events.append)
    states = [t["state"] for t in ended(events)]
    assert states == ["complete"] * 5 + ["pruned", "failed"]
    assert ended(events)[5]["curve"] == [[1, 0.8], [2, 0.1]]
    assert ended(events)[5]["value"] is None


def test_when_every_trial_fails_the_reason_is_told(many, toy_encoder, tmp_path, monkeypatch):
    def publish(*_, **__):
        raise LearningError("The loss is not a number.")

    monkeypatch.setattr(hunting, "publish", publish)
    with pytest.raises(LearningError, match="not a number"):
        search(many, recipe(toy_encoder), tmp_path / "m", trials=2, work=tmp_path / "w")


@pytest.mark.parametrize("method", METHODS)
def test_every_value_of_every_space_is_a_possible_setting(method):
    rng = np.random.default_rng(0)
    for name, values in space(method).items():
        draws = values if isinstance(values, list) else [values[0], values[1], float(rng.uniform(*values[:2]))]
        for value in draws:
            Config.of({"method": method, name: value})


@pytest.mark.parametrize(
    ("changes", "n", "trials", "word"),
    [
        ({}, 40, 3, "50 labelled"),
        ({"kind": "head", "config": {}}, 80, 3, "transformer"),
        ({}, 80, 0, "at least one trial"),
    ],
)
def test_a_search_that_could_tell_nothing_is_refused_in_words(many, toy_encoder, tmp_path, changes, n, trials, word):
    with pytest.raises(LearningError, match=word):
        search(many[:n], recipe(toy_encoder, **changes), tmp_path / "m", trials=trials, work=tmp_path / "w")
