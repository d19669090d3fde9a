"""Figures of click-through against their definitions, and verdicts whose error rates are counted."""

import numpy as np
import pytest

from workers.learning.evaluate import compare_engagement, engagement, evaluate_engagement
from workers.learning.types import LearningError


def traffic(rng: np.random.Generator, n: int, *, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(shown, clicked, true rate) of n items: uneven traffic, and texts that are clicked more than can be read."""
    readable = 0.04 + 0.2 * rng.random(n)
    shown = np.minimum(2_000, (20 * rng.pareto(1.2, n)).astype(int) + 3)
    logit = np.log(readable / (1 - readable)) + spread * rng.normal(size=n)
    return shown, rng.binomial(shown, 1 / (1 + np.exp(-logit))), readable


def test_auc_is_the_weighted_one_of_scikit_learn_with_ties_right():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    shown, clicked, _ = traffic(rng, 300)
    p = rng.integers(0, 12, 300) / 12  # many ties
    truth = np.repeat([1, 0], 300)
    expected = roc_auc_score(truth, np.tile(p, 2), sample_weight=np.concatenate([clicked, shown - clicked]))
    assert engagement.auc(shown, clicked, p) == pytest.approx(expected, abs=1e-12)
    assert engagement.auc(shown, clicked, np.full(300, 0.1)) == 0.5


def test_log_loss_is_that_of_every_showing_by_itself():
    shown, clicked, p = np.array([3, 2]), np.array([1, 0]), np.array([0.2, 0.4])
    every = [np.log(0.2), np.log(0.8), np.log(0.8), np.log(0.6), np.log(0.6)]
    assert evaluate_engagement(shown, clicked, p).log_loss == pytest.approx(-np.mean(every))


def test_the_base_rate_is_held_against_a_model_and_a_model_that_knows_more_gains():
    rng = np.random.default_rng(1)
    shown, clicked, rate = traffic(rng, 500)
    base = clicked.sum() / shown.sum()
    nothing = evaluate_engagement(shown, clicked, np.full(500, base))
    assert nothing.gain == pytest.approx(0, abs=1e-9)
    knows = evaluate_engagement(shown, clicked, rate)
    assert knows.gain > 0 < knows.gain_interval.low
    assert knows.auc > 0.55 > 0.5 == nothing.auc
    assert knows.log_loss in knows.log_loss_interval


def test_calibration_is_held_against_what_chance_and_the_items_own_spread_would_show():
    rng = np.random.default_rng(2)
    shown, clicked, rate = traffic(rng, 600)
    honest, sure = (evaluate_engagement(shown, clicked, p) for p in (rate, np.clip(2 * rate, 0, 1)))
    assert honest.ece < 2.5 * honest.ece_null
    assert sure.ece > 4 * sure.ece_null
    assert 0 < honest.spread < 0.1


def test_the_reliability_picture_holds_every_showing_once_in_parts_of_like_size():
    rng = np.random.default_rng(3)
    shown, clicked, rate = traffic(rng, 400)
    bins = evaluate_engagement(shown, clicked, rate).reliability
    assert sum(b.n for b in bins) == shown.sum()
    assert len(bins) > 5
    assert all(b.low <= b.confidence <= b.high for b in bins)
    inside = [b.interval.low <= b.confidence <= b.interval.high for b in bins]
    assert np.mean(inside) > 0.6


@pytest.mark.slow
def test_intervals_of_the_log_loss_keep_their_promise():
    """Coverage of the gain over items of the same kind."""
    shown, clicked, rate = traffic(np.random.default_rng(4), 60_000)
    truth = engagement.base_loss(shown, clicked) - engagement.log_losses(shown, clicked, rate).sum() / shown.sum()
    hits = 0
    for draw in range(40):
        rows = np.random.default_rng(draw).integers(0, 60_000, 400)
        found = evaluate_engagement(shown[rows], clicked[rows], rate[rows], rng=np.random.default_rng(draw))
        hits += truth in found.gain_interval
    assert hits >= 33


# --- verdicts ---------------------------------------------------------------------------------------------------------
def distorted(rate: np.ndarray, rng: np.random.Generator, by: float) -> np.ndarray:
    logit = np.log(rate / (1 - rate)) + by * rng.normal(size=len(rate))
    return 1 / (1 + np.exp(-logit))


def kinds(first: float, second: float, *, n: int = 300, times: int = 200) -> list[str]:
    """Verdicts on b against a, each the true rates with so much noise."""
    found = []
    for draw in range(times):
        rng = np.random.default_rng(draw)
        shown, clicked, rate = traffic(rng, n)
        found.append(compare_engagement(shown, clicked, distorted(rate, rng, first), distorted(rate, rng, second)).kind)
    return found


def test_an_identical_model_is_never_better_and_not_worse():
    rng = np.random.default_rng(5)
    shown, clicked, rate = traffic(rng, 200)
    verdict = compare_engagement(shown, clicked, rate, rate)
    assert (verdict.kind, verdict.difference, verdict.metric) == ("not_worse", 0.0, "log_loss")


@pytest.mark.slow
def test_equally_good_models_are_called_better_or_worse_in_at_most_five_per_cent():
    found = kinds(0.2, 0.2)
    assert found.count("better") <= 0.08 * len(found)
    assert found.count("worse") <= 0.08 * len(found)


@pytest.mark.slow
def test_a_clearly_worse_model_is_hardly_ever_let_through():
    """Two per cent of the base rate's loss worse, and more: at the margin the promise is five per cent."""
    found = kinds(0.0, 0.55)
    assert sum(kind in ("better", "not_worse") for kind in found) <= 0.08 * len(found)


@pytest.mark.slow
def test_a_clearly_better_model_is_found():
    found = kinds(0.8, 0.0)
    assert found.count("better") > 0.8 * len(found)
    assert "worse" not in found


def test_a_doubtful_verdict_says_how_many_more_items_would_probably_decide():
    rng = np.random.default_rng(6)
    shown, clicked, rate = traffic(rng, 25)
    verdict = compare_engagement(shown, clicked, distorted(rate, rng, 0.3), distorted(rate, rng, 0.3))
    assert verdict.kind == "cannot_tell"
    assert verdict.more_needed is None or verdict.more_needed >= 10


def test_two_items_never_decide():
    assert compare_engagement([10, 10], [1, 9], [0.5, 0.5], [0.1, 0.9]).kind == "cannot_tell"


@pytest.mark.parametrize(
    ("shown", "clicked", "p"), [([], [], []), ([0], [0], [0.5]), ([3], [4], [0.5]), ([3, 4], [1], [0.5])]
)
def test_impossible_counts_are_refused_in_words(shown, clicked, p):
    with pytest.raises(LearningError):
        evaluate_engagement(np.array(shown), np.array(clicked), np.array(p))
