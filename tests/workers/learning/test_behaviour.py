"""Off-policy estimates against policies whose worth is known, and intervals of survey scores that hold."""

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.learning.behaviour import LEAST_SIZE, Estimate, estimate, mean_of, net_score
from workers.learning.types import LearningError

RUNS = 300
KINDS = 6
# of each kind of text: how sure the model that ran was of labels 0, 1, 2, and how often each is accepted
SURE = np.array(
    [[0.8, 0.15, 0.05], [0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.34, 0.33, 0.33]]
)
TAKEN = np.array([[0.8, 0.2, 0.1], [0.3, 0.7, 0.1], [0.4, 0.5, 0.1], [0.2, 0.8, 0.1], [0.1, 0.3, 0.6], [0.2, 0.3, 0.5]])
OTHER = np.array([0, 1, 1, 1, 2, 2])  # what the other model says


def _log(rng: np.random.Generator, n: int, explore: float) -> tuple[NDArray[np.float64], ...]:
    kind = rng.integers(KINDS, size=n)
    first = SURE[kind].argmax(1)
    drawn = (rng.random((n, 1)) > SURE[kind].cumsum(1)).sum(1).clip(0, 2)
    shown = np.where(rng.random(n) < explore, drawn, first)
    propensity = explore * SURE[kind, shown] + (1 - explore) * (shown == first)
    rewards = (rng.random(n) < TAKEN[kind, shown]).astype(float)
    return rewards, propensity, (shown == OTHER[kind]).astype(float)


def _worth() -> float:
    return float(TAKEN[np.arange(KINDS), OTHER].mean())


@pytest.fixture(scope="module")
def runs() -> list[Estimate]:
    rng = np.random.default_rng(7)
    return [estimate(*_log(rng, 4_000, 0.2), rng=rng) for _run in range(RUNS)]


def test_the_interval_holds_the_known_value_of_another_policy(runs: list[Estimate]) -> None:
    assert np.mean([_worth() in one.interval for one in runs]) >= 0.93
    assert abs(np.mean([one.value for one in runs]) - _worth()) < 0.01


def test_the_plain_mean_of_the_log_is_off_by_far(runs: list[Estimate]) -> None:
    assert np.mean([one.logged for one in runs]) < _worth() - 0.05
    assert not any(_worth() - 0.02 < one.logged for one in runs)


def test_rows_of_one_person_are_drawn_together() -> None:
    """Everybody's rows ten times over: as many rows, a tenth of the knowledge."""
    rng = np.random.default_rng(3)
    rewards, logged, target = (np.repeat(values, 10) for values in _log(rng, 1_500, 0.2))
    alone = estimate(rewards, logged, target, rng=np.random.default_rng(0))
    together = estimate(rewards, logged, target, rng=np.random.default_rng(0), groups=np.arange(15_000) // 10)
    assert together.interval.high - together.interval.low > 2 * (alone.interval.high - alone.interval.low)


def test_the_same_policy_earns_what_was_earned() -> None:
    rng = np.random.default_rng(1)
    rewards = rng.integers(0, 2, 500).astype(float)
    same = estimate(rewards, np.ones(500), np.ones(500), rng=rng)
    assert same.value == pytest.approx(rewards.mean())
    assert same.size == pytest.approx(500)


def test_a_policy_that_never_varied_says_nothing_about_another() -> None:
    rng = np.random.default_rng(1)
    with pytest.raises(LearningError, match="shown for certain"):
        estimate(np.ones(500), np.ones(500), rng.integers(0, 2, 500).astype(float), rng=rng)


def test_missing_propensities_are_refused() -> None:
    logged = np.full(500, 0.5)
    logged[3] = np.nan
    with pytest.raises(LearningError, match="propensities"):
        estimate(np.ones(500), logged, np.ones(500), rng=np.random.default_rng(1))


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(LearningError, match="logged yet"):
        estimate(np.ones(0), np.ones(0), np.ones(0), rng=np.random.default_rng(1))


def test_too_small_a_log_is_refused_with_its_size() -> None:
    rng = np.random.default_rng(5)
    with pytest.raises(LearningError, match=f"{LEAST_SIZE:.0f} are needed"):
        estimate(*_log(rng, 80, 0.2), rng=rng)


def test_answers_that_were_hardly_ever_shown_are_refused() -> None:
    rng = np.random.default_rng(5)
    logged, target = np.full(2_000, 0.95), np.zeros(2_000)
    target[:900] = 1
    with pytest.raises(LearningError, match="hardly in the log"):
        estimate(np.ones(2_000), logged, target, rng=rng)


def test_one_huge_weight_is_clipped() -> None:
    rng = np.random.default_rng(2)
    logged, target, rewards = np.full(4_000, 0.95), np.ones(4_000), np.zeros(4_000)
    target[:400] = 0
    logged[0], target[0], rewards[0] = 1 / 400, 1, 1
    found = estimate(rewards, logged, target, rng=rng)
    assert found.clipped == 1
    assert found.value == pytest.approx(found.clip / (found.clip + 3_600 / 0.95), rel=1e-6)


@pytest.mark.parametrize("shares", [(0.2, 0.3, 0.5), (0.05, 0.15, 0.8), (0.6, 0.3, 0.1)])
def test_the_interval_of_the_net_score_holds(shares: tuple[float, float, float]) -> None:
    rng, inside = np.random.default_rng(11), 0
    for _run in range(1_000):
        down, middle, up = rng.multinomial(40, shares)
        found = net_score([int(down), *[0] * 6, int(middle), 0, int(up), 0])
        assert found
        inside += shares[2] - shares[0] in found.interval
    assert inside / 1_000 >= 0.93


@pytest.mark.parametrize("shares", [(0.1, 0.2, 0.2, 0.3, 0.2), (0.01, 0.02, 0.07, 0.3, 0.6)])
def test_the_interval_of_a_mean_rating_holds(shares: tuple[float, ...]) -> None:
    rng, inside = np.random.default_rng(12), 0
    truth = float(np.dot(shares, range(1, 6)))
    for _run in range(1_000):
        found = mean_of([int(n) for n in rng.multinomial(40, shares)], first=1)
        assert found
        inside += truth in found.interval
    assert inside / 1_000 >= 0.93


def test_no_answers_have_no_score() -> None:
    assert mean_of([0] * 5) is None
    assert net_score([0] * 11) is None


def test_answers_that_are_all_alike_do_not_claim_certainty() -> None:
    found = mean_of([0, 0, 0, 0, 8], first=1)
    assert found
    assert found.interval.low < 5
