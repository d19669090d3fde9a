"""Parts of a map: convex outlines around groups of points, so that a map can be read as a table too."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .sampling.kmeans import assign, kmeans

Plane = NDArray[np.float32]
MOST = 24
LEAST_POINTS = 40  # in a part, on average
SAMPLE = 20_000  # points that the centres are looked for among
DIGITS = 4  # of the coordinates of an outline: it is written into addresses
OUTLYING = 0.01  # of a part's points, the farthest from its middle, do not stretch its outline


@dataclass(frozen=True, slots=True)
class Region:
    outline: list[tuple[float, float]]  # convex, counter-clockwise
    typical: int  # row of the point nearest to the middle


def regions(xy: Plane, *, seed: int, most: int = MOST) -> list[Region]:
    """(n, 2) points to at most `most` outlines that do not overlap; k-means, then the convex hull of each part.

    k-means divides the plane by straight lines, so hulls of different parts stay apart. Deterministic.
    """
    rng = np.random.default_rng(seed)
    some = xy[np.sort(rng.permutation(len(xy))[:SAMPLE])]
    centres, _assignment = kmeans(some, max(1, min(most, len(xy) // LEAST_POINTS)), rng, max_iter=30)
    part = assign(xy, centres)
    found = [_region(xy, np.flatnonzero(part == number)) for number in range(len(centres))]
    return [region for region in found if region is not None]


def inside(xy: NDArray[np.floating], outline: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(n,) which of (n, 2) points lie in the polygon (m, 2); even-odd rule, so the line may cross itself."""
    within = np.zeros(len(xy), dtype=bool)
    low, high = outline.min(axis=0), outline.max(axis=0)
    near = np.flatnonzero(((xy >= low) & (xy <= high)).all(axis=1))
    x, y = xy[near, 0].astype(np.float64), xy[near, 1].astype(np.float64)
    odd = np.zeros(len(near), dtype=bool)
    for (x1, y1), (x2, y2) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y1 == y2:
            continue
        crosses = (y1 > y) != (y2 > y)
        odd ^= crosses & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    within[near] = odd
    return within


def _region(xy: Plane, members: NDArray[np.int64]) -> Region | None:
    from scipy.spatial import ConvexHull, QhullError

    points = xy[members].astype(np.float64)
    if len(points) < 3:
        return None
    away = np.linalg.norm(points - points.mean(axis=0), axis=1)
    kept = points[away <= np.quantile(away, 1 - OUTLYING)]
    try:
        corners = kept[ConvexHull(kept).vertices]
    except QhullError:  # all on one line
        return None
    middle = np.median(points, axis=0)
    typical = members[np.linalg.norm(points - middle, axis=1).argmin()]
    return Region([(round(float(x), DIGITS), round(float(y), DIGITS)) for x, y in corners], int(typical))
