"""The learning curve as coordinates: labels across, hold-out accuracy upwards from zero, its 95 % band behind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from apps.learning.models import CurvePoint

Size = Literal["small", "large"]
MOST_POINTS = 120  # more cannot be told apart on paper this wide


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Drawing:
    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    line: str  # of a polyline
    band: str  # of a polygon
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    last: CurvePoint
    last_x: float
    last_y: float
    label_x: float
    label_y: float
    label_anchor: Literal["start", "end"]

    @property
    def middle(self) -> float:
        return (self.left + self.right) / 2


# width, height, and the room that axis labels need: left, right, top, bottom
_ROOM: dict[Size, tuple[int, int, int, int, int, int]] = {
    "small": (320, 148, 34, 12, 18, 22),
    "large": (760, 320, 44, 20, 24, 40),
}


def draw(points: Sequence[CurvePoint], size: Size) -> Drawing:
    """`points` by number of labels, at least one."""
    shown = _thinned(points)
    width, height, left, right_room, top, bottom_room = _ROOM[size]
    right, bottom = width - right_room, height - bottom_room
    most, step = _axis(shown[-1].n_labels, 4 if size == "small" else 8)

    def x(labels: float) -> float:
        return round(left + (right - left) * labels / most, 1)

    def y(share: float) -> float:
        return round(bottom - (bottom - top) * share, 1)

    last = shown[-1]
    upper = [f"{x(p.n_labels)},{y(p.high)}" for p in shown]
    lower = [f"{x(p.n_labels)},{y(p.low)}" for p in reversed(shown)]
    roomy = right - x(last.n_labels) > 60
    shares = (0.0, 0.5, 1.0) if size == "small" else (0.0, 0.25, 0.5, 0.75, 1.0)
    return Drawing(
        width=width,
        height=height,
        left=left,
        right=right,
        top=top,
        bottom=bottom,
        line=" ".join(f"{x(p.n_labels)},{y(p.accuracy)}" for p in shown),
        band=" ".join(upper + lower),
        x_ticks=[Tick(x(n), f"{n:,}") for n in range(0, most + 1, step)],
        y_ticks=[Tick(y(share), f"{share:.0%}") for share in shares],
        last=last,
        last_x=x(last.n_labels),
        last_y=y(last.accuracy),
        label_x=x(last.n_labels) + (8 if roomy else 0),
        # beside the point where there is room, else above it, under the ceiling below it
        label_y=y(last.accuracy) + 4 if roomy else y(last.accuracy) + (-9 if y(last.accuracy) - 22 > top else 22),
        label_anchor="start" if roomy else "end",
    )


def _thinned(points: Sequence[CurvePoint]) -> list[CurvePoint]:
    if len(points) <= MOST_POINTS:
        return list(points)
    step = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(n * step)] for n in range(MOST_POINTS)]


def _axis(labels: int, most_ticks: int) -> tuple[int, int]:
    """(end, step) of a round axis that holds so many labels."""
    power = 1
    while True:
        for step in (power, 2 * power, 5 * power):
            end = -(-max(labels, 1) // step) * step
            if end // step <= most_ticks:
                return end, step
        power *= 10
