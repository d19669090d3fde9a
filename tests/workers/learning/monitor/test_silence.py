import numpy as np

from workers.learning.monitor import baseline, cusum
from workers.learning.monitor.silence import silence

FIRST = 20_000 * 24
RUN = cusum.Design().run_length


def _counts(rate: float, weeks: int = 3) -> np.ndarray:
    hour = baseline.hour_of_week(FIRST, weeks * baseline.WEEK) % 24
    return np.random.default_rng(0).poisson(np.where(hour < 8, 0.02, 1.0) * rate)


def test_a_stream_that_stops_is_noticed_in_hours() -> None:
    n = _counts(5)
    n[-30:] = 0
    found = silence(FIRST, n, RUN)
    assert found
    assert found.stopped
    assert 30 <= found.hours <= 40
    assert found.expected > 50


def test_a_quiet_night_is_no_silence() -> None:
    n = _counts(5)[: 20 * 24 + 7]  # until seven in the morning
    n[-6:] = 0
    found = silence(FIRST, n, RUN)
    assert found
    assert not found.stopped


def test_a_thin_stream_takes_days_to_be_called_silent() -> None:
    n = _counts(0.1, weeks=8)
    n[-24:] = 0
    n[-25] = 1
    found = silence(FIRST, n, RUN)
    assert found
    assert not found.stopped


def test_nothing_is_said_about_a_stream_of_yesterday() -> None:
    assert silence(FIRST, np.array([0] * 100 + [5] * 24 + [0] * 50), RUN) is None
    assert silence(FIRST, np.zeros(500, dtype=np.int64), RUN) is None
