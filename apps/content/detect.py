"""What is in an uploaded file: encoding, format, delimiter, header, columns. Reads its first megabyte and no more.

Pure: a path in, a Format and a few rows out; a file that cannot be read is an Unreadable with one sentence.
"""

import codecs
import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO, StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.formats import COLUMNS, KINDS, huggingface, records, records_of
from apps.content.formats.records import Record
from apps.content.formats.sniff import sniff
from apps.content.guess import KNOWN_NAMES, plain
from apps.content.refusal import Unreadable

MAX_RECORD = 1024 * 1024  # bytes of one row; 25,000 code points are at most 100,000
SAMPLE = MAX_RECORD
ONE_COLUMN = "\x1f"  # a delimiter that no text holds
DELIMITERS = (",", "\t", ";", "|", "^", "~")
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32", "gb18030", "cp1252")
FORMATS = ("csv", "jsonl", *KINDS)
PREVIEW_ROWS = 20
PEEK = 1000  # records that name the columns of a file that has its own

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: it begins with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MAGIC = (b"\x1f\x8b", b"%PDF", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"7z\xbc\xaf", b"Rar!", b"SQLite format")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1e\x7f]")
_CJK = re.compile(r"[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Format:
    kind: str  # csv, jsonl, or a name of formats.KINDS
    encoding: str
    delimiter: str = ""
    header: bool = False
    carriage_returns: bool = False  # lines end with CR alone
    columns: tuple[str, ...] = ()

    @property
    def staged(self) -> bool:
        """Converted once, then read row by row."""
        return self.kind in KINDS

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"columns": list(self.columns)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Format":
        known = {name: stored[name] for name in cls.__dataclass_fields__ if name in stored}
        return cls(**known | {"columns": tuple(stored["columns"])})


@dataclass(frozen=True)
class Look:
    format: Format
    rows: list[list[Any]]  # the first ones, in the order of format.columns


def look_at(
    path: Path,
    *,
    kind: str = "",
    encoding: str = "",
    delimiter: str = "",
    header: bool | None = None,
    rows: int = PREVIEW_ROWS,
) -> Look:
    """Detects what the caller does not say."""
    with path.open("rb") as file:
        sample = file.read(SAMPLE)
    whole = path.stat().st_size <= SAMPLE
    if not sample.strip():
        raise Unreadable(_("The file is empty."))
    if kind == "huggingface" or (not kind and huggingface.is_one(sample)):
        found = list(records("huggingface", path, PEEK))
        return _look_at_records(found, Format(kind="huggingface", encoding="utf-8"), rows)
    encoding = encoding or detect_encoding(sample)
    text = decode_sample(sample, encoding, whole=whole)
    if not text.strip():
        raise Unreadable(_("The file is empty."))
    carriage_returns = "\n" not in text and "\r" in text
    if carriage_returns:
        text = text.replace("\r", "\n")
    guess = Format(kind="csv", encoding=encoding, carriage_returns=carriage_returns)
    said = kind or ("" if delimiter else sniff(text))
    if said in KINDS:
        return _look_at_records(_peeked(said, text, whole), replace(guess, kind=said), rows)
    if not whole:
        text = _whole_lines(text)
    if kind == "jsonl" or (not kind and not delimiter and _is_jsonl(text)):
        return _look_at_jsonl(text, replace(guess, kind="jsonl"), rows)
    return _look_at_csv(text, replace(guess, delimiter=delimiter), header, rows)


def detect_encoding(sample: bytes) -> str:
    for bom, encoding in _BOMS:
        if sample.startswith(bom):
            return encoding
    if sample.startswith(b"PK\x03\x04"):
        raise Unreadable(_("This is a workbook or an archive. Save the table as CSV (UTF-8) and upload that."))
    if sample.startswith(_MAGIC):
        raise Unreadable(_("This is not a text file. Upload CSV, TSV or JSON Lines."))
    if b"\x00" in sample and (wide := _wide(sample)):
        return wide
    return _narrow(sample)


def _wide(sample: bytes) -> str:
    """UTF-16 without a mark: ASCII, at least the line ends, leaves zeros on one side of each pair."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    encoding = "utf-16-le" if odd > even else "utf-16-be"
    if max(even, odd) < 8 * min(even, odd) or max(even, odd) * 1000 < len(sample):
        return ""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return ""
    return "" if _looks_binary(text) else encoding


def _narrow(sample: bytes) -> str:
    utf8, errors = _tolerantly(sample, "utf-8")
    if errors == 0 or sum(not char.isascii() for char in utf8) > 20 * errors:
        return "utf-8"  # a few bad bytes cost their rows, not the file
    chinese, misread = _tolerantly(sample, "gb18030")
    beyond = sum(not char.isascii() for char in chinese) or 1
    if misread * 200 <= beyond and len(_CJK.findall(chinese)) > 0.8 * beyond:
        return "gb18030"
    if _tolerantly(sample, "cp1252")[1] == 0:
        return "cp1252"
    return "utf-8"


def _tolerantly(sample: bytes, encoding: str) -> tuple[str, int]:
    """The text and how many places did not decode; a character cut at the end of the sample is none."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample)
    return text, text.count("\ufffd")


def _looks_binary(text: str) -> bool:
    return len(_CONTROL.findall(text)) > 0.01 * len(text)


def decode_sample(sample: bytes, encoding: str, *, whole: bool = True) -> str:
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample, final=whole)
    if _looks_binary(text) or text.count("\ufffd") > 0.1 * len(text):
        raise Unreadable(_("This is not a text file. Upload CSV, TSV or JSON Lines."))
    return text.removeprefix("\ufeff")


def _whole_lines(text: str) -> str:
    end = text.rfind("\n")
    if end < 0:
        raise Unreadable(
            _("The first line is longer than a megabyte. A table has one row per line; is this another kind of file?")
        )
    return text[: end + 1]


def _peeked(kind: str, text: str, whole: bool) -> list[Record]:
    found = list(islice(records_of(kind, BytesIO(text.encode("utf-8", "replace"))), PEEK))
    if not whole and len(found) < PEEK:
        found = found[:-1]  # the sample cut it
        if not found:
            raise Unreadable(_("The first record is longer than a megabyte."))
    return found


def _look_at_records(found: Sequence[Record], guess: Format, wanted: int) -> Look:
    good = [record.values for record in found if not record.problem]
    if not found:
        raise Unreadable(_("No rows were found in the file."))
    if not good:
        raise Unreadable(
            _("Nothing in the file could be read as %(kind)s. Line %(line)d: %(problem)s")
            % {"kind": KINDS[guess.kind].name, "line": found[0].line, "problem": found[0].problem}
        )
    own = KINDS[guess.kind].own_columns
    columns = tuple(dict.fromkeys(name for values in good for name in values)) if own else COLUMNS
    rows = [[values.get(column) for column in columns] for values in good[:wanted]]
    return Look(replace(guess, columns=columns), rows)


def _is_jsonl(text: str) -> bool:
    lines = [line for line in text.split("\n", 60)[:60] if line.strip()][:20]
    first = lines[0].lstrip()
    if first.strip() == "{":
        raise Unreadable(_("This is one JSON document. Write one object per line (JSON Lines) and upload that."))
    objects = sum(isinstance(_json(line), dict) for line in lines)
    return objects * 2 > len(lines)


def _json(line: str) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _look_at_jsonl(text: str, guess: Format, wanted: int) -> Look:
    objects = [found for line in text.split("\n", 1000)[:1000] if isinstance(found := _json(line), dict)]
    columns = tuple(dict.fromkeys(key for found in objects for key in found))
    rows = [[found.get(column) for column in columns] for found in objects[:wanted]]
    return Look(replace(guess, columns=columns), rows)


def _look_at_csv(text: str, guess: Format, header: bool | None, wanted: int) -> Look:
    first, *rest = text.split("\n", 1)
    named = _SEPARATOR_LINE.match(first)
    if named and rest:  # a habit of spreadsheets: the first line says which delimiter follows
        text = rest[0]
    delimiter = guess.delimiter or (named.group(1) if named else detect_delimiter(text))
    rows = _records(text, delimiter, max(wanted, 100) + 1)
    if not rows:
        raise Unreadable(_("No rows were found in the file."))
    if header is None:
        header = looks_like_header(rows)
    width = len(rows[0])
    names = rows[0] if header else [_("Column %(number)d") % {"number": place + 1} for place in range(width)]
    shown = rows[1 if header else 0 :][:wanted]
    return Look(replace(guess, delimiter=delimiter, header=header, columns=distinct(names)), [*shown])


def _records(text: str, delimiter: str, most: int) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(StringIO(text, newline=""), delimiter=delimiter):
            if any(cell.strip() for cell in row):
                rows.append(row)
            if len(rows) == most:
                break
    except csv.Error:  # a cell over the limit or a stray CR: what was read so far is enough to judge by
        pass
    return rows


def detect_delimiter(text: str) -> str:
    """The one under which most rows have the same number of cells, and more than one."""
    best, best_score = ONE_COLUMN, 0.0
    for delimiter in DELIMITERS:
        if delimiter not in text:
            continue
        rows = _records(text, delimiter, 200)
        cells, agreeing = Counter(len(row) for row in rows).most_common(1)[0] if rows else (1, 0)
        if cells < 2 or agreeing < 0.7 * len(rows):
            continue
        score = agreeing / len(rows) + min(cells, 20) * 0.001 + (len(rows[0]) == cells) * 0.2
        if score > best_score:
            best, best_score = delimiter, score
    return best


def looks_like_header(rows: Sequence[Sequence[str]]) -> bool:
    first, below = [cell.strip() for cell in rows[0]], rows[1:]
    if any(plain(cell) in KNOWN_NAMES for cell in first):
        return True
    if not all(first) or len(set(first)) < len(first) or any(_number(cell) or len(cell) > 60 for cell in first):
        return False
    if not below:
        return False
    columns = list(zip(*(row for row in below if len(row) == len(first)), strict=True))
    if any(name in column for name, column in zip(first, columns, strict=False)):
        return False  # a value that comes again is no name
    return any(
        all(_number(cell) for cell in column) or sum(map(len, column)) / len(column) > 2 * len(name) + 4
        for name, column in zip(first, columns, strict=False)
    )


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def distinct(names: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    made = []
    for place, name in enumerate(names, start=1):
        clean = name.strip().replace("\x00", "")[:120] or _("Column %(number)d") % {"number": place}
        seen[clean] += 1
        made.append(clean if seen[clean] == 1 else f"{clean} ({seen[clean]})")
    return tuple(made)
