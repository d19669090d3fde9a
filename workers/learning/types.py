"""What crosses the border between the application and the learning code: frozen, plain, no ORM object."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]
Progress = Callable[[int], None]  # how many texts are done

Reason = Literal["cold_start", "uncertain", "random"]
VerdictKind = Literal["better", "worse", "not_worse", "cannot_tell"]


class LearningError(Exception):
    """A refusal in one sentence that may be shown to a person."""


class Cancelled(Exception):
    """Somebody asked the work to stop; the last checkpoint is on disk."""


Task = Literal["single", "multi", "spans"]


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """text[start:end] carries the label. Code points, end exclusive."""

    start: int
    end: int
    label: int  # index into the label order


@dataclass(frozen=True, slots=True)
class Example:
    """One text and its truth; the task says which of the three is read. Labels are indexes into the label order."""

    id: int
    text: str
    label: int | None = None  # single
    labels: tuple[int, ...] | None = None  # multi: ascending; () means that none fits
    spans: tuple[Span, ...] | None = None  # spans: in order of start


@dataclass(frozen=True, slots=True)
class Interval:
    low: float
    high: float

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """One model on one labelled set. Shares lie in 0..1."""

    n: int
    accuracy: float
    accuracy_interval: Interval  # Wilson, 95 %
    macro_f1: float  # over the classes that occur in the truth
    macro_f1_interval: Interval  # bootstrap percentile, 95 %
    per_class: tuple[ClassMetrics, ...]
    confusion: tuple[tuple[int, ...], ...]  # rows truth, columns prediction
    ece: float | None = None
    ece_null: float | None = None  # what a perfectly calibrated model would show at this n
    nll: float | None = None
    brier: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers, lists and dictionaries only."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Model b against model a on the same items; differences are b − a in accuracy."""

    kind: VerdictKind
    difference: float
    low: float
    high: float
    n: int
    more_needed: int | None  # further hold-out labels that would probably decide; None when decided or out of reach


@dataclass(frozen=True, slots=True)
class Choice:
    row: int  # into the vectors that were planned over
    reason: Reason
    score: float | None  # margin at the time of choosing; None where no head was asked
