import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workers.learning.evaluate import stopping
from workers.learning.types import LearningError, Round

BATCH = stopping.BATCH
# the same examples in every run, however long a busy machine takes to draw them
STEADY = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], database=None)
answers = st.lists(st.integers(0, 4), min_size=20, max_size=60)


def rounds_of(predictions, classes=None, scores=None):
    """One round per array of predictions, a batch of labels apart."""
    found = []
    for i, now in enumerate(predictions):
        kappa = stopping.stability(predictions[i - 1], now) if i else None
        found.append(
            Round((i + 1) * BATCH, classes[i] if classes else 3, kappa, scores[i] if scores is not None else None)
        )
    return found


@STEADY
@given(answers, st.integers(4, 10))
def test_identical_predictions_stop_after_the_window_and_not_before(said, n):
    rounds = rounds_of([np.array(said)] * n)
    assert [stopping.advise(rounds[: i + 1]).stop for i in range(n)] == [i >= stopping.WINDOW for i in range(n)]


@STEADY
@given(answers, answers, st.integers(2, 12))
def test_alternating_predictions_never_stop(one, two, n):
    size = min(len(one), len(two))
    a, b = np.array(one[:size]), np.array(two[:size])
    b[0] = (a[0] + 1) % 5  # at least one answer flips each time
    rounds = rounds_of([a, b] * n)
    assert not any(stopping.advise(rounds[:i]).stop for i in range(1, len(rounds) + 1))


@STEADY
@given(answers, st.integers(0, 6), st.integers(4, 12))
def test_stopping_waits_two_rounds_after_a_new_class(said, new, n):
    classes = [3 + (i >= new) for i in range(n)]
    rounds = rounds_of([np.array(said)] * n, classes)
    for i in range(n):
        if stopping.advise(rounds[: i + 1]).stop:
            assert not new > 0 or i < new or i >= new + stopping.AFTER_NEW_CLASS


@STEADY
@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.lists(st.integers(0, 4), min_size=1, max_size=40))
def test_stability_is_scikit_learns_kappa(one, two):
    from sklearn.metrics import cohen_kappa_score

    size = min(len(one), len(two))
    a, b = np.array(one[:size]), np.array(two[:size])
    found = stopping.stability(a, b)
    assert -1 <= found <= 1
    if len(set(one[:size] + two[:size])) > 1:
        assert found == pytest.approx(cohen_kappa_score(a, b))
    else:
        assert found == 1


def test_rounds_a_few_labels_apart_are_refused_and_not_asked_for():
    rounds = [Round(100, 3, None), Round(105, 3, 1.0)]
    with pytest.raises(LearningError, match="apart"):
        stopping.advise(rounds)
    assert stopping.due([], 1)
    assert not stopping.due(rounds[:1], 100 + BATCH - 1)
    assert stopping.due(rounds[:1], 100 + BATCH)


def curve(rng, a, b, c, points, step=50, noise=0.004):
    labels = step * np.arange(1, points + 1)
    return [
        Round(int(n), 3, 1.0, float(a - b * n**-c + noise * rng.standard_normal())) for n in labels
    ], lambda n: a - b * n**-c


def test_the_expected_gain_is_honest_about_its_uncertainty():
    rng = np.random.default_rng(0)
    covered, errors = [], []
    for _ in range(400):
        a, b, c = rng.uniform(0.8, 0.97), rng.uniform(0.5, 3), rng.uniform(0.3, 1.0)
        rounds, law = curve(rng, a, b, c, int(rng.integers(6, 16)))
        now = rounds[-1].labels
        middle, interval = stopping.expected_gain(rounds)
        gain = law(now + 50) - law(now)
        covered.append(gain in interval)
        errors.append(middle - gain)
    assert np.mean(covered) >= 0.85
    assert abs(np.median(errors)) < 0.003


def test_a_steep_curve_is_worth_going_on_with_and_a_flat_one_is_not():
    rng = np.random.default_rng(0)
    steep, _ = curve(rng, 0.95, 3.0, 0.4, 8, noise=0.002)
    flat, _ = curve(rng, 0.9, 0.5, 1.0, 12, noise=0.002)
    rising, settled = stopping.advise(steep), stopping.advise(flat)
    assert (rising.stop, rising.reason) == (False, "still_rising")
    assert rising.gain > 0.01
    assert (settled.stop, settled.reason) == (True, "stable")
    assert abs(settled.gain) < 0.01
    assert settled.gain_interval.low <= settled.gain <= settled.gain_interval.high


def test_a_curve_that_only_falls_promises_nothing():
    rounds = [Round(50 * i, 3, 1.0, 0.9 - 0.05 * i) for i in range(1, 8)]
    middle, interval = stopping.expected_gain(rounds)
    assert abs(middle) < 0.01
    assert interval.low < 0 < interval.high  # single points scatter


def test_four_points_are_no_curve():
    rounds, _ = curve(np.random.default_rng(0), 0.9, 1, 0.5, 4)
    assert stopping.expected_gain(rounds) is None
    assert stopping.advise(rounds).gain is None


def test_advice_becomes_json():
    import json

    rounds, _ = curve(np.random.default_rng(0), 0.9, 1, 0.5, 8)
    assert json.loads(json.dumps(stopping.advise(rounds).as_dict()))["next_labels"] == 50
