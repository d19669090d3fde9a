"""L-BFGS (Liu & Nocedal 1989) for smooth convex functions of a few thousand to a million unknowns.

scipy's routine carries bounds that nobody here needs and spends ten times the cost of the function on them.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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
        taken = _line_search(function, x, value, direction, slope, length)
        if taken is None:
            return Found(x, value, step, False)  # float32 can tell no better point from this one
        new_x, value, new_gradient = taken
        s, y = new_x - x, new_gradient - gradient
        curvature = float(s @ y)
        if curvature > 1e-10 * float(y @ y):
            pairs.append((s, y, 1 / curvature))
        x, gradient = new_x, new_gradient
    return Found(x, value, max_iter, bool(np.abs(gradient).max() <= tolerance))


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
    function: Function, x: Vector, value: float, direction: Vector, slope: float, length: float
) -> tuple[Vector, float, Vector] | None:
    for _ in range(20):
        candidate = x + length * direction
        new_value, new_gradient = function(candidate)
        if new_value <= value + ARMIJO * length * slope + NOISE * abs(value):
            return candidate, new_value, new_gradient
        # the parabola through both values and the slope, kept away from both ends
        best = -slope * length**2 / (2 * (new_value - value - slope * length))
        length = float(np.clip(best, 0.1 * length, 0.5 * length))
    return None
