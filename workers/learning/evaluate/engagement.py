"""Click-through: how well probabilities foretell what people click, item by item, weighted by how often each was shown.

An item's showings are no independent draws: some texts are simply clicked more than anything a model can read in them.
Every interval therefore resamples items, and calibration is held against a beta-binomial with the spread that is seen.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from ..intervals import BOOTSTRAPS, percentile, wilson
from ..types import EngagementMetrics, Floats, Interval, Ints, LearningError, ReliabilityBin, Verdict, VerdictKind
from .calibration import NULL_DRAWS
from .metrics import NOTHING
from .verdict import OUT_OF_REACH, SIDE, Z_POWER, Z_SIDE

BINS = 10  # of equal showings: click rates crowd near zero, where bins of equal width would hold everything
EPS = 1e-6
MARGIN = 0.02  # "not worse" allows two per cent of the log loss that the base rate has
FEW = 3  # items below which no interval is said


def evaluate_engagement(
    shown: Ints, clicked: Ints, probability: Floats, *, rng: np.random.Generator | None = None
) -> EngagementMetrics:
    """n items that were shown and clicked so often, and the (n,) probability of a click. Items never shown are left
    out. Raises LearningError when none was."""
    n, c, p = _checked(shown, clicked, probability)
    rng = rng or np.random.default_rng(0)
    losses, base = log_losses(n, c, p), base_loss(n, c)
    drawn = rng.multinomial(len(n), np.full(len(n), 1 / len(n)), size=BOOTSTRAPS).astype(np.float64)
    total = np.maximum(drawn @ n, 1e-9)
    of_model, of_base = drawn @ losses / total, _entropy(drawn @ c / total)
    aucs = np.array([_auc(n * row, c * row, p) for row in drawn[: BOOTSTRAPS // 2]])
    found = _auc(n, c, p)
    bins = _bins(n, p)
    return EngagementMetrics(
        n=len(n),
        shown=int(n.sum()),
        clicked=int(c.sum()),
        base_rate=float(c.sum() / n.sum()),
        log_loss=float(losses.sum() / n.sum()),
        log_loss_interval=percentile(of_model),
        base_log_loss=base,
        gain=base - float(losses.sum() / n.sum()),
        gain_interval=percentile(of_base - of_model),
        auc=found,
        auc_interval=percentile(aucs[np.isfinite(aucs)]) if np.isfinite(aucs).any() else Interval(0.0, 1.0),
        ece=_ece(n, c, p, bins),
        ece_null=_ece_null(n, c, p, bins, rng),
        brier=float((c * (1 - p) ** 2 + (n - c) * p**2).sum() / n.sum()),
        spread=overdispersion(n, c, _fitted(n, c, p, bins)),
        reliability=_reliability(n, c, p, bins),
    )


def compare_engagement(shown: Ints, clicked: Ints, a: Floats, b: Floats, *, margin: float | None = None) -> Verdict:
    """Is candidate b better than the live model a on the same items, in log loss a showing? Differences are a's loss
    minus b's, in nats: positive speaks for b.

    better: the 90 % interval lies above 0; not_worse: above −margin (2 % of the base rate's loss where none is given);
    worse: below 0; otherwise cannot_tell. Student's t over items, with as many as their weights amount to (Kish 1965).
    """
    n, c, p_a = _checked(shown, clicked, a)
    _n, _c, p_b = _checked(shown, clicked, b)
    margin = MARGIN * base_loss(n, c) if margin is None else margin
    gains = log_losses(n, c, p_a) - log_losses(n, c, p_b)
    difference = float(gains.sum() / n.sum())
    pull = (gains - difference * n) / n.mean()
    items = float(n.sum() ** 2 / (n**2).sum())  # as many of equal weight
    spread = float((pull**2).mean()) * items / max(items - 1, 1e-9)
    half = float(stdtrit(max(items - 1, 1.0), 1 - SIDE) * np.sqrt(spread / len(n))) if len(n) >= FEW else np.inf
    low, high = difference - half, difference + half
    kind: VerdictKind = "cannot_tell"
    if low > 0:
        kind = "better"
    elif low > -margin:
        kind = "not_worse"
    elif high < 0:
        kind = "worse"
    more = _more(spread, difference, margin, len(n)) if kind == "cannot_tell" and len(n) >= FEW else None
    low, high = (float(np.nan_to_num(end, posinf=1e3, neginf=-1e3)) for end in (low, high))
    return Verdict(kind, difference, low, high, len(n), more, "log_loss")


def log_losses(shown: Floats, clicked: Floats, p: Floats) -> NDArray[np.float64]:
    """(n,) in nats, over all showings of each item."""
    q = np.clip(np.asarray(p, dtype=np.float64), EPS, 1 - EPS)
    found: NDArray[np.float64] = -(clicked * np.log(q) + (shown - clicked) * np.log1p(-q))
    return found


def base_loss(shown: Floats, clicked: Floats) -> float:
    """Log loss a showing of the best answer that is the same for all: the click rate of these very items."""
    return float(_entropy(np.array([clicked.sum() / shown.sum()]))[0])


def auc(shown: Ints, clicked: Ints, probability: Floats) -> float:
    """Probability that a showing that was clicked had a higher score than one that was not, ties counting half
    (Mann & Whitney 1947); NaN when one of the two kinds is missing."""
    return _auc(*_checked(shown, clicked, probability))


def _auc(n: Floats, c: Floats, p: Floats) -> float:
    _scores, place = np.unique(p, return_inverse=True)
    hit, miss = np.bincount(place, weights=c), np.bincount(place, weights=n - c)
    pairs = hit.sum() * miss.sum()
    below = np.cumsum(miss) - miss
    return float((hit * (below + miss / 2)).sum() / pairs) if pairs > 0 else float("nan")


def overdispersion(n: Floats, c: Floats, p: Floats) -> float:
    """How much alike an item's showings are, beyond its probability: 0 a binomial, 1 all or nothing (moments)."""
    var = n * p * (1 - p)
    room = float((var * (n - 1)).sum())
    if room <= 0:
        return 0.0
    return float(np.clip((((c - n * p) ** 2) - var).sum() / room, 0.0, 0.99))


def _entropy(share: Floats) -> Floats:
    q = np.clip(share, EPS, 1 - EPS)
    found: Floats = -(q * np.log(q) + (1 - q) * np.log1p(-q))
    return found


def _bins(n: Floats, p: Floats) -> NDArray[np.int64]:
    """(n,) which of BINS parts of about equal showings an item lies in, by its probability; equal ones together."""
    order = np.argsort(p, kind="stable")
    middle = (np.cumsum(n[order]) - n[order] / 2) / n.sum()
    place = np.empty(len(p), dtype=np.int64)
    place[order] = np.minimum((middle * BINS).astype(np.int64), BINS - 1)
    scores, same = np.unique(p, return_inverse=True)
    first = np.full(len(scores), BINS)
    np.minimum.at(first, same, place)
    return np.asarray(first[same], dtype=np.int64)


def _ece(n: Floats, c: Floats, p: Floats, bins: NDArray[np.int64]) -> float:
    return float(np.abs(np.bincount(bins, weights=c - n * p, minlength=BINS)).sum() / n.sum())


def _fitted(n: Floats, c: Floats, p: Floats, bins: NDArray[np.int64]) -> Floats:
    """Probabilities (n,) moved to each part's click rate, so that being off on the whole is not taken for spread."""
    hit, sure = (np.bincount(bins, weights=values, minlength=BINS) for values in (c, n * p))
    moved: Floats = np.clip(p * (hit / np.maximum(sure, EPS))[bins], EPS, 1 - EPS)
    return moved


def _ece_null(n: Floats, c: Floats, p: Floats, bins: NDArray[np.int64], rng: np.random.Generator) -> float:
    """What a perfectly calibrated model would show with these items."""
    alike, q = overdispersion(n, c, _fitted(n, c, p, bins)), np.clip(p, EPS, 1 - EPS)
    strength = 1 / alike - 1 if alike > 1e-6 else 0.0
    found = []
    for _draw in range(NULL_DRAWS):
        rate = rng.beta(q * strength, (1 - q) * strength) if strength else q
        found.append(_ece(n, rng.binomial(n.astype(np.int64), rate).astype(np.float64), p, bins))
    return float(np.mean(found))


def _reliability(n: Floats, c: Floats, p: Floats, bins: NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    alike, out = overdispersion(n, c, _fitted(n, c, p, bins)), []
    for b in np.unique(bins):
        mine = bins == b
        shown, clicks = n[mine].sum(), c[mine].sum()
        size = float(shown**2 / (n[mine] * (1 + (n[mine] - 1) * alike)).sum())  # as many independent showings
        rate = float(clicks / shown)
        interval = wilson(rate * min(size, shown), min(size, shown))
        sure = float((n[mine] * p[mine]).sum() / shown)
        out.append(ReliabilityBin(float(p[mine].min()), float(p[mine].max()), int(shown), sure, rate, interval))
    return tuple(out)


def _more(spread: float, difference: float, margin: float, n: int) -> int | None:
    distance = max(abs(difference), difference + margin)
    if distance <= 0:
        return None
    more = (Z_SIDE + Z_POWER) ** 2 * spread / distance**2 - n
    return None if more > OUT_OF_REACH else max(10, int(np.ceil(more / 10)) * 10)


def _checked(shown: Any, clicked: Any, p: Any) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    n, c, p = (np.asarray(values, dtype=np.float64) for values in (shown, clicked, p))
    if not len(n) == len(c) == len(p):
        raise LearningError("Two models can only be compared on the same, non-empty set of items.")
    keep = n > 0
    if not keep.any():
        raise LearningError(NOTHING)
    if (c > n).any() or (c < 0).any():
        raise LearningError("An item cannot be clicked more often than it was shown.")
    return n[keep], c[keep], p[keep]
