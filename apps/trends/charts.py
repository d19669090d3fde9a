"""Time series as coordinates; the templates put ink on them. Nothing here knows rows or words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import pgettext

WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 48.0, 640.0, 16.0, 208.0  # names of the lines stand on the right
GAP = 15.0  # between two names


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    x: float
    y: float
    title: str
    url: str


@dataclass(slots=True)
class Line:
    name: str
    color: int
    points: str
    dots: list[Dot]
    name_y: float
    band: str = ""


@dataclass(frozen=True, slots=True)
class Chart:
    lines: list[Line]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    marks: list[Tick]  # releases
    width: int = WIDTH
    height: int = HEIGHT
    left: float = LEFT
    right: float = RIGHT
    top: float = TOP
    bottom: float = BOTTOM


@dataclass(frozen=True, slots=True)
class Values:
    name: str
    color: int
    values: Sequence[float | None]
    urls: Sequence[str]
    bounds: Sequence[tuple[float, float]] = ()  # of an interval around each value


def over_time(
    days: Sequence[date], series: Sequence[Values], marks: Sequence[tuple[date, str]] = (), *, percent: bool = False
) -> Chart | None:
    """Lines over days from zero. None without a single value."""
    known = [value for each in series for value in each.values if value is not None]
    if not known or not days:
        return None
    tops = [high for each in series for _low, high in each.bounds]
    end, step = axis(max([*known, *tops]), 4, whole=not percent)
    span = max(1, (days[-1] - days[0]).days)

    def x(day: date) -> float:
        part = (day - days[0]).days / span if len(days) > 1 else 0.5
        return round(LEFT + (RIGHT - LEFT) * part, 1)

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * min(value, end) / end, 1)

    colon = pgettext("a sentence", ": ")
    lines = []
    for each in series:
        places = [
            (x(day), y(v), v, url) for day, v, url in zip(days, each.values, each.urls, strict=True) if v is not None
        ]
        if not places:
            continue
        said = [f"{v:.1%}" if percent else f"{v:,.0f}" for _x, _y, v, _url in places]
        days_known = [day for day, v in zip(days, each.values, strict=True) if v is not None]
        dots = [
            Dot(px, py, f"{date_format(day, 'SHORT_DATE_FORMAT')} · {each.name}{colon}{words}", url)
            for (px, py, _v, url), day, words in zip(places, days_known, said, strict=True)
        ]
        line = Line(each.name, each.color, " ".join(f"{px},{py}" for px, py, _v, _u in places), dots, places[-1][1])
        if each.bounds:
            upper = [f"{x(day)},{y(high)}" for day, (_low, high) in zip(days, each.bounds, strict=True)]
            lower = [f"{x(day)},{y(low)}" for day, (low, _high) in zip(days, each.bounds, strict=True)]
            line.band = " ".join([*upper, *reversed(lower)])
        lines.append(line)
    spread(lines)
    return Chart(
        lines=lines,
        x_ticks=[Tick(x(day), date_format(day, "MONTH_DAY_FORMAT")) for day in _some(days, 8)],
        y_ticks=[
            Tick(y(n * step), f"{n * step:.0%}" if percent else _short(n * step)) for n in range(round(end / step) + 1)
        ],
        marks=[Tick(x(day), name) for day, name in marks if days[0] <= day <= days[-1]],
    )


def spread(lines: Sequence[Line]) -> None:
    """Moves the names at the right apart, so that none stands on another."""
    lowest = BOTTOM
    for line in sorted(lines, key=lambda line: -line.name_y):
        line.name_y = round(min(line.name_y, lowest), 1)
        lowest = line.name_y - GAP


def axis(most: float, ticks: int, *, whole: bool) -> tuple[float, float]:
    """(end, step) of an axis from zero that holds `most` in steps of 1, 2 or 5 times a power of ten."""
    if most <= 0:
        return (4.0, 1.0) if whole else (0.1, 0.05)
    power = 10.0 ** math.floor(math.log10(most / ticks))
    step = next(power * digit for digit in (1, 2, 5, 10) if most / (power * digit) <= ticks)
    step = max(step, 1.0) if whole else step
    return step * math.ceil(most / step - 1e-9), step


def _some(days: Sequence[date], most: int) -> list[date]:
    step = math.ceil(len(days) / most)
    return list(days[::step])


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Of an alarm: the share by hours above, the sum against its threshold below."""

    share: str
    usual: str
    score: str
    threshold: str
    bars: list[tuple[float, float, float]]  # x, y, height of the hourly counts of a stream that stopped
    onset: float
    x_ticks: list[Tick]
    share_ticks: list[Tick]
    score_ticks: list[Tick]
    width: int = 760
    height: int = 330
    left: float = 52.0
    right: float = 740.0
    middle: float = 176.0
    top: float = 14.0
    low_top: float = 206.0
    bottom: float = 296.0


SMOOTH = 6  # hours that the drawn share is taken over


def evidence(kept: Mapping[str, Any], hours: Sequence[str], onset: int) -> Evidence:
    """`hours`: what stands under each kept hour; `onset`: the index of the one in which it most likely began."""
    t = len(kept["n"])
    left, right, top, middle, low_top, bottom = 52.0, 740.0, 14.0, 176.0, 206.0, 296.0

    def x(at: float) -> float:
        return round(left + (right - left) * at / max(1, t - 1), 1)

    ticks = [Tick(x(at), hours[at]) for at in range(0, t, 24)]
    if "k" not in kept:
        end, step = axis(max([*kept["n"], 1]), 4, whole=True)
        bars = []
        for at, n in enumerate(kept["n"]):
            height = round((middle - top) * n / end, 1)
            bars.append((x(at), round(middle - height, 1), height))
        marks = [
            Tick(round(middle - (middle - top) * n * step / end, 1), _short(n * step))
            for n in range(round(end / step) + 1)
        ]
        return Evidence("", "", "", "", bars, x(max(0, onset)), ticks, marks, [], height=206)
    shares = _smoothed(kept["n"], kept["k"])
    usual = [value for value in kept["expected"] if value is not None]
    end, step = axis(max([*(s for s in shares if s is not None), *usual, 0.02]), 4, whole=False)
    highest = max([*kept["score"], *(h for h in kept["threshold"] if h is not None), 1.0])
    peak, score_step = axis(highest, 3, whole=True)

    def up(value: float) -> float:
        return round(middle - (middle - top) * min(value, end) / end, 1)

    def low(value: float) -> float:
        return round(bottom - (bottom - low_top) * min(value, peak) / peak, 1)

    def path(values: Sequence[float | None], place: Any) -> str:
        return " ".join(f"{x(at)},{place(value)}" for at, value in enumerate(values) if value is not None)

    return Evidence(
        share=path(shares, up),
        usual=path(kept["expected"], up),
        score=path(kept["score"], low),
        threshold=path(kept["threshold"], low),
        bars=[],
        onset=x(max(0, onset)),
        x_ticks=ticks,
        share_ticks=[Tick(up(n * step), f"{n * step:.0%}") for n in range(round(end / step) + 1)],
        score_ticks=[Tick(low(n * score_step), _short(n * score_step)) for n in range(round(peak / score_step) + 1)],
    )


def _smoothed(n: Sequence[int], k: Sequence[int]) -> list[float | None]:
    found: list[float | None] = []
    for at in range(len(n)):
        part = slice(max(0, at + 1 - SMOOTH), at + 1)
        items = sum(n[part])
        found.append(sum(k[part]) / items if items else None)
    return found
