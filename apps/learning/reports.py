"""Stored numbers shaped for the page: tables sorted by what matters, small drawings as points."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.learning import charts, headlines
from apps.learning.models import Evaluation, TrainingRun

SHOWN = 20  # labels in the confusion matrix: those that are confused most
HEAT = 5  # shades of a cell
WIDTH = 320.0  # of an interval, in its own units


@dataclass(frozen=True, slots=True)
class ClassRow:
    label: int
    name: str
    precision: float
    recall: float
    f1: float
    support: int
    partial_f1: float | None = None  # spans: borders may differ
    threshold: float | None = None  # several labels: said from this probability on
    ece: float | None = None  # several labels: how far this label's probabilities can be believed


@dataclass(frozen=True, slots=True)
class Cell:
    truth: int
    predicted: int
    n: int
    right: bool
    heat: int  # 0 (nothing) … HEAT
    truth_name: str = ""
    predicted_name: str = ""


@dataclass(frozen=True, slots=True)
class MatrixRow:
    place: int
    label: int
    name: str
    cells: list[Cell]
    elsewhere: int  # answers outside the labels shown


@dataclass(frozen=True, slots=True)
class Matrix:
    rows: list[MatrixRow]
    left_out: int  # labels without confusion, or beyond SHOWN


def per_class(evaluation: Evaluation) -> list[ClassRow]:
    """Weakest first; labels that the hold-out does not know come last, because nothing is known about them."""
    metrics, thresholds = evaluation.metrics, evaluation.version.thresholds
    if not metrics.get("per_class"):
        return []  # clicks: there is no label to be right about
    pairs = zip(metrics["classes"], metrics["per_class"], strict=True)
    partial, calibration = metrics.get("per_class_partial") or [], metrics.get("calibration") or []
    rows = [
        ClassRow(
            label,
            name,
            **values,
            partial_f1=partial[at]["f1"] if at < len(partial) else None,
            threshold=thresholds[at] if at < len(thresholds) else None,
            ece=calibration[at]["ece"] if at < len(calibration) else None,
        )
        for at, ((label, name), values) in enumerate(pairs)
    ]
    return sorted(rows, key=lambda row: (row.support == 0, row.f1, -row.support, row.name))


@dataclass(frozen=True, slots=True)
class SliceRow:
    value: str
    n: int
    score: str  # "" where there are too few items to say
    low: str
    high: str
    gap: float | None
    stands_out: bool


def slices(evaluation: Evaluation) -> list[tuple[str, list[SliceRow]]]:
    """The headline figure by language and by field of the metadata, largest part first."""
    metric = headlines.of(evaluation).metric
    tables: dict[str, list[SliceRow]] = {}
    for found in evaluation.metrics.get("slices") or []:
        ends = found["interval"] or {}
        score, low, high = (
            "" if value is None else headlines.spelled(metric, value)
            for value in (found["score"], ends.get("low"), ends.get("high"))
        )
        row = SliceRow(found["value"], found["n"], score, low, high, found["gap"], found["stands_out"])
        tables.setdefault(found["name"], []).append(row)
    return list(tables.items())


def span_mistakes(evaluation: Evaluation) -> list[tuple[headlines.Words, int]]:
    """What goes wrong with spans, most frequent first."""
    words: dict[str, headlines.Words] = {
        "missed": _("not found"),
        "wrong_border": _("found with other borders"),
        "wrong_label": _("found with another label"),
        "spurious": _("found where there is none"),
    }
    counts = [(text, evaluation.metrics[name]) for name, text in words.items() if name in evaluation.metrics]
    return sorted(counts, key=lambda pair: -pair[1])


def confusions(evaluation: Evaluation, limit: int = 10) -> list[Cell]:
    """The mistakes made most often."""
    classes, table = evaluation.metrics["classes"], evaluation.metrics["confusion"]
    wrong = [
        Cell(classes[i][0], classes[j][0], n, False, 0, classes[i][1], classes[j][1])
        for i, row in enumerate(table)
        for j, n in enumerate(row)
        if n and i != j
    ]
    return sorted(wrong, key=lambda cell: (-cell.n, cell.truth_name, cell.predicted_name))[:limit]


def matrix(evaluation: Evaluation) -> Matrix:
    return matrix_of(evaluation.metrics["classes"], evaluation.metrics["confusion"])


def matrix_of(classes: list[Any], table: list[list[int]]) -> Matrix:
    """The labels that are confused most, most confused first. `classes`: (id, name) of each row and column."""
    k = len(classes)
    mistakes = [sum(table[i]) + sum(row[i] for row in table) - 2 * table[i][i] for i in range(k)]
    order = sorted((i for i in range(k) if mistakes[i]), key=lambda i: (-mistakes[i], classes[i][1]))[:SHOWN]
    if k <= SHOWN:
        order += [i for i in range(k) if not mistakes[i]]
    most = max((table[i][j] for i in order for j in order if i != j), default=0)
    top = max((table[i][i] for i in order), default=0)
    rows = [
        MatrixRow(
            place,
            classes[i][0],
            classes[i][1],
            [_cell(classes, i, j, table[i][j], top if i == j else most) for j in order],
            sum(table[i]) - sum(table[i][j] for j in order),
        )
        for place, i in enumerate(order, start=1)
    ]
    return Matrix(rows, k - len(order))


def _cell(classes: list[Any], i: int, j: int, n: int, most: int) -> Cell:
    heat = -(-n * HEAT // most) if most else 0
    return Cell(classes[i][0], classes[j][0], n, i == j, heat, classes[i][1], classes[j][1])


@dataclass(frozen=True, slots=True)
class CurveRow:
    """What was told at one step; not every step tells everything."""

    step: int
    loss: float | None
    dev_loss: float | None
    score: float | None
    rate: float | None


@dataclass(frozen=True, slots=True)
class Curves:
    """A run as it goes: its loss, its score on the examples kept back, its learning rate."""

    loss: charts.Chart | None
    score: charts.Chart | None
    rate: charts.Chart | None
    first_loss: float | None
    last_loss: float | None
    dev_loss: float | None
    best_score: float | None
    last_score: float | None
    rows: list[CurveRow]

    @property
    def any(self) -> bool:
        return bool(self.loss or self.score)


def curves(run: TrainingRun) -> Curves:
    losses = [(float(point["step"]), point["loss"]) for point in run.curve if point.get("loss") is not None]
    rates = [(float(point["step"]), point["lr"]) for point in run.curve if point.get("lr") is not None]
    dev_losses = [(float(point["step"]), loss) for point in run.curve if (loss := _of_dev(point, "loss")) is not None]
    scores = [(float(point["step"]), score) for point in run.curve if (score := dev_score(point)) is not None]
    return Curves(
        loss=charts.chart([losses, dev_losses]),
        score=charts.chart([scores], ceiling=1.0, percent=True, end=losses[-1][0] if losses else None),
        rate=charts.chart([rates]),
        first_loss=losses[0][1] if losses else None,
        last_loss=losses[-1][1] if losses else None,
        dev_loss=dev_losses[-1][1] if dev_losses else None,
        best_score=max(score for _step, score in scores) if scores else None,
        last_score=scores[-1][1] if scores else None,
        rows=[row for point in run.curve if (row := _row(point))],
    )


def _row(point: Mapping[str, Any]) -> CurveRow | None:
    told = (point.get("loss"), _of_dev(point, "loss"), dev_score(point), point.get("lr"))
    return None if all(value is None for value in told) else CurveRow(int(point["step"]), *told)


def dev_score(point: Mapping[str, Any]) -> float | None:
    """The figure that early stopping looks at: accuracy, or F1 for the other kinds of task."""
    found = point.get("dev_accuracy")
    return found if found is not None else _of_dev(point, "score")


def _of_dev(point: Mapping[str, Any], name: str) -> float | None:
    value = (point.get("dev") or {}).get(name)
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference with its interval on an axis around zero, in the drawing's own units."""

    zero: float
    low: float
    high: float
    at: float
    reach: float  # share at either end of the axis


def interval(low: float, at: float, high: float) -> Interval:
    reach = max(0.05, abs(low), abs(high)) * 1.1

    def x(share: float) -> float:
        return round(WIDTH / 2 * (1 + share / reach), 1)

    return Interval(zero=x(0), low=x(low), high=x(high), at=x(at), reach=reach)
