"""Agreement on several labels per text: each label given or not, and the mean over the labels."""

import numpy as np
from numpy.typing import NDArray

from ..intervals import BOOTSTRAPS, percentile
from ..types import Agreement, Floats, Ints
from .ratings import patterns, resampled


def multilabel_alpha(items: Ints, given: NDArray[np.bool_], *, rng: np.random.Generator | None = None) -> Agreement:
    """Mean over the labels of Krippendorff's alpha (2011) of "given or not". One row an answer: (r,) its item, (r, k).

    A label that nobody or everybody gives has no alpha and is left out of the mean. The interval resamples items.
    """
    _ids, row = np.unique(items, return_inverse=True)
    n = int(row.max(initial=-1)) + 1
    raters = np.bincount(row, minlength=n).astype(np.float64)
    yes = np.zeros((n, given.shape[1]))
    np.add.at(yes, row, given)
    shared = raters >= 2
    if not shared.any():
        return Agreement("alpha", None, None, 0, 0)
    kinds, times = patterns(np.column_stack([raters[shared], yes[shared]]))
    per_label = _alphas(kinds, times[None].astype(np.float64))[0]
    value = _mean(per_label[None])[0]
    drawn = _mean(_alphas(kinds, resampled(times, rng or np.random.default_rng(0), BOOTSTRAPS)))
    drawn = drawn[~np.isnan(drawn)]
    known = not np.isnan(value) and len(drawn) > 0
    return Agreement(
        "alpha",
        None if np.isnan(value) else float(value),
        percentile(drawn) if known else None,
        int(shared.sum()),
        int(raters[shared].sum()),
        tuple(None if np.isnan(one) else float(one) for one in per_label),
    )


def _alphas(kinds: Floats, weights: Floats) -> Floats:
    """(p, 1 + k) raters and how many of them gave each label, (draws, p) items of each -> (draws, k)."""
    raters, yes = kinds[:, :1], kinds[:, 1:]
    total = weights @ raters  # (draws, 1)
    given = weights @ yes
    observed = weights @ (2 * yes * (raters - yes) / (raters - 1)) / total
    expected = 2 * given * (total - given) / (total * (total - 1))
    possible = expected > 1e-12
    out: Floats = np.where(possible, 1 - observed / np.where(possible, expected, 1), np.nan)
    return out


def _mean(alphas: Floats) -> Floats:
    """(draws, k) -> (draws,), NaN where no label has one."""
    known = ~np.isnan(alphas)
    n = known.sum(axis=1)
    out: Floats = np.where(n > 0, np.where(known, alphas, 0).sum(axis=1) / np.maximum(n, 1), np.nan)
    return out
