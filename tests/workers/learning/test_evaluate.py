import json

import numpy as np
import pytest

from workers.learning import evaluate as ev
from workers.learning.evaluate import calibration
from workers.learning.evaluate import verdict as judging
from workers.learning.types import LearningError


def test_metrics_of_a_worked_example():
    truth, said = np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 1, 0])
    m = ev.evaluate(truth, said, n_classes=4)
    assert m.accuracy == pytest.approx(4 / 6)
    assert m.confusion == ((2, 1, 0, 0), (0, 2, 0, 0), (1, 0, 0, 0), (0, 0, 0, 0))
    assert [c.f1 for c in m.per_class] == pytest.approx([2 / 3, 4 / 5, 0, 0])
    assert [c.support for c in m.per_class] == [3, 2, 1, 0]
    assert m.per_class[0].precision == pytest.approx(2 / 3)
    assert m.per_class[1].recall == 1
    # the fourth class never occurs and does not pull the mean down
    assert m.macro_f1 == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)


def test_macro_f1_is_scikit_learns_over_the_classes_that_occur():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth, said = rng.integers(0, 6, 300), rng.integers(0, 6, 300)
    assert ev.evaluate(truth, said, n_classes=6).macro_f1 == pytest.approx(f1_score(truth, said, average="macro"))


def test_metrics_become_json():
    p = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    m = ev.evaluate(np.array([0, 1, 1]), probabilities=p, n_classes=2)
    back = json.loads(json.dumps(m.as_dict()))
    assert back["accuracy_interval"]["low"] < back["accuracy"] < back["accuracy_interval"]["high"]
    assert back["nll"] == pytest.approx(-(np.log(0.9) + np.log(0.8) + np.log(0.4)) / 3)
    assert back["brier"] == pytest.approx((0.02 + 0.08 + 0.72) / 3)


def test_an_empty_hold_out_is_refused_in_words():
    with pytest.raises(LearningError, match="no labelled hold-out"):
        ev.evaluate(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), n_classes=2)


def test_wilson_at_the_textbook_value():
    interval = ev.wilson(8, 10)
    assert (interval.low, interval.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_wilson_covers_the_truth_in_at_least_93_percent():
    rng = np.random.default_rng(0)
    for n, share in ((50, 0.9), (200, 0.85), (400, 0.6)):
        covered = np.mean([share in ev.wilson(int(right), n) for right in rng.binomial(n, share, 1_000)])
        assert covered >= 0.93, (n, share)


def test_the_bootstrap_interval_holds_the_estimate_and_narrows_with_n():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 5, 2_000)
    said = np.where(rng.random(2_000) < 0.8, truth, rng.integers(0, 5, 2_000))
    small, large = (ev.evaluate(truth[:n], said[:n], n_classes=5).macro_f1_interval for n in (100, 2_000))
    assert ev.evaluate(truth, said, n_classes=5).macro_f1 in large
    assert large.high - large.low < small.high - small.low


def test_a_calibrated_model_shows_the_error_of_its_sample_size_and_an_overconfident_one_more():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.75, 1, 400)
    null = calibration.ece_null(confidence, rng)
    assert 0.02 < null < 0.05
    honest = calibration.expected_calibration_error(confidence, rng.random(400) < confidence)
    boasting = calibration.expected_calibration_error(confidence, rng.random(400) < confidence - 0.15)
    assert honest < 2 * null < boasting


def answers(rng, n, base, difference, disagreement):
    """Right or wrong for two models whose accuracies differ by `difference`; truth is all zeros."""
    only_b = (disagreement + difference) / 2
    only_a = (disagreement - difference) / 2
    case = rng.choice(4, size=n, p=[only_a, only_b, base - only_a, 1 - base - only_b])
    a, b = np.isin(case, [0, 2]), np.isin(case, [1, 2])
    return (~a).astype(int), (~b).astype(int), np.zeros(n, dtype=int)


@pytest.mark.parametrize("n", [100, 400, 800])
def test_an_equal_model_is_called_better_in_at_most_5_percent(n):
    rng = np.random.default_rng(n)
    kinds = [ev.compare(*answers(rng, n, 0.88, 0.0, 0.08)).kind for _ in range(1_000)]
    assert kinds.count("better") <= 50


@pytest.mark.parametrize("n", [100, 400, 800])
def test_a_model_three_points_worse_is_accepted_in_at_most_5_percent(n):
    rng = np.random.default_rng(n)
    kinds = [ev.compare(*answers(rng, n, 0.88, -0.03, 0.08)).kind for _ in range(1_000)]
    assert kinds.count("better") + kinds.count("not_worse") <= 50


def test_a_clearly_better_model_is_found():
    rng = np.random.default_rng(0)
    kinds = [ev.compare(*answers(rng, 800, 0.85, 0.05, 0.09)).kind for _ in range(200)]
    assert kinds.count("better") >= 180


def test_the_very_same_answers_are_not_worse():
    truth = np.arange(400) % 4
    verdict = ev.compare(truth, truth, truth)
    assert (verdict.kind, verdict.difference, verdict.more_needed) == ("not_worse", 0.0, None)


def test_mcnemar_at_the_worked_value():
    # 1 against 9: P(X >= 9 | 10, 1/2) = 11/1024
    assert judging.mcnemar(1, 9) == pytest.approx(11 / 1024)


def test_an_open_verdict_says_how_many_labels_would_close_it():
    truth = np.zeros(100, dtype=int)
    a, b = truth.copy(), truth.copy()
    a[:7], b[7:12] = 1, 1  # b alone is right 7 times, a alone 5 times
    verdict = ev.compare(a, b, truth)
    assert (verdict.kind, verdict.difference) == ("cannot_tell", pytest.approx(0.02))
    assert verdict.more_needed is not None
    n = verdict.n + verdict.more_needed
    rng = np.random.default_rng(0)
    decided = [ev.compare(*answers(rng, n, 0.85, 0.02, 0.12)).kind for _ in range(300)]
    assert 0.7 <= 1 - decided.count("cannot_tell") / 300 <= 0.95


def test_models_on_different_items_are_not_compared():
    with pytest.raises(LearningError, match="same"):
        ev.compare(np.zeros(3), np.zeros(4), np.zeros(4))


def test_the_naive_estimate_on_chosen_items_is_off_by_more_than_ten_points():
    rng = np.random.default_rng(0)
    p_right = rng.beta(6, 0.7, 5_000)
    right = rng.random(5_000) < p_right
    least_sure = np.argsort(p_right)[:300]
    uniform = rng.choice(5_000, 300, replace=False)
    assert abs(right[uniform].mean() - right.mean()) < 0.05
    assert right.mean() - right[least_sure].mean() > 0.10
