"""Files of labelled text, whatever their task: CSV or JSONL with one label, JSONL with a list of labels, CoNLL."""

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.learning.types import Example, Span, Task


@dataclass(frozen=True)
class Data:
    texts: list[str]
    task: Task
    names: list[str]
    truth: NDArray[Any]  # (n,) classes; (n, k) truths; (n,) of tuples of Span
    tokens: NDArray[np.int64]  # (n,) words: what reading a text costs

    def __len__(self) -> int:
        return len(self.texts)

    def part(self, rows: NDArray[np.int64]) -> "Data":
        return Data([self.texts[i] for i in rows], self.task, self.names, self.truth[rows], self.tokens[rows])

    def examples(self, rows: NDArray[np.int64]) -> list[Example]:
        return [Example(int(i), self.texts[i], **self._said(i)) for i in rows]

    def _said(self, row: int) -> dict[str, Any]:
        truth = self.truth[row]
        if self.task == "spans":
            return {"spans": truth}
        return {"label": int(truth)} if self.task == "single" else {"labels": tuple(np.flatnonzero(truth).tolist())}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", type=Path, required=True, help="CSV, JSONL or .conll: the pool to label")
    parser.add_argument("--test", type=Path, help="only measures; without it a share of --train, drawn for each seed")
    parser.add_argument("--test-share", type=float, default=0.3)
    parser.add_argument("--pool", type=int, help="label from at most so many texts, drawn for each seed")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label", help="a list in it makes the task multi-label")
    parser.add_argument(
        "--cut", type=float, nargs="+", help="turn a number in --label-col into classes at these values"
    )


def load(args: argparse.Namespace) -> tuple[Data, Data | None]:
    """Pool and test file; None where the test is to be drawn from the pool."""
    files = [args.train] if args.test is None else [args.train, args.test]
    read = [_conll(path) if path.suffix == ".conll" else list(_table(path, args)) for path in files]
    labels = [label for rows in read for _, label, _ in rows]
    task: Task = "spans" if args.train.suffix == ".conll" else "multi" if isinstance(labels[0], list) else "single"
    names = sorted({name for label in labels for name in _names(label)})
    made = [_data(rows, task, names) for rows in read]
    return made[0], made[1] if len(made) > 1 else None


def halves(
    pool: Data, test: Data | None, share: float, most: int | None, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the pool to label from, at most so many, and of the test set: the whole test file where there is one."""
    order = np.random.default_rng(seed).permutation(len(pool))
    held = 0 if test is not None else int(len(pool) * share)
    mine = np.sort(order[held:][:most])
    return mine, np.sort(order[:held]) if test is None else np.arange(len(test))


Row = tuple[str, Any, int]  # text, label(s) or [start, end, label] of each span, words


def _table(path: Path, args: argparse.Namespace) -> Iterator[Row]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = (json.loads(line) for line in file if line.strip()) if path.suffix == ".jsonl" else csv.DictReader(file)
        for row in rows:
            text, label = row[args.text_col], row[args.label_col]
            if args.cut:
                label = f"class {int(np.digitize(float(label), args.cut))}"
            if text.strip():
                yield text, label if isinstance(label, list) else str(label), len(text.split())


def _conll(path: Path) -> list[Row]:
    """Token TAB tag, a blank line between texts; spans in code points of the tokens joined by blanks."""
    rows = []
    lines = path.read_text(encoding="utf-8").split("\n")
    # what parts two texts is blank, which a lone tab is, too
    for filled, block in groupby(lines, key=lambda line: bool(line.strip())):
        if not filled:
            continue
        pairs = [line.split("\t")[:2] for line in block]
        spans: list[list[Any]] = []
        at = 0
        for token, tag in pairs:
            end = at + len(token)
            if tag.startswith("I-") and spans and spans[-1][1] == at - 1 and spans[-1][2] == tag[2:]:
                spans[-1][1] = end
            elif tag != "O":
                spans.append([at, end, tag[2:]])
            at = end + 1
        rows.append((" ".join(token for token, _ in pairs), spans, len(pairs)))
    return rows


def _names(label: Any) -> Sequence[str]:
    if isinstance(label, str):
        return [label]
    return [part if isinstance(part, str) else part[2] for part in label]


def _data(rows: Sequence[Row], task: Task, names: list[str]) -> Data:
    place = {name: i for i, name in enumerate(names)}
    truth: NDArray[Any]
    if task == "single":
        truth = np.array([place[label] for _, label, _ in rows], dtype=np.int64)
    elif task == "multi":
        truth = np.zeros((len(rows), len(names)), dtype=bool)
        for i, (_, labels, _) in enumerate(rows):
            truth[i, [place[name] for name in labels]] = True
    else:
        truth = np.empty(len(rows), dtype=object)
        for i, (_, spans, _) in enumerate(rows):
            truth[i] = tuple(Span(start, end, place[name]) for start, end, name in spans)
    tokens = np.array([words for _, _, words in rows], dtype=np.int64)
    return Data([text for text, _, _ in rows], task, names, truth, tokens)
