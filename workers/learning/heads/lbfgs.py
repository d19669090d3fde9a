"""L-BFGS (Liu & Nocedal 1989) for smooth convex functions of a few thousand to a million unknowns.

scipy's routine carries bounds that nobody here needs and spends ten times the cost of the function on them.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Function = Callable[[Vector], tuple[float, Vector]]  # value and gradient

ARMIJO = 1e-4
NOISE = 1e-7  # relative error of a value summed from float32 terms: no step is refused for less
MEMORY = 12


@dataclass(frozen=True, slots=True)
class Found:
    x: Vector
    value: float
    steps: int
    converged: bool


def minimise(function: Function, start: Vector, *, tolerance: float, max_iter: int) -> Found:
    """Walk until no entry of the gradient exceeds `tolerance`, or `max_iter` steps are taken."""
    x = start.astype(np.float64)
    value, gradient = function(x)
    pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=MEMORY)
    for step in range(max_iter):
        if np.abs(gradient).max() <= tolerance:
            return Found(x, value, step, True)
        direction = _direction(gradient, pairs)
        slope = float(direction @ gradient)
        length = 1.0 if pairs else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        taken = _line_search(partial(_at, function, x, direction), value, slope, length)
        if taken is None:
            return Found(x, value, step, False)
        length, value, new_gradient = taken
        s, y = length * direction, new_gradient - gradient
        curvature = float(s @ y)
        if curvature > 1e-10 * float(y @ y):
            pairs.append((s, y, 1 / curvature))
        x, gradient = x + s, new_gradient
    return Found(x, value, max_iter, bool(np.abs(gradient).max() <= tolerance))


def _at(function: Function, x: Vector, direction: Vector, length: float) -> tuple[float, Vector]:
    return function(x + length * direction)


def _direction(gradient: Vector, pairs: deque[tuple[Vector, Vector, float]]) -> Vector:
    """The two-loop recursion: minus the approximate inverse Hessian times the gradient."""
    q = gradient.copy()
    alphas = []
    for s, y, rho in reversed(pairs):
        alpha = rho * float(s @ q)
        q -= alpha * y
        alphas.append(alpha)
    if pairs:
        _, y, rho = pairs[-1]
        q /= rho * float(y @ y)
    for (s, y, rho), alpha in zip(pairs, reversed(alphas), strict=True):
        q += (alpha - rho * float(y @ q)) * s
    return -q


def _line_search(
    along: Callable[[float], tuple[float, Vector]], value: float, slope: float, length: float
) -> tuple[float, float, Vector] | None:
    """(length, value, gradient) of a point that is lower by Armijo's rule; None when float32 can tell none."""
    for _ in range(20):
        new_value, new_gradient = along(length)
        if new_value <= value + ARMIJO * length * slope + NOISE * abs(value):
            return length, new_value, new_gradient
        # the parabola through both values and the slope, kept away from both ends
        best = -slope * length**2 / (2 * (new_value - value - slope * length))
        length = float(np.clip(best, 0.1 * length, 0.5 * length))
    return None
