"""A file of gold items as rows: one text each, by its id or its words, with its answer and an explanation.

Pure: bytes in, rows and refusals out. The columns are found by their names, as an import finds them.
"""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.content.guess import KNOWN_NAMES, plain

MOST = 500  # rows
MOST_BYTES = 4 * 1024 * 1024
SEPARATORS = "|;,"
_EXPLANATION = {"explanation", "reason", "why", "because", "comment", "解释", "说明", "理由"}
_NAMES = {
    "external_id": {"externalid", "id", "itemid", "textid", "编号", "外部编号"},
    "text": {"text", "content", "sentence", "message", "question", "文本", "内容"},
    "label": {"label", "labels", "gold", "goldlabel", "category", "categories", "tags", "标签", "类别"},
    "spans": {"spans", "entities", "实体", "片段"},
    "explanation": _EXPLANATION,
}


@dataclass(frozen=True)
class GoldLine:
    line: int
    external_id: str
    text: str
    labels: list[str]  # names
    spans: list[dict[str, Any]] | None  # labels by name
    explanation: str


@dataclass(frozen=True)
class Refused:
    line: int
    why: str
    excerpt: str


def read(raw: bytes) -> tuple[list[GoldLine], list[Refused]]:
    """Raises InvalidInput where the file as a whole is none of ours."""
    if len(raw) > MOST_BYTES:
        raise InvalidInput(_("The file is too large: gold items are few and chosen with care."), field="file")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            _("The file is not UTF-8 text. Save it as CSV (UTF-8) or JSON Lines."), field="file"
        ) from error
    if "\0" in text:
        raise InvalidInput(_("The file is not UTF-8 text. Save it as CSV (UTF-8) or JSON Lines."), field="file")
    rows = list(_objects(text) if text.lstrip().startswith("{") else _table(text))
    if not rows:
        raise InvalidInput(_("The file has no rows."), field="file")
    if len(rows) > MOST:
        raise InvalidInput(_("At most %(most)d gold items come in one file.") % {"most": MOST}, field="file")
    good, bad = [], []
    for line, row in rows:
        read_row = _row(line, row)
        if isinstance(read_row, GoldLine):
            good.append(read_row)
        else:
            bad.append(read_row)
    return good, bad


def _objects(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            yield number, line
            continue
        yield number, found if isinstance(found, dict) else line


def _table(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter)
    if not {plain(name or "") for name in reader.fieldnames or ()} & (KNOWN_NAMES | _EXPLANATION):
        raise InvalidInput(
            _("The first line names the columns: external_id or text, label, explanation."), field="file"
        )
    try:
        for row in reader:
            if any(cell for cell in row.values()):
                yield reader.line_num, row
    except csv.Error as error:
        raise InvalidInput(
            _("The table cannot be read from line %(line)d on.") % {"line": reader.line_num + 1}, field="file"
        ) from error


def _row(line: int, row: Mapping[str, Any] | str) -> GoldLine | Refused:
    if isinstance(row, str):
        return Refused(line, _("This line is not a JSON object."), row[:80])
    cells = {wanted: _cell(row, names) for wanted, names in _NAMES.items()}
    excerpt = _clean(str(cells["text"] or cells["external_id"] or ""))[:80]
    if any(said != _clean(said) for cell in cells.values() for said in _strings(cell)):
        return Refused(line, _("It holds a character that no text can have: NUL, or half of one."), excerpt)
    spans = _spans(cells["spans"])
    if not cells["external_id"] and not cells["text"]:
        return Refused(line, _("It names neither an id nor a text."), excerpt)
    if spans is None and cells["spans"]:
        return Refused(line, _("Its spans are no list of {start, end, label}."), excerpt)
    return GoldLine(
        line=line,
        external_id=str(cells["external_id"] or "").strip(),
        text=str(cells["text"] or "").replace("\r\n", "\n").replace("\r", "\n"),  # as items have it
        labels=_labels(cells["label"]),
        spans=spans,
        explanation=str(cells["explanation"] or "").strip()[:2_000],
    )


def _strings(cell: Any) -> Iterator[str]:
    if isinstance(cell, dict):
        cell = [*cell, *cell.values()]
    if isinstance(cell, list):
        for one in cell:
            yield from _strings(one)
    elif isinstance(cell, str):
        yield cell


def _clean(said: str) -> str:
    """Without what neither the database nor a page can hold."""
    return said.replace("\0", "").encode("utf-8", "replace").decode()


def _cell(row: Mapping[str, Any], names: set[str]) -> Any:
    for name, cell in row.items():
        if isinstance(name, str) and plain(name) in names and cell not in (None, ""):
            return cell
    return None


def _labels(cell: Any) -> list[str]:
    """The whole cell comes first, because a name may hold a separator."""
    if isinstance(cell, list):
        return [str(name).strip() for name in cell]
    return [str(cell).strip()] if cell is not None else []


def parted(names: list[str]) -> list[str]:
    """One cell as several names."""
    if len(names) != 1:
        return names
    separator = next((mark for mark in SEPARATORS if mark in names[0]), None)
    return [part.strip() for part in names[0].split(separator) if part.strip()] if separator else names


def _spans(cell: Any) -> list[dict[str, Any]] | None:
    if isinstance(cell, str):
        try:
            cell = json.loads(cell)
        except (ValueError, RecursionError):
            return None
    if not isinstance(cell, list) or not all(isinstance(span, dict) for span in cell):
        return None
    return cell
