"""When further labels stop paying: advice with its uncertainty, never an automatic stop.

Two signs must agree. The predictions on a fixed random part of the pool no longer change (stabilising predictions,
Bloodgood & Vijay-Shanker 2009), which needs no labels; and the learning curve on the hold-out, where there is one, no
longer promises a gain.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from ..types import Floats, Interval, Ints, LearningError, Round, StoppingAdvice

WINDOW = 3  # rounds
STABLE = 0.99  # mean kappa over the window; F1 then moves by at most 4 points (Bloodgood & Grothendieck 2013)
BATCH = 25  # labels between two rounds at least: heads five labels apart agree whatever the state of learning
AFTER_NEW_CLASS = 2  # rounds without a class not seen before
NEXT = 50
WORTHWHILE = 0.01  # of score: the next labels are expected to bring at least so much
LEAST_POINTS = 5  # of the curve
RECENT = 10  # points that the law is fitted to
EXPONENTS = np.linspace(0.1, 1.5, 15)
QUANTILES = (np.arange(40) + 0.5) / 40
SCATTER = ndtri((np.arange(20) + 0.5) / 20)


def advise(rounds: Sequence[Round], *, next_labels: int = NEXT) -> StoppingAdvice:
    """What the rounds so far say, oldest first. Raises LearningError for rounds too close together to mean anything."""
    if any(b.labels - a.labels < BATCH for a, b in pairwise(rounds)):
        raise LearningError(f"Rounds less than {BATCH} labels apart say nothing about when to stop.")
    window = [r.agreement for r in rounds[-WINDOW:] if r.agreement is not None]
    stability = float(np.mean(window)) if len(window) == WINDOW else None
    gain = expected_gain(rounds, next_labels)
    middle, interval = gain if gain else (None, None)

    def so(stop: bool, reason: str) -> StoppingAdvice:
        return StoppingAdvice(stop, reason, stability, middle, interval, next_labels)  # type: ignore[arg-type]

    if stability is None or len(rounds) <= AFTER_NEW_CLASS:
        return so(False, "too_few_rounds")
    if rounds[-1].classes > rounds[-1 - AFTER_NEW_CLASS].classes:
        return so(False, "new_class")
    if stability < STABLE:
        return so(False, "unstable")
    if middle is not None and middle >= WORTHWHILE:
        return so(False, "still_rising")
    return so(True, "stable")


def due(rounds: Sequence[Round], labels: int) -> bool:
    """Whether enough labels came in since the last round for the next one."""
    return not rounds or labels - rounds[-1].labels >= BATCH


def stability(before: Ints | NDArray[np.bool_], now: Ints | NDArray[np.bool_]) -> float:
    """Cohen's kappa of two heads' answers on the same pool items: (m,) classes, or (m, k) yes and no.

    Two heads that both say one and the same thing everywhere agree perfectly.
    """
    a, b = np.ravel(before), np.ravel(now)
    if len(a) != len(b) or not len(a):
        raise LearningError("Two heads can only be compared on the same, non-empty set of items.")
    agreed = float((a == b).mean())
    labels, code = np.unique(np.concatenate([a, b]), return_inverse=True)
    share_a, share_b = (np.bincount(c, minlength=len(labels)) / len(a) for c in (code[: len(a)], code[len(a) :]))
    chance = float(share_a @ share_b)
    return 1.0 if chance >= 1 else (agreed - chance) / (1 - chance)


def expected_gain(rounds: Sequence[Round], next_labels: int = NEXT) -> tuple[float, Interval] | None:
    """(median, 90 % interval) of what the next labels add to the score; None below five points of the curve.

    A power law score = a − b · labels^−c (Hestness et al. 2017) is fitted for every c of a grid; the answer averages
    over them by how well each fits, over what b could be given the scatter, and over the scatter of the next point
    itself, so that a short or noisy curve gives a wide interval. Only the latest points count: before every class has
    been seen the curve follows another law.
    """
    points = [(r.labels, r.score) for r in rounds if r.score is not None and r.labels > 0]
    if len(points) < LEAST_POINTS:
        return None
    labels, score = np.array(points[-RECENT:], dtype=np.float64).T
    gains, weights = _posterior(labels, score, next_labels)
    order = np.argsort(gains)
    heard = weights[order].cumsum()
    low, middle, high = gains[order][np.searchsorted(heard, heard[-1] * np.array([0.05, 0.5, 0.95]))]
    return float(middle), Interval(float(low), float(high))


def _posterior(labels: Floats, score: Floats, next_labels: int) -> tuple[Floats, Floats]:
    """(gains, weights) over the grid of exponents, the spread of b for each, and the scatter of single points."""
    now = labels[-1]
    x = labels[:, None] ** -EXPONENTS  # (points, exponents)
    centred, lifted = x - x.mean(axis=0), score - score.mean()
    size = (centred**2).sum(axis=0)
    slope = -(centred * lifted[:, None]).sum(axis=0) / size  # b of each exponent
    left = ((lifted[:, None] + slope * centred) ** 2).sum(axis=0)
    freedom = len(labels) - 2
    fits = (left.min() + 1e-9) / (left + 1e-9)
    error = np.sqrt((left + 1e-9) / freedom / size)
    b = slope[:, None] + error[:, None] * stdtrit(freedom, QUANTILES)
    ceiling = score.mean() + b * x.mean(axis=0)[:, None]
    possible = (b >= 0) & (ceiling <= 1)  # learning never hurts on average, and no score exceeds 1
    weights = np.broadcast_to((fits ** (freedom / 2))[:, None], b.shape) * possible
    step = (now**-EXPONENTS - (now + next_labels) ** -EXPONENTS)[:, None]
    law = b * step
    if not weights.any():  # a curve that only falls
        law, weights = np.zeros_like(law), np.ones_like(law)
    apart = np.sqrt(2 * (left + 1e-9) / freedom)[:, None, None] * SCATTER  # of this point and of the one to come
    return (law[..., None] + apart).ravel(), np.repeat(weights.ravel(), len(SCATTER))
