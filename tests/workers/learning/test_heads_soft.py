"""Heads on distributions and weighted examples, held against the plain ones."""

import numpy as np
import pytest

from tests.workers.learning.test_heads import blobs
from workers.learning import heads
from workers.learning.heads import ngrams
from workers.learning.heads.features import Both, joined
from workers.learning.heads.soft import temperature
from workers.learning.types import LearningError


def certain(y: np.ndarray, k: int) -> np.ndarray:
    return np.eye(k, dtype=np.float32)[y]


def test_certain_targets_give_the_plain_heads_optimum():
    x, y = blobs(200, 4, 12)
    plain = heads.fit(x, y, n_classes=5).probabilities(x)
    np.testing.assert_allclose(heads.fit_soft(x, certain(y, 5)).probabilities(x), plain, atol=1e-2)


def test_a_weight_of_three_is_the_example_three_times():
    x, y = blobs(80, 3, 8)
    weight = np.where(y == 0, 3.0, 1.0)
    thrice = np.concatenate([np.arange(80), np.flatnonzero(y == 0), np.flatnonzero(y == 0)])
    repeated = heads.fit(x[thrice], y[thrice], n_classes=3).probabilities(x)
    np.testing.assert_allclose(heads.fit_soft(x, certain(y, 3), weight=weight).probabilities(x), repeated, atol=1e-2)


def test_a_distribution_is_its_classes_in_those_shares():
    x, _ = blobs(60, 2, 6)
    share = np.linspace(0.1, 0.9, 60)
    twice = heads.fit_soft(
        np.vstack([x, x]), certain(np.repeat([0, 1], 60), 2), weight=np.concatenate([1 - share, share])
    )
    once = heads.fit_soft(x, np.stack([1 - share, share], axis=1))
    np.testing.assert_allclose(once.probabilities(x), twice.probabilities(x), atol=1e-2)


def test_examples_without_weight_change_nothing():
    x, y = blobs(80, 3, 8)
    weight = np.ones(80)
    weight[40:] = 0
    few = heads.fit_soft(x[:40], certain(y[:40], 3))
    np.testing.assert_array_equal(heads.fit_soft(x, certain(y, 3), weight=weight).weights, few.weights)


def test_a_class_without_mass_is_ruled_out_and_a_single_one_is_answered_everywhere():
    x, y = blobs(60, 2, 6)
    assert heads.fit_soft(x, certain(y, 3)).probabilities(x)[:, 2].max() < 0.01
    only = heads.fit_soft(x, certain(np.zeros(60, dtype=int), 3)).probabilities(x)
    assert (only.argmax(axis=1) == 0).all()


def test_independent_labels_take_distributions_too():
    x, y = blobs(120, 3, 8)
    truth = certain(y, 3) > 0
    plain = heads.fit_multi(x, truth).probabilities(x)
    np.testing.assert_allclose(heads.fit_multi_soft(x, truth.astype(float)).probabilities(x), plain, atol=1e-2)


@pytest.mark.parametrize(("weight", "target"), [(-1.0, 1.0), (0.0, 1.0), (np.nan, 1.0), (1.0, -0.1)])
def test_impossible_weights_and_targets_are_refused_in_words(weight, target):
    with pytest.raises(LearningError):
        heads.fit_soft(np.ones((3, 2), dtype=np.float32), np.full((3, 2), target), weight=np.full(3, weight))


def test_the_trust_in_noisy_outcomes_is_less_than_in_answers_given_on_purpose():
    x, y = blobs(400, 2, 16)
    rng = np.random.default_rng(0)
    clicks = rng.binomial(3, np.where(y == 1, 0.4, 0.3)) / 3
    noisy, logits = heads.trust(x, np.stack([1 - clicks, clicks], axis=1), np.full(400, 3.0), rng=rng)
    sure, _ = heads.trust(x, certain(y, 2), np.ones(400), rng=np.random.default_rng(0))
    assert noisy < sure
    assert logits.shape == (400, 2)


def test_the_temperature_of_overconfident_logits_lies_above_one():
    rng = np.random.default_rng(0)
    p = rng.uniform(0.1, 0.9, 2_000)
    clicks = rng.binomial(20, p) / 20
    logits = np.stack([np.zeros(2_000), 2 * np.log(p / (1 - p))], axis=1)
    assert temperature(logits, np.stack([1 - clicks, clicks], axis=1), np.full(2_000, 20.0)) == pytest.approx(
        2, abs=0.1
    )


@pytest.mark.parametrize("kind", ["dense", "sparse", "both"])
def test_rows_of_all_kinds_of_features_are_put_below_one_another(kind):
    grams = ngrams.Ngrams.of(["one text", "another one"])
    dense, sparse = np.ones((2, 3), dtype=np.float32), grams(["one text", "another one"])
    x = {"dense": dense, "sparse": sparse, "both": Both(dense, sparse)}[kind]
    twice = joined(x, x)
    assert twice.shape == (4, x.shape[1])
