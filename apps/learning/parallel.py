"""The trials of a search side by side: one upright axis per setting, one line per trial, the score at the right end."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.learning.charts import Tick

WIDTH, HEIGHT = 760.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 704.0, 46.0, 276.0
LOG_FROM = 20.0  # an axis whose end is this many times its start is drawn in powers


@dataclass(frozen=True, slots=True)
class Trial:
    number: int
    params: Mapping[str, Any]
    value: float | None
    state: str  # complete, pruned, failed, running
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    at: float
    ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class Strand:
    number: int
    points: str
    value: float | None
    state: str
    best: bool
    end_y: float


@dataclass(frozen=True, slots=True)
class Picture:
    width: float
    height: float
    top: float
    bottom: float
    axes: list[Axis]
    score: Axis
    strands: list[Strand]  # the best one last, so that it lies on top


def varied(trials: Sequence[Trial]) -> list[str]:
    """Settings of which the trials tried more than one value, in the order in which they first appear."""
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    return [name for name in names if len({str(trial.params.get(name)) for trial in trials}) > 1]


def best_of(trials: Sequence[Trial]) -> int | None:
    """Number of the finished trial with the highest score."""
    done = [trial for trial in trials if trial.value is not None and trial.state == "complete"]
    return max(done, key=lambda trial: (trial.value or 0.0, -trial.number)).number if done else None


def draw(trials: Sequence[Trial]) -> Picture | None:
    """None while there are fewer than two scores to lay side by side."""
    scored = [trial for trial in trials if trial.value is not None]
    names = varied(scored)
    if len(scored) < 2 or not names:
        return None
    gap = (RIGHT - LEFT) / len(names)
    scales = {name: _scale([trial.params.get(name) for trial in scored]) for name in names}
    score = _scale([trial.value for trial in scored])
    best = best_of(scored)
    strands = [
        Strand(
            number=trial.number,
            points=" ".join(
                [
                    *(f"{round(LEFT + gap * at, 1)},{scales[n].y(trial.params.get(n))}" for at, n in enumerate(names)),
                    f"{RIGHT},{score.y(trial.value)}",
                ]
            ),
            value=trial.value,
            state=trial.state,
            best=trial.number == best,
            end_y=score.y(trial.value),
        )
        for trial in scored
    ]
    return Picture(
        width=WIDTH,
        height=HEIGHT,
        top=TOP,
        bottom=BOTTOM,
        axes=[Axis(name, round(LEFT + gap * at, 1), scales[name].ticks) for at, name in enumerate(names)],
        score=Axis("", RIGHT, [Tick(tick.at, f"{float(tick.text):.1%}") for tick in score.ticks]),
        strands=sorted(strands, key=lambda strand: (strand.best, strand.value or 0.0)),
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    y: Callable[[Any], float]
    ticks: list[Tick]


def _scale(values: Sequence[Any]) -> _Scale:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return _numbers([float(value) for value in values])
    return _names([_word(value) for value in values])


def _numbers(values: Sequence[float]) -> _Scale:
    low, high = min(values), max(values)
    powers = low > 0 and high / low >= LOG_FROM

    def stretched(value: float) -> float:
        return math.log(value) if powers else value

    bottom, reach = stretched(low), (stretched(high) - stretched(low)) or 1.0

    def y(value: Any) -> float:
        share = (stretched(float(value)) - bottom) / reach if high > low else 0.5
        return round(BOTTOM - (BOTTOM - TOP) * share, 1)

    return _Scale(y, [Tick(y(value), f"{value:.3g}") for value in ([low, high] if high > low else [low])])


def _names(values: Sequence[str]) -> _Scale:
    names = sorted(set(values))
    gap = (BOTTOM - TOP) / max(1, len(names) - 1)
    place = {name: round(BOTTOM - gap * at, 1) for at, name in enumerate(names)}
    return _Scale(lambda value: place[_word(value)], [Tick(at, name) for name, at in place.items()])


def _word(value: Any) -> str:
    return "–" if value is None else str(value)
