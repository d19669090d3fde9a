"""Surges and drops of a share, found as early as the wanted number of false alarms allows (Page 1954).

Each hour adds the log-likelihood ratio of "the odds are `odds` times the usual" against "as usual"; the sum never falls
below zero and raises an alarm above a threshold. Lorden (1971), Moustakides (1986): for that number of false alarms no
rule finds such a change sooner.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from ..types import Floats, Ints
from . import baseline

ODDS = 2.25  # 10 % → 20 %
MONTH = 720.0  # hours
SAFETY = 2.5  # the chart is set to fewer false alarms than were asked for: the baseline is itself an estimate
LEARN_WEEK = 2 * baseline.WEEK  # hours before the first chart begins: each weekday was seen twice
LEARN_HOURS, LEARN_ITEMS = 24, 200  # the same after a release: the week is known, the level is not
NEWS = baseline.WEEK  # hours: what has stayed that long after an alarm is how things are now
LOOK_BACK = 8 * baseline.WEEK
CEILING = 2.0  # times the threshold: after a long surge the sum is back in hours, not in weeks


@dataclass(frozen=True, slots=True)
class Design:
    """`false_alarms_per_month` over all `streams` together; `up` finds surges, otherwise drops."""

    up: bool = True
    false_alarms_per_month: float = 1.0
    streams: int = 1
    odds: float = ODDS

    @property
    def run_length(self) -> float:
        """Hours from start to false alarm, on average, that this one stream is set to (Bonferroni over streams)."""
        return SAFETY * MONTH * self.streams / self.false_alarms_per_month

    @property
    def shift(self) -> float:
        return float(np.log(self.odds) if self.up else -np.log(self.odds))


@dataclass(frozen=True, slots=True)
class Alarm:
    at: int  # index of the hour after which it is raised
    onset: int  # the hour in which it most likely began


@dataclass(slots=True)
class Path:
    """(t,) each: expected share (nan while learning), the sum, its threshold (nan while learning)."""

    expected: Floats
    score: Floats
    threshold: Floats
    alarms: list[Alarm] = field(default_factory=list)
    armed: bool = True  # False: an alarm is on and the share has not come back yet


def watch(
    first: int,
    n: Ints,
    k: Ints,
    design: Design,
    *,
    releases: Sequence[int] = (),
    resets: Sequence[int] = (),
    seed: int = 0,
) -> Path:
    """The chart over (t,) successive hours since the epoch from `first`: `n` items, `k` of them that count.

    `releases`: indices of hours with which another model version answers; level and sum begin anew there. `resets`:
    hours with which a person said that the alarm is over; only the sum begins anew. Deterministic given `seed`.
    """
    t = len(n)
    past = _Past(n, k, baseline.hour_of_week(first, t), np.zeros(t, dtype=np.int64), np.ones(t, dtype=bool))
    path = Path(np.full(t, np.nan), np.zeros(t), np.full(t, np.nan))
    begins = set(releases) - {0}
    chart: _Chart | None = None
    total, since, start = 0.0, 0, 0
    for at in range(t):
        if at in begins:
            chart, total, start, path.armed = None, 0.0, at, True
            past.release[at:] += 1
        elif at in resets:
            total, path.armed = 0.0, True
        elif not path.armed and at - path.alarms[-1].at >= NEWS:
            start = max(start, path.alarms[-1].onset)  # as if a release had been there that nobody told of
            chart, total, path.armed = None, 0.0, True
            past.release[start:] += 1
            past.usual[start:at] = True
        if at >= LEARN_WEEK and _due(at - start, chart is not None):
            chart = _chart(past, at, design, seed) or chart
        if chart is None:
            continue
        if total == 0.0:
            since = at
        total = max(0.0, total + chart.step(int(n[at]), int(k[at]), int(past.hours[at])))
        total = min(total, CEILING * chart.threshold)
        path.expected[at], path.threshold[at] = chart.share[past.hours[at]], chart.threshold
        path.score[at] = total
        if total == 0.0:
            path.armed = True
        elif total > chart.threshold and path.armed:
            path.alarms.append(Alarm(at, since))
            path.armed = False
            past.usual[since:at] = False
        past.usual[at] = path.armed
    return path


@dataclass(frozen=True, slots=True)
class _Past:
    """(t,) each; `release`: the number of the release an hour falls under, `usual`: what a baseline may learn from."""

    n: Ints
    k: Ints
    hours: Ints
    release: Ints
    usual: NDArray[np.bool_]


def _due(age: int, running: bool) -> bool:
    """When the baseline is fitted anew: as soon as it can be, then after 2, 4 and 7 days, then weekly."""
    if not running:
        return age >= LEARN_HOURS and age % 6 == 0
    return age in {48, 96} or age % baseline.WEEK == 0


@dataclass(frozen=True, slots=True)
class _Chart:
    share: Floats  # (168,)
    hit: Floats  # (168,) what an item that counts adds
    miss: Floats  # (168,) what another one adds
    threshold: float

    def step(self, n: int, k: int, hour: int) -> float:
        return float(k * self.hit[hour] + (n - k) * self.miss[hour])


def _chart(past: _Past, at: int, design: Design, seed: int) -> _Chart | None:
    seen = max(0, at - LOOK_BACK) + np.flatnonzero(past.usual[max(0, at - LOOK_BACK) : at])
    release = past.release[seen]
    if not len(seen) or int(past.n[seen][release == past.release[at]].sum()) < LEARN_ITEMS:
        return None
    numbers = np.unique(release, return_inverse=True)[1]
    usually = baseline.fit(past.n[seen], past.k[seen], past.hours[seen], numbers)
    hit, miss = steps(usually.share, design.shift)
    run_length = design.run_length
    rng = np.random.default_rng(seed)
    h = threshold(
        usually.rate / usually.dispersion, usually.share, usually.draws(PATHS, rng), run_length, design.shift, rng
    )
    return _Chart(usually.share, hit / usually.dispersion, miss / usually.dispersion, h)


def steps(share: Floats, shift: float) -> tuple[Floats, Floats]:
    """What an item that counts and one that does not add to the sum, at these usual shares."""
    other = expit(logit(share) + shift)
    return np.log(other / share), np.log((1 - other) / (1 - share))


PATHS, WEEKS = 128, 4
LEVELS = np.arange(1.0, 8.0, 0.5)
ENOUGH = 100  # alarms at a level, for its run length to be known to a tenth


def threshold(  # noqa: PLR0917
    rate: Floats, share: Floats, truths: Floats, run_length: float, shift: float, rng: np.random.Generator
) -> float:
    """The height at which the chart of a stream like this alarms falsely every `run_length` hours.

    Simulated where false alarms are frequent, and drawn out from there: the logarithm of the run length grows by one
    with every unit of height (Lorden 1971). `rate`, `share`: (168,) by hour of the week; `truths`: (168, paths) shares
    as they may truly be, so that a baseline that hardly knows gets a higher threshold.
    """
    hit, miss = steps(share, shift)
    sums, alarms = np.zeros((len(LEVELS), truths.shape[1])), np.zeros(len(LEVELS))
    for _ in range(WEEKS):
        n = rng.poisson(rate[:, None], truths.shape)
        k = rng.binomial(n, truths)
        for hour in k * hit[:, None] + (n - k) * miss[:, None]:
            np.maximum(sums + hour, 0.0, out=sums)
            over = sums > LEVELS[:, None]
            if over.any():
                alarms += over.sum(axis=1)
                sums[over] = 0.0
    known = np.flatnonzero(alarms >= ENOUGH)
    level = int(known[-1]) if len(known) else 0
    found = WEEKS * truths.size / max(float(alarms[level]), 1.0)
    return max(float(LEVELS[0]), float(LEVELS[level] + np.log(run_length / found)))
