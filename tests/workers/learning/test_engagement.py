"""Learning what people click, on real questions whose click rate is known because it was made up."""

from collections.abc import Callable

import numpy as np
import pytest

from workers.learning import encoders, engagement
from workers.learning.evaluate import evaluate_engagement
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Example, LearningError

ORDER = [[1, "not clicked"], [2, "clicked"]]


def recipe(encoder: str = "char-ngrams", **changes) -> Recipe:
    known = {"kind": "head", "encoder": encoder, "label_order": ORDER, "device": "cpu", "task": "engagement"}
    return Recipe(**(known | changes))


def item(number: int, text: str, shown: int, clicked: int) -> Example:
    return Example(number, text, weight=float(shown), target=(1 - clicked / shown, clicked / shown))


def test_one_item_that_went_round_the_world_does_not_decide_alone():
    examples = [item(i, "x", 10, 2) for i in range(20)] + [item(99, "viral", 1_000_000, 900_000)]
    kept = engagement.balanced(examples)
    weights = np.array([e.weight for e in kept])
    assert weights.mean() == pytest.approx(1)
    assert weights[-1] / weights[0] == pytest.approx(engagement.CAP)
    assert kept[-1].target == examples[-1].target


def test_balancing_twice_changes_nothing_more():
    rng = np.random.default_rng(0)
    once = engagement.balanced([item(i, "x", int(n), int(n) // 3) for i, n in enumerate(3 + rng.pareto(1, 200) * 20)])
    np.testing.assert_allclose([e.weight for e in engagement.balanced(once)], [e.weight for e in once], rtol=1e-9)


@pytest.mark.parametrize("clicked", [0, 10], ids=["nobody clicked", "everybody did"])
def test_without_both_outcomes_there_is_nothing_to_learn(clicked, tmp_path):
    with pytest.raises(LearningError, match="clicked and showings without"):
        publish([item(i, f"text {i}", 10, clicked) for i in range(20)], recipe(), tmp_path / "a")


def test_an_item_without_counts_is_refused_in_words(tmp_path):
    with pytest.raises(LearningError, match="Item 7 does not say"):
        publish([Example(7, "text", label=1)], recipe(), tmp_path / "a")


def test_the_few_shot_stage_is_refused_in_words():
    config = {"method": "setfit"}
    with pytest.raises(LearningError, match="bear a label"):
        recipe("minilm-l6", kind="transformer", config=config).check([item(0, "a", 4, 1), item(1, "b", 4, 3)])


def clicks_on(texts: list[str], labels: list[str], seed: int) -> tuple[list[Example], np.ndarray]:
    """Click rates by what the question is about, between 6 and 40 per cent, and traffic with a long tail."""
    rates = {"card": 0.4, "transfer": 0.12, "top_up": 0.2}
    rng = np.random.default_rng(seed)
    rate = np.array([next((r for word, r in rates.items() if word in label), 0.06) for label in labels])
    shown = 5 + np.minimum(500, 20 * rng.pareto(1.3, len(texts))).astype(int)
    clicked = rng.binomial(shown, rate)
    return [
        item(i, text, int(n), int(c)) for i, (text, n, c) in enumerate(zip(texts, shown, clicked, strict=True))
    ], rate


@pytest.mark.slow
def test_a_head_on_real_questions_beats_the_click_rate_is_calibrated_and_finds_the_rates(
    questions: Callable[[int], tuple[list[str], list[str]]], tmp_path
):
    texts, labels = questions(750)
    examples, rate = clicks_on(texts, labels, 0)
    order = np.random.default_rng(0).permutation(750)
    taught, held = [examples[i] for i in order[:500]], [examples[i] for i in order[500:]]
    made = publish(taught, recipe(encoders.DEFAULT), tmp_path / "a")
    p = Predictor(tmp_path / "a").probabilities([e.text for e in held])[:, 1]
    shown = np.array([e.weight for e in held])
    found = evaluate_engagement(shown, np.round(shown * [e.target[1] for e in held]), p)
    assert found.gain_interval.low > 0
    assert found.auc_interval.low > 0.55
    assert found.ece < 3 * found.ece_null
    assert np.corrcoef(p, rate[order[500:]])[0, 1] > 0.5
    assert made.config["c"] < 30  # a few clicks are believed less than answers given on purpose


def test_the_same_clicks_and_seed_give_the_same_weights(tmp_path):
    examples = [
        item(i, f"{'win a prize' if i % 2 else 'read the terms'} {i}", 10 + i, 2 + 5 * (i % 2)) for i in range(40)
    ]
    a, b = (publish(examples, recipe(seed=3), tmp_path / name) for name in "ab")
    assert a.digest == b.digest
    p = Predictor(tmp_path / "a").probabilities(["win a prize now", "read the terms now"])[:, 1]
    assert p[0] > p[1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_transformer_learns_clicks_through_the_same_loop(toys, toy_encoder, tmp_path, method):
    examples = [item(e.id, e.text, 30, 24 if e.label else 3) for e in toys * 2]
    examples = [item(i, e.text, int(e.weight), round(e.weight * e.target[1])) for i, e in enumerate(examples)]
    config = {"epochs": 6, "batch_size": 8, "learning_rate": 5e-3, "patience": 50, "dev_share": 0.2, "threads": 1}
    events: list[dict] = []
    made = publish(
        examples,
        recipe(toy_encoder, kind="transformer", config=config | {"method": method}),
        tmp_path / "a",
        on_event=events.append,
    )
    assert made.metrics["dev_metric"] == "log_loss_gain"
    assert made.metrics["dev_value"] > 0.1  # of 0.27 that there is to know
    dev = [event for event in events if event["event"] == "dev"]
    assert dev
    assert all(np.isfinite(event["loss"]) for event in dev)
    predictor = Predictor(tmp_path / "a")
    assert predictor.task == "engagement"
    p = predictor.probabilities(["the card number 5 is late", "the transfer number 4 is late"])[:, 1]
    assert p[0] > 0.5 > p[1]
