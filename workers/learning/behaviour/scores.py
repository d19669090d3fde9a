"""Scores of survey questions, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from ..types import Interval

PROMOTERS, DETRACTORS = 9, 6  # from, up to; of 0 to 10 (Reichheld 2003)


@dataclass(frozen=True, slots=True)
class Mean:
    value: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True)
class NetScore:
    """Share of promoters minus share of detractors, −1 to 1."""

    value: float
    interval: Interval
    promoters: int
    detractors: int
    n: int


def mean_of(counts: Sequence[int], first: int = 0) -> Mean | None:
    """(k,) how often first, first + 1 … was given, to the mean with its 95 % t interval, kept on the scale."""
    n = sum(counts)
    if not n:
        return None
    values, often = first + np.arange(len(counts)), np.asarray(counts, dtype=np.float64)
    mean = float(values @ often / n)
    last = float(values[-1])
    if n < 2:
        return Mean(mean, Interval(float(first), last), n)
    # the add-one of both ends keeps an all-alike sample from claiming certainty
    padded = often + np.concatenate([[0.5], np.zeros(len(counts) - 2), [0.5]])
    around = float(values @ padded / padded.sum())
    spread = float(np.sqrt(((values - around) ** 2 @ padded) / (padded.sum() - 1) / n))
    half = float(stdtrit(n - 1, 0.975)) * spread
    return Mean(mean, Interval(max(float(first), mean - half), min(last, mean + half)), n)


def net_score(counts: Sequence[int]) -> NetScore | None:
    """(11,) how often 0 … 10 was given, to the net promoter score.

    Adjusted Wald interval with three answers added, ¾ of them for, ¾ against (Rocks, "Interval Estimation for the Net
    Promoter Score", The American Statistician 2016): holds its 95 % from about ten answers on.
    """
    n = sum(counts)
    if not n:
        return None
    up, down = sum(counts[PROMOTERS:]), sum(counts[: DETRACTORS + 1])
    padded = n + 3
    share_up, share_down = (up + 0.75) / padded, (down + 0.75) / padded
    centre = share_up - share_down
    half = float(ndtri(0.975)) * float(np.sqrt((share_up + share_down - centre**2) / padded))
    return NetScore((up - down) / n, Interval(max(-1.0, centre - half), min(1.0, centre + half)), up, down, n)
