"""Shares and means with their intervals as coordinates; the templates _span.html and _trend.html put ink on them."""

from collections.abc import Sequence
from dataclasses import dataclass

SPAN, EDGE = 320.0, 6.0  # of one row of a dot plot: its width, and the room that a dot at the end needs


@dataclass(frozen=True, slots=True)
class Span:
    low: float
    at: float
    high: float

    @property
    def width(self) -> float:
        return round(self.high - self.low, 1)


def span(value: float, low: float, high: float, *, first: float = 0.0, last: float = 1.0) -> Span:
    def place(x: float) -> float:
        share = (min(max(x, first), last) - first) / (last - first)
        return round(EDGE + (SPAN - 2 * EDGE) * share, 1)

    return Span(place(low), place(value), place(high))


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """One point of a trend; None where nothing was measured, and the line is broken there."""

    name: str
    value: float | None = None
    low: float = 0.0
    high: float = 0.0


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    low: float
    high: float
    measured: Measured


@dataclass(frozen=True, slots=True)
class Trend:
    width: float
    height: float
    left: float
    right: float
    lines: list[str]  # of polylines, one per unbroken stretch
    bands: list[str]  # of polygons
    dots: list[Dot]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    bottom: float


WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640.0, 200.0, 40.0, 628.0, 12.0, 172.0
MOST_NAMES = 6  # below the axis


def trend(points: Sequence[Measured], ticks: Sequence[tuple[float, str]]) -> Trend | None:
    """`ticks` of the upright axis, lowest first; they also say where it begins and ends. None without a value."""
    if not any(point.value is not None for point in points):
        return None
    first, last = ticks[0][0], ticks[-1][0]
    step = (RIGHT - LEFT) / max(len(points), 1)

    def x(place: int) -> float:
        return round(LEFT + step * (place + 0.5), 1)

    def y(value: float) -> float:
        share = (min(max(value, first), last) - first) / (last - first)
        return round(BOTTOM - (BOTTOM - TOP) * share, 1)

    stretches = _stretches(points)
    dots = [
        Dot(x(n), y(point.value), y(point.low), y(point.high), point)
        for n, point in enumerate(points)
        if point.value is not None
    ]
    every = -(-len(points) // MOST_NAMES)
    return Trend(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        bottom=BOTTOM,
        lines=[" ".join(f"{x(n)},{y(points[n].value or 0)}" for n in places) for places in stretches],
        bands=[
            " ".join(
                [f"{x(n)},{y(points[n].high)}" for n in places] + [f"{x(n)},{y(points[n].low)}" for n in places[::-1]]
            )
            for places in stretches
        ],
        dots=dots,
        x_ticks=[Tick(x(n), points[n].name) for n in range(len(points) - 1, -1, -every)],
        y_ticks=[Tick(y(value), text) for value, text in ticks],
    )


def _stretches(points: Sequence[Measured]) -> list[list[int]]:
    out: list[list[int]] = [[]]
    for place, point in enumerate(points):
        if point.value is not None:
            out[-1].append(place)
        elif out[-1]:
            out.append([])
    return [places for places in out if places]
