"""A stream that stops: how long nothing came, against how much should have."""

from dataclasses import dataclass

import numpy as np

from ..types import Ints
from . import baseline

LEARN_HOURS = 72


@dataclass(frozen=True, slots=True)
class Silence:
    hours: int  # since the last item
    expected: float  # items that should have come meanwhile
    enough: float  # from this expectation on it is no chance any more

    @property
    def stopped(self) -> bool:
        return self.expected > self.enough


def silence(first: int, n: Ints, run_length: float) -> Silence | None:
    """From (t,) items of successive hours since the epoch; `run_length`: hours between false alarms. None: too new.

    Items that come by chance at the usual rates leave a gap worth `x` expected items with probability exp(−x) after
    each hour that had any; what varies more than chance counts for less (dispersion of the hourly counts).
    """
    some = np.flatnonzero(n)
    if not len(some) or int(some[-1]) - int(some[0]) < LEARN_HOURS:
        return None
    begin, last = int(some[0]), int(some[-1])
    hours = baseline.hour_of_week(first, len(n))
    look = slice(max(begin, last + 1 - baseline.WEEK * 8), last + 1)
    rate = baseline.rates(n[look], hours[look])
    usual = rate[hours[look]]
    off = np.minimum((n[look] - usual) ** 2 / np.maximum(usual, 0.1), 25.0)
    dispersion = max(1.0, float(off.mean()))
    expected = float(rate[hours[last + 1 :]].sum()) / dispersion
    busy = max(float((n[look] > 0).mean()), 1e-3)
    return Silence(len(n) - 1 - last, expected, float(np.log(max(run_length * busy, 2.0))))
