"""Numbers as coordinates of small drawings; the templates put ink on them. Nothing here knows rows or words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    points: str  # of a polyline
    dots: list[tuple[float, float, float]]  # x, y, the value itself
    first: float
    last: float
    last_x: float
    last_y: float


@dataclass(frozen=True, slots=True)
class Chart:
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]


WIDTH, HEIGHT = 360, 156
LEFT, RIGHT, TOP, BOTTOM = 44.0, 348.0, 12.0, 132.0


def chart(
    series: Sequence[Sequence[Point]],
    *,
    ceiling: float | None = None,
    percent: bool = False,
    end: float | None = None,
) -> Chart | None:
    """Lines over one pair of axes that begin at zero; `end` is how far the x axis has to reach. None without points."""
    shown = [list(points) for points in series if points]
    if not shown:
        return None
    furthest = max(x for points in shown for x, _y in points)
    x_end, x_step = _round_axis(max(furthest, end or 0.0), 5)
    most = max(y for points in shown for _x, y in points)
    y_end, y_step = (ceiling, ceiling / 2) if ceiling else _round_axis(most, 4)

    def place(x: float, y: float) -> Point:
        across = LEFT + (RIGHT - LEFT) * x / x_end
        return round(across, 1), round(BOTTOM - (BOTTOM - TOP) * min(y, y_end) / y_end, 1)

    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        lines=[_line(points, [place(x, y) for x, y in points]) for points in shown],
        x_ticks=[Tick(place(x, 0)[0], _short(x)) for x in _steps(x_end, x_step)],
        y_ticks=[Tick(place(0, y)[1], f"{y:.0%}" if percent else _short(y)) for y in _steps(y_end, y_step)],
    )


def _line(values: Sequence[Point], places: Sequence[Point]) -> Line:
    return Line(
        points=" ".join(f"{x},{y}" for x, y in places),
        dots=[(x, y, value) for (x, y), (_x, value) in zip(places, values, strict=True)],
        first=values[0][1],
        last=values[-1][1],
        last_x=places[-1][0],
        last_y=places[-1][1],
    )


def _round_axis(most: float, ticks: int) -> tuple[float, float]:
    """(end, step) of an axis from zero that holds `most` with so many steps of 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return 1.0, 0.5
    power = 10.0 ** math.floor(math.log10(most / ticks))
    step = next(power * digit for digit in (1, 2, 5, 10) if most / (power * digit) <= ticks)
    return step * math.ceil(most / step - 1e-9), step


def _steps(end: float, step: float) -> list[float]:
    return [n * step for n in range(round(end / step) + 1)]


def _short(value: float) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:.0e}".replace("e-0", "e-") if abs(value) < 1e-3 else f"{value:.4g}"


@dataclass(frozen=True, slots=True)
class Bin:
    """One bar of the reliability picture: how often answers of this confidence were right."""

    x: float
    width: float
    y: float
    height: float
    low_y: float
    high_y: float
    middle: float
    n: int
    low: float
    high: float
    confidence: float
    accuracy: float


SIDE, ROOM = 220.0, 34.0  # of the reliability picture's square, and of the words on its left


def reliability(bins: Sequence[Mapping[str, Any]]) -> list[Bin]:
    """Bars over confidence from 0 to 1 with their 95 % intervals. Empty bins are left out."""
    return [_bar(found) for found in bins if found["n"]]


def _bar(found: Mapping[str, Any]) -> Bin:
    left, right = across(found["low"]), across(found["high"])
    y = up(found["accuracy"])
    return Bin(
        x=left + 1,
        width=max(1.0, round(right - left - 2, 1)),
        y=y,
        height=round(up(0) - y, 1),
        low_y=up(found["interval"]["low"]),
        high_y=up(found["interval"]["high"]),
        middle=across(found["confidence"]),
        n=found["n"],
        low=found["low"],
        high=found["high"],
        confidence=found["confidence"],
        accuracy=found["accuracy"],
    )


def across(share: float) -> float:
    return round(ROOM + SIDE * share, 1)


def up(share: float) -> float:
    return round(8 + SIDE * (1 - share), 1)


@dataclass(frozen=True, slots=True)
class Square:
    """The frame of the reliability picture, with the diagonal of perfect honesty."""

    width: float
    height: float
    left: float
    right: float
    top: float
    bottom: float
    x_ticks: list[Tick]
    y_ticks: list[Tick]


def square() -> Square:
    shares = (0.0, 0.5, 1.0)
    return Square(
        width=ROOM + SIDE + 14,
        height=SIDE + 34,
        left=across(0),
        right=across(1),
        top=up(1),
        bottom=up(0),
        x_ticks=[Tick(across(share), f"{share:.0%}") for share in shares],
        y_ticks=[Tick(up(share), f"{share:.0%}") for share in shares],
    )
