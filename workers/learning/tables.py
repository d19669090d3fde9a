"""Reading texts and labels from the user's CSV or JSONL file, for the command line."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

from .types import LearningError


@dataclass(frozen=True, slots=True)
class Table:
    texts: list[str]
    labels: list[str]  # empty where the row has none

    def names(self) -> list[str]:
        return sorted({label for label in self.labels if label})


def read(path: Path, *, text_col: str, label_col: str | None) -> Table:
    """Raises LearningError in words when the file or a column is not there."""
    try:
        rows = _jsonl(path) if path.suffix in (".jsonl", ".ndjson") else _csv(path)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, csv.Error) as error:
        raise LearningError(f"“{path.name}” cannot be read as UTF-8 CSV or JSONL.") from error
    if not rows:
        raise LearningError(f"“{path.name}” holds no rows.")
    for column in (text_col, label_col):
        if column and column not in rows[0]:
            raise LearningError(f"“{path.name}” has no column “{column}”; it has {', '.join(rows[0])}.")
    labels = [str(row.get(label_col) or "") if label_col else "" for row in rows]
    return Table([str(row[text_col]) for row in rows], labels)


def _csv(path: Path) -> list[dict[str, str]]:
    delimiter = "\t" if path.suffix == ".tsv" else ","
    with path.open(encoding="utf-8-sig", newline="") as handle:
        return list(csv.DictReader(handle, delimiter=delimiter))


def _jsonl(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as handle:
        return [json.loads(line) for line in handle if line.strip()]
