"""How far an estimate can be off: exact enough at small n, cheap enough to stand beside every figure."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtri, stdtrit

from .types import Floats, Interval, Ints

BOOTSTRAPS = 1_000
CHUNK = 1_000_000  # drawn items held at once


def wilson(right: float, n: float, confidence: float = 0.95) -> Interval:
    """Wilson (1927) score interval of a share; stays inside 0..1 and holds its promise at small n."""
    if n == 0:
        return Interval(0.0, 1.0)
    z = float(ndtri(0.5 + confidence / 2))
    share = right / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(max(share * (1 - share), 0.0) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Interval(max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def percentile(values: Floats, confidence: float = 0.95) -> Interval:
    """Percentile interval of bootstrap draws (Efron 1979)."""
    low, high = np.quantile(values, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(float(low), float(high))


def of_micro(values: Floats, score: float, items: int) -> Interval:
    """95 % interval of a share-like score from its bootstrap draws: Student's t on the log-odds scale (Agresti 2002).

    `items` texts carry anything at all. On 120 texts the plain percentile interval of a span F1 covers 94 %, this 95 %.
    """
    spread = float(np.std(values, ddof=1))
    if not 0 < score < 1 or spread == 0 or items < 3:
        return percentile(values)
    steps = float(stdtrit(items - 1, 0.975)) * np.sqrt(items / (items - 1)) * spread / (score * (1 - score))
    odds = float(np.log(score / (1 - score)))
    return Interval(float(expit(odds - steps)), float(expit(odds + steps)))


def of_macro(values: Floats, score: float, wanted: Floats | Ints) -> Interval:
    """95 % interval of a mean over k classes from its bootstrap draws and the (k,) truths per class.

    A resample repeats items and so misses some of a rare class: its mean sits off the score and its spread is too small
    by (m − 1) / m at m truths per class. The draws are therefore moved onto the score and widened; with 77 classes on
    400 items the plain percentile interval covers 87 % instead of 95 %.
    """
    total, seen = float(np.sum(wanted)), int(np.count_nonzero(wanted))
    widening = np.sqrt(total / (total - seen)) if total > seen else 1.0
    inner = percentile((values - values.mean()) * widening + score)
    return Interval(max(inner.low, 0.0), min(inner.high, 1.0))


def resampled_sums(counts: Floats, rng: np.random.Generator, draws: int = BOOTSTRAPS) -> NDArray[np.float64]:
    """(n, m) counts per item to (draws, m): their sums over n items drawn with replacement, the same for all m."""
    n = len(counts)
    counts = np.asarray(counts, dtype=np.float64)
    out = np.empty((draws, counts.shape[1]))
    step = max(1, CHUNK // n)
    for start in range(0, draws, step):
        some = min(step, draws - start)
        drawn = rng.integers(n, size=(some, n)) + n * np.arange(some)[:, None]
        out[start : start + some] = np.bincount(drawn.ravel(), minlength=some * n).reshape(some, n) @ counts
    return out
