"""Reading texts and what people said of them from the user's CSV, TSV, JSONL or CoNLL file, for the command line."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from .finetune.spans import entities
from .types import Example, LearningError, Span, Task

Named = tuple[int, int, str]  # start, end, label
Truth = str | tuple[str, ...] | tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Table:
    texts: list[str]
    truths: list[Truth | None]  # None where the row has none
    task: Task = "single"

    def names(self) -> list[str]:
        return sorted({name for truth in self.truths if truth is not None for name in _names(truth, self.task)})

    def labelled(self) -> list[int]:
        """Rows that have a truth."""
        return [i for i, truth in enumerate(self.truths) if truth is not None]

    def examples(self, names: Sequence[str]) -> list[Example]:
        """The rows with a truth; labels become places in `names`. Refuses a label that is not among them."""
        place = {name: i for i, name in enumerate(names)}
        if unknown := [name for name in self.names() if name not in place]:
            raise LearningError(f"The model does not know these labels: {', '.join(unknown[:5])}.")
        return [_example(i, self.texts[i], self.truths[i], self.task, place) for i in self.labelled()]


def read(path: Path, *, text_col: str, label_col: str | None, task: Task | None = None) -> Table:
    """The task is read off the labels where it is not given: one name, a list of names, or a list of spans.

    Raises LearningError in words when the file or a column is not there.
    """
    if path.suffix == ".conll":
        return _conll(path)
    try:
        rows = _jsonl(path) if path.suffix in (".jsonl", ".ndjson") else _csv(path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise LearningError(f"“{path.name}” cannot be read as UTF-8 CSV or JSONL.") from error
    if not rows:
        raise LearningError(f"“{path.name}” holds no rows.")
    for column in (text_col, label_col):
        if column and column not in rows[0]:
            raise LearningError(f"“{path.name}” has no column “{column}”; it has {', '.join(rows[0])}.")
    values = [row.get(label_col) if label_col else None for row in rows]
    task = task or _task(values)
    try:
        truths = [_truth(value, task) for value in values]
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise LearningError(f"The column “{label_col}” of “{path.name}” does not hold {WORDS[task]}.") from error
    return Table([str(row[text_col]) for row in rows], truths, task)


WORDS: dict[Task, str] = {
    "single": "one label a row",
    "multi": "lists of labels",
    "spans": "lists of spans with start, end and label",
}
assert set(WORDS) == set(get_args(Task)) - {"engagement"}  # noqa: S101 - a task without words would fail where it is too late


def _task(values: Sequence[Any]) -> Task:
    lists = [value for value in values if isinstance(value, list)]
    if not lists:
        return "single"
    return "spans" if any(isinstance(part, dict | list) for value in lists for part in value) else "multi"


def _truth(value: Any, task: Task) -> Truth | None:
    if value is None or value == "":
        return None
    if task == "single":
        return str(value)
    if not isinstance(value, list):
        raise TypeError
    if task == "multi":
        return tuple(sorted({str(name) for name in value}))
    return tuple(sorted(_span(part) for part in value))


def _span(part: Any) -> Named:
    start, end, name = (part["start"], part["end"], part["label"]) if isinstance(part, dict) else part
    if not 0 <= int(start) < int(end):
        raise ValueError
    return int(start), int(end), str(name)


def _names(truth: Any, task: Task) -> list[str]:
    if task == "single":
        return [truth]
    return list(truth) if task == "multi" else [name for _, _, name in truth]


def _example(i: int, text: str, truth: Any, task: Task, place: dict[str, int]) -> Example:
    if task == "single":
        return Example(i, text, label=place[truth])
    if task == "multi":
        return Example(i, text, labels=tuple(sorted(place[name] for name in truth)))
    return Example(i, text, spans=tuple(Span(start, end, place[name]) for start, end, name in truth))


def _csv(path: Path) -> list[dict[str, Any]]:
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle, delimiter=delimiter))


def _jsonl(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]


def _conll(path: Path) -> Table:
    """A word a line, its tag in the last column, an empty line between texts. Words are joined by one space."""
    try:
        blocks = path.read_text(encoding="utf-8").replace("\r\n", "\n").strip("\n").split("\n\n")
    except (OSError, UnicodeDecodeError) as error:
        raise LearningError(f"“{path.name}” cannot be read as UTF-8.") from error
    texts, truths = [], []
    for block in blocks:
        lines = [line.split("\t" if "\t" in line else None) for line in block.split("\n") if line.strip()]
        if any(len(line) < 2 for line in lines):
            raise LearningError(f"A line of “{path.name}” has no tag beside its word.")
        if lines:
            text, truth = _sentence([line[0] for line in lines], [line[-1] for line in lines])
            texts.append(text)
            truths.append(truth)
    if not texts:
        raise LearningError(f"“{path.name}” holds no texts.")
    return Table(texts, list(truths), "spans")


def _sentence(words: list[str], tags: list[str]) -> tuple[str, tuple[Named, ...]]:
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    names = sorted({tag[2:] for tag in tags if tag != "O"})
    numbers = [0 if tag == "O" else 1 + 2 * names.index(tag[2:]) + (tag[0] == "I") for tag in tags]
    found = [(starts[a], starts[b] + len(words[b]), names[label]) for a, b, label in entities(numbers)]
    return " ".join(words), tuple(found)
