"""Stored numbers shaped for the page: tables sorted by what matters, small drawings as points."""

from dataclasses import dataclass
from typing import Any

from apps.learning.models import Evaluation, TrainingRun

SHOWN = 20  # labels in the confusion matrix: those that are confused most
HEAT = 5  # shades of a cell
WIDTH, HEIGHT = 320.0, 72.0  # of the loss drawing, in its own units
EDGE = 4.0


@dataclass(frozen=True, slots=True)
class ClassRow:
    label: int
    name: str
    precision: float
    recall: float
    f1: float
    support: int


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
    pairs = zip(evaluation.metrics["classes"], evaluation.metrics["per_class"], strict=True)
    rows = [ClassRow(label, name, **values) for (label, name), values in pairs]
    return sorted(rows, key=lambda row: (row.support == 0, row.f1, -row.support, row.name))


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
    """The labels that are confused most, most confused first."""
    classes, table = evaluation.metrics["classes"], evaluation.metrics["confusion"]
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
class Spark:
    """The loss of a run as a line, and the accuracy on its own dev part as dots."""

    line: str
    dots: list[tuple[float, float, float]]  # x, y, accuracy
    first: float
    last: float
    accuracy: float | None


def spark(run: TrainingRun) -> Spark | None:
    losses = [(point["step"], point["loss"]) for point in run.curve if point.get("loss") is not None]
    if len(losses) < 2:
        return None
    start, end = losses[0][0], losses[-1][0]
    top = float(max(loss for _step, loss in losses)) or 1.0

    def x(step: float) -> float:
        return float(round(EDGE + (WIDTH - 2 * EDGE) * (step - start) / max(1, end - start), 1))

    def y(share: float) -> float:
        return round(HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share, 1)

    seen = [(point["step"], point["dev_accuracy"]) for point in run.curve if "dev_accuracy" in point]
    return Spark(
        line=" ".join(f"{x(step)},{y(loss / top)}" for step, loss in losses),
        dots=[(x(max(step, start)), y(value), value) for step, value in seen],
        first=losses[0][1],
        last=losses[-1][1],
        accuracy=seen[-1][1] if seen else None,
    )


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
