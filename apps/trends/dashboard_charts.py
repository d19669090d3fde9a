"""Figures over time as coordinates of small drawings; templates put ink on them. Knows neither rows nor words."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.utils.formats import date_format

from apps.learning.charts import Tick

WIDTH, HEIGHT = 720, 180
LEFT, RIGHT, TOP, BOTTOM = 44.0, 708.0, 18.0, 152.0
LEAST_GAP = 26.0  # between the names of two releases


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    lower_y: float
    lower: float  # height of the part that stands on the axis
    upper_y: float
    upper: float
    title: str


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    low: float
    high: float
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A release."""

    x: float
    text: str  # empty where its neighbour stands too near
    title: str
    url: str


@dataclass(frozen=True)
class Timeline:
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[Mark]
    bars: list[Bar] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    line: str = ""
    band: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


@dataclass(frozen=True)
class Span:
    """The time that lies between both ends of the axis."""

    first: date
    last: date  # the day itself included

    def x(self, at: date | datetime) -> float:
        # on the day's own date, so that a bar and a release of that day stand together
        day = at.date() if isinstance(at, datetime) else at
        part = (at.hour + at.minute / 60) / 24 if isinstance(at, datetime) else 0.0
        days = (self.last - self.first).days + 1
        return round(LEFT + (RIGHT - LEFT) * ((day - self.first).days + part) / days, 1)

    @property
    def ticks(self) -> list[Tick]:
        days = (self.last - self.first).days + 1
        step = max(1, -(-days // 5))
        found = [self.first + timedelta(days=n) for n in range(0, days, step)]
        form = "YEAR_MONTH_FORMAT" if days > 200 else "MONTH_DAY_FORMAT"
        return [Tick(self.x(day), date_format(day, form)) for day in found if self.x(day) < RIGHT - 12]


Release = tuple[datetime, str, str, str]  # when, "v2", what happened, address


def marks(releases: Sequence[Release], span: Span) -> list[Mark]:
    found: list[Mark] = []
    last = -LEAST_GAP
    for at, text, title, url in releases:
        if not span.first <= at.date() <= span.last:
            continue
        x = span.x(at)
        roomy = x - last >= LEAST_GAP
        last = x if roomy else last
        found.append(Mark(x, text if roomy else "", title, url))
    return found


def bars(days: Sequence[tuple[date, int, int, str]], span: Span, releases: Sequence[Release]) -> Timeline:
    """(day, lower, upper, title): two parts on top of each other."""
    most, step = _round(max((lower + upper for _day, lower, upper, _title in days), default=0))

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * value / most, 1)

    width = (RIGHT - LEFT) / max(1, len(days))
    drawn = [
        Bar(
            x=round(span.x(day) + width * 0.12, 1),
            width=round(max(0.6, width * 0.76), 1),
            lower_y=y(lower),
            lower=round(BOTTOM - y(lower), 1),
            upper_y=y(lower + upper),
            upper=round(y(lower) - y(lower + upper), 1),
            title=title,
        )
        for day, lower, upper, title in days
        if lower + upper
    ]
    ticks = [Tick(y(value), f"{value:,}") for value in range(0, most + 1, step)]
    return Timeline(span.ticks, ticks, marks(releases, span), bars=drawn)


Point = tuple[date | datetime, float, float, float, str]  # when, value, low, high, title


def line(
    points: Sequence[Point],
    span: Span,
    releases: Sequence[Release],
    *,
    limits: tuple[float, float],
    percent: bool = False,
    stairs: bool = False,
) -> Timeline | None:
    """Values with their intervals. The axis shows what is needed of `limits`. `stairs`: each holds until the next."""
    shown = [point for point in points if span.first <= _day(point[0]) <= span.last]
    if not shown:
        return None
    least, most, step = _zoomed(min(p[2] for p in shown), max(p[3] for p in shown), limits)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (min(max(value, least), most) - least) / (most - least), 1)

    dots = [Dot(span.x(at), y(value), y(low), y(high), title) for at, value, low, high, title in shown]
    ticks = [
        Tick(y(value), f"{value:.0%}" if percent else f"{value:g}")
        for value in (least + n * step for n in range(round((most - least) / step) + 1))
    ]
    path = _stairs(dots) if stairs else [(dot.x, dot.y) for dot in dots]
    band = [] if stairs else [(d.x, d.high) for d in dots] + [(d.x, d.low) for d in reversed(dots)]
    return Timeline(
        span.ticks,
        ticks,
        marks(releases, span),
        dots=dots,
        line=_points(path),
        band=_points(band if len(dots) > 1 else []),
    )


def _stairs(dots: Sequence[Dot]) -> list[tuple[float, float]]:
    path: list[tuple[float, float]] = []
    for dot in dots:
        if path:
            path.append((dot.x, path[-1][1]))
        path.append((dot.x, dot.y))
    return [*path, (RIGHT, dots[-1].y)]


def _points(path: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x},{y}" for x, y in path)


def _day(at: date | datetime) -> date:
    return at.date() if isinstance(at, datetime) else at


def _round(most: int) -> tuple[int, int]:
    """(end, step) of an axis of counts from zero, four steps at most."""
    step = 1
    while most > 4 * step:
        step = step * 5 // 2 if str(step)[0] == "2" else step * 2
    return step * max(1, -(-most // step)), step


def _zoomed(low: float, high: float, limits: tuple[float, float]) -> tuple[float, float, float]:
    """(least, most, step): round ends around what is shown, within the limits of what can be."""
    steps = (0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1.0, 2.0, 4.0)
    wanted = max(high - low, (limits[1] - limits[0]) / 10)
    step = next(step for step in steps if wanted / step <= 4)
    least = limits[0] + step * int((low - limits[0]) / step + 1e-9)
    most = least
    while most < high - 1e-9 and most < limits[1] - 1e-9:
        most += step
    return max(limits[0], least), min(limits[1], max(most, least + step)), step
