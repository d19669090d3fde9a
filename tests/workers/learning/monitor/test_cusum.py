"""The chart: early, quiet, and not fooled by weekends or releases. The bench `surge` does the same at length."""

import numpy as np
import pytest
from scipy.special import expit, logit

from workers.learning.monitor import baseline, cusum

FIRST = 20_000 * 24
WEEK = baseline.WEEK


def _stream(seed: int, p: np.ndarray, rate: float = 50) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    n = rng.poisson(rate, len(p))
    return n, rng.binomial(n, p)


def _height(run_length: float, spread: float = 0.0) -> float:
    rng = np.random.default_rng(0)
    share = np.full(WEEK, 0.1)
    truths = expit(logit(0.1) + spread * rng.normal(size=(1, 128))) * np.ones((WEEK, 1))
    return cusum.threshold(np.full(WEEK, 50.0), share, truths, run_length, float(np.log(2.25)), rng)


def test_a_baseline_that_hardly_knows_gets_more_room() -> None:
    assert _height(720, spread=0.25) > _height(720) + 0.5


def test_a_doubling_is_found_within_hours_and_its_beginning_is_named() -> None:
    p = np.where(np.arange(5 * WEEK) < 4 * WEEK, 0.1, 0.2)
    delays, onsets = [], []
    for seed in range(8):
        n, k = _stream(seed, p)
        path = cusum.watch(FIRST, n, k, cusum.Design(), resets=[4 * WEEK])
        alarm = next(alarm for alarm in path.alarms if alarm.at >= 4 * WEEK)
        delays.append(alarm.at + 1 - 4 * WEEK)
        onsets.append(alarm.onset - 4 * WEEK)
    assert np.median(delays) <= 5
    assert np.median(np.abs(onsets)) <= 2


def test_the_threshold_keeps_the_false_alarms_that_were_asked_for() -> None:
    """Simulated anew, with other seeds, at a run length short enough to be seen."""
    shift, wanted = float(np.log(2.25)), 200.0
    h, share = _height(wanted), np.full(WEEK, 0.1)
    hit, miss = cusum.steps(share, shift)
    rng = np.random.default_rng(1)
    n = rng.poisson(50, (3000, 40))
    k = rng.binomial(n, 0.1)
    total, alarms = np.zeros(40), 0
    for step in k * hit[0] + (n - k) * miss[0]:
        total = np.maximum(0, total + step)
        alarms += int((total > h).sum())
        total[total > h] = 0
    assert n.size / alarms == pytest.approx(wanted, rel=0.2)


def test_more_streams_and_fewer_false_alarms_ask_for_more_height() -> None:
    one, twenty = _height(cusum.Design().run_length), _height(cusum.Design(streams=20).run_length)
    assert twenty - one == pytest.approx(np.log(20))
    assert cusum.Design(false_alarms_per_month=0.25).run_length == 4 * cusum.Design().run_length


def test_grumbling_weekends_are_usual_and_a_grumbling_tuesday_is_not() -> None:
    hour = baseline.hour_of_week(FIRST, 7 * WEEK)
    p = expit(logit(0.1) + np.log(2.25) * (hour // 24 >= 5))
    tuesday = (np.arange(7 * WEEK) >= 6 * WEEK) & (hour // 24 == 1)
    n, k = _stream(3, np.where(tuesday, 0.2, p))
    path = cusum.watch(FIRST, n, k, cusum.Design())
    assert [hour[alarm.at] // 24 for alarm in path.alarms] == [1]


def test_a_release_moves_the_level_without_an_alarm() -> None:
    p = np.where(np.arange(6 * WEEK) < 4 * WEEK, 0.10, 0.22)
    n, k = _stream(5, p)

    def later(path: cusum.Path) -> list[cusum.Alarm]:
        return [alarm for alarm in path.alarms if alarm.at >= 4 * WEEK]

    assert later(cusum.watch(FIRST, n, k, cusum.Design()))
    with_release = cusum.watch(FIRST, n, k, cusum.Design(), releases=[4 * WEEK])
    assert not later(with_release)
    assert np.isnan(with_release.expected[4 * WEEK])  # learning
    assert with_release.expected[-1] == pytest.approx(k[4 * WEEK :].sum() / n[4 * WEEK :].sum(), abs=0.01)


def test_drops_are_found_by_a_chart_that_looks_down() -> None:
    p = np.where(np.arange(4 * WEEK + 48) < 4 * WEEK, 0.3, 0.15)
    n, k = _stream(6, p)
    assert not cusum.watch(FIRST, n, k, cusum.Design(up=True)).alarms
    assert cusum.watch(FIRST, n, k, cusum.Design(up=False)).alarms[-1].at < 4 * WEEK + 8


def test_one_surge_is_one_alarm_and_what_stays_becomes_usual() -> None:
    p = np.where(np.arange(8 * WEEK) < 4 * WEEK, 0.1, 0.25)
    n, k = _stream(7, p)
    path = cusum.watch(FIRST, n, k, cusum.Design())
    after = [alarm for alarm in path.alarms if alarm.at >= 4 * WEEK]
    assert len(after) <= 2
    assert path.expected[-1] > 0.2
    assert path.armed


def test_the_same_seed_gives_the_same_chart() -> None:
    n, k = _stream(8, np.full(3 * WEEK, 0.1))
    one, two = (cusum.watch(FIRST, n, k, cusum.Design(), seed=4) for _ in range(2))
    assert np.array_equal(one.score, two.score)


def test_no_chart_without_two_weeks() -> None:
    n, k = _stream(9, np.full(2 * WEEK, 0.1))
    assert np.isnan(cusum.watch(FIRST, n, k, cusum.Design()).threshold).all()


def test_a_stream_that_varies_more_than_chance_is_given_more_room() -> None:
    rng = np.random.default_rng(10)
    n = rng.poisson(200, 4 * WEEK)
    hours, release = baseline.hour_of_week(FIRST, len(n)), np.zeros(len(n), dtype=np.int64)
    calm = rng.binomial(n, 0.1)
    wild = rng.binomial(n, rng.beta(5, 45, len(n)))
    assert baseline.fit(n, calm, hours, release).dispersion == pytest.approx(1.0, abs=0.15)
    assert baseline.fit(n, wild, hours, release).dispersion > 2
