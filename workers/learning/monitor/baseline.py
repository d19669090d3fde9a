"""What share of an hour's items usually counts: a level for each release, a pattern of weekday and hour, shrunk."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import chdtri, expit, logit

from ..types import Floats, Ints

WEEK = 168
SPREADS = (0.02, 0.1, 0.3, 0.8)  # of the pattern on the logit scale; the evidence chooses
LEVEL_SPREAD = 2.0
USUAL = -2.2  # where a level is thought to lie before anything is known: 10 %
LEAST, MOST = 0.002, 0.98  # shares beyond these are not told apart


@dataclass(frozen=True, slots=True)
class Baseline:
    """`share`: (168,) expected share by hour of the week, Monday 00:00 first, at the level of the latest release.

    `rate`: (168,) expected items. `dispersion` ≥ 1: how much more the shares vary than chance alone would have them.
    `logits`: (168,) of the shares, `scale`: (168, m) with scale · scaleᵀ the covariance of their uncertainty.
    """

    share: Floats
    rate: Floats
    dispersion: float
    logits: Floats
    scale: Floats

    def draws(self, paths: int, rng: np.random.Generator) -> Floats:
        """(168, paths) shares as they may truly be, given what was seen (Laplace approximation)."""
        off = rng.normal(size=(self.scale.shape[1], paths)) * self.dispersion**0.5
        shares: Floats = np.clip(expit(self.logits[:, None] + self.scale @ off), LEAST, MOST)
        return shares


def hour_of_week(first: int, n: int) -> Ints:
    """(n,) hours of the week for successive hours since the epoch, beginning with `first`; 1970 began on a Thursday."""
    hours = np.arange(first, first + n)
    return np.asarray((hours + 3 * 24) % WEEK, dtype=np.int64)


def fit(n: Ints, k: Ints, hours: Ints, release: Ints) -> Baseline:
    """From (t,) items `n`, those that count `k`, hours of the week, and the number of the release they fall under.

    Logistic regression with a Gaussian prior on the weekday and hour effects; the prior's width is chosen by the
    Laplace evidence (MacKay 1992), so that a stream without a pattern gets a flat one. Dispersion is the larger of the
    Pearson statistics over hours and over days, where it is beyond chance (McCullagh & Nelder 1989).
    """
    last = int(release.max())
    cells = np.bincount(release * WEEK + hours, weights=n, minlength=(last + 1) * WEEK)
    hits = np.bincount(release * WEEK + hours, weights=k, minlength=(last + 1) * WEEK)
    seen = np.flatnonzero(cells)
    design = _design(last + 1)[seen]
    best = max(
        (_posterior(design, cells[seen], hits[seen], (day, hour)) for day in SPREADS for hour in SPREADS),
        key=lambda found: found[0],
    )
    effects, curvature = best[1:]
    logits = _design(last + 1) @ effects
    share = np.clip(expit(logits), LEAST, MOST)
    return Baseline(
        share=share[last * WEEK :],
        rate=rates(n, hours),
        dispersion=_dispersion(n, k, share[release * WEEK + hours]),
        logits=logits[last * WEEK :],
        scale=np.linalg.solve(np.linalg.cholesky(curvature), _design(last + 1)[last * WEEK :].T).T,
    )


@lru_cache(maxsize=64)
def _design(releases: int) -> Floats:
    """(releases · 168, releases + 7 + 24): level, weekday, hour."""
    week = np.arange(WEEK)
    rows = np.zeros((releases * WEEK, releases + 31))
    for release in range(releases):
        block = rows[release * WEEK : (release + 1) * WEEK]
        block[:, release] = 1
        block[week, releases + week // 24] = 1
        block[week, releases + 7 + week % 24] = 1
    return rows


def _posterior(
    x: Floats, n: Floats | Ints, k: Floats | Ints, spreads: tuple[float, float]
) -> tuple[float, Floats, Floats]:
    """(log evidence up to a constant, the most probable effects, the curvature there) by Newton's method."""
    releases = x.shape[1] - 31
    spread = np.repeat([LEVEL_SPREAD, *spreads], [releases, 7, 24])
    precision = spread**-2
    centre = np.concatenate([np.full(releases, USUAL), np.zeros(31)])
    effects = centre.copy()
    effects[:releases] = logit((k.sum() + 0.5) / (n.sum() + 1))
    curvature = np.diag(precision)
    for _ in range(12):
        p = expit(x @ effects)
        curvature = (x.T * (n * p * (1 - p))) @ x + np.diag(precision)
        step = np.linalg.solve(curvature, x.T @ (k - n * p) - precision * (effects - centre))
        effects = effects + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-6:
            break
    p = np.clip(expit(x @ effects), 1e-9, 1 - 1e-9)
    fit_of = float(k @ np.log(p) + (n - k) @ np.log1p(-p) - 0.5 * precision @ (effects - centre) ** 2)
    occam = float(0.5 * np.log(precision).sum() - 0.5 * np.linalg.slogdet(curvature)[1])
    return fit_of + occam, effects, curvature


def rates(n: Ints, hours: Ints) -> Floats:
    """(168,) items expected by hour of the week: weekday × hour, so that four weeks are enough to say."""
    overall = max(float(n.mean()), 1e-3)
    day = _means(n, hours // 24, 7, overall)
    hour = _means(n, hours % 24, 24, overall)
    week = np.arange(WEEK)
    expected: Floats = day[week // 24] * hour[week % 24] / overall
    return expected


def _means(n: Ints, of: Ints, size: int, overall: float) -> Floats:
    """Means with one hour's worth of the overall mean added, for what was hardly seen."""
    sums, seen = np.bincount(of, weights=n, minlength=size), np.bincount(of, minlength=size)
    means: Floats = (sums + overall) / (seen + 1)
    return means


def _dispersion(n: Ints, k: Ints, share: Floats) -> float:
    variance, residual = n * share * (1 - share), k - n * share
    found = 1.0
    for size in (1, 24):
        blocks = len(n) // size
        if blocks < 7:
            continue
        spread = variance[-blocks * size :].reshape(blocks, size).sum(axis=1)
        off = residual[-blocks * size :].reshape(blocks, size).sum(axis=1)
        full = spread > 0.5  # a Pearson term of an all but empty block is wild
        df = int(full.sum()) - 1
        if df < 6:
            continue
        # one block in a hundred may be a surge that nobody marked: cut off what chance would not reach
        pearson = float(np.minimum(off[full] ** 2 / spread[full], 9.0).sum()) / df
        found = max(found, pearson / (float(chdtri(df, 0.05)) / df))
    return found
