"""Rows of an uploaded file one after the other, in bounded memory, from any row boundary on.

Works on UTF-8 with LF line ends; anything else is transcoded once (`as_utf8`), so that a byte offset names a
place in the file for ever. The formats of other tools are converted once (`stage`) into lines of
[line, cells] or [line, problem, excerpt]. A bad row comes out as a Row with `problem`; it never ends the reading.
"""

import codecs
import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from django.utils.translation import gettext as _

from apps.content.detect import MAX_RECORD, Format
from apps.content.formats import records
from apps.content.formats.records import Record

_BLOCK = 1024 * 1024
_UNREADABLE = "\udcff"  # becomes a byte that is no UTF-8: the row that holds it will be rejected

csv.field_size_limit(MAX_RECORD)
codecs.register_error("marginalia-unreadable", lambda error: (_UNREADABLE, getattr(error, "end", 0)))


@dataclass(slots=True)
class Row:
    line: int  # where it begins, from 1
    end: int  # byte offset after it
    values: list[Any]
    problem: str = ""
    excerpt: str = ""


def needs_transcoding(format: Format) -> bool:
    return format.encoding != "utf-8" or format.carriage_returns


def as_utf8(source: Path, target: Path, format: Format) -> None:
    """Writes `target` whole or not at all."""
    decoder = codecs.getincrementaldecoder(format.encoding)(errors="marginalia-unreadable")
    building = target.with_suffix(".part")
    with source.open("rb") as raw, building.open("wb") as out:
        while True:
            block = raw.read(_BLOCK)
            text = decoder.decode(block, final=not block)
            if format.carriage_returns:
                text = text.replace("\r", "\n")
            out.write(text.encode("utf-8", "surrogateescape"))
            if not block:
                break
        out.flush()
        os.fsync(out.fileno())
    building.rename(target)


def stage(source: Path, target: Path, format: Format, alive: Callable[[], None]) -> None:
    """Writes `target` whole or not at all; `alive` is called now and then, and may end it by raising."""
    building = target.with_suffix(".part")
    with building.open("wb") as out:
        for number, record in enumerate(records(format.kind, source)):
            out.write(_staged_line(record, format))
            if number % 1000 == 0:
                alive()
        out.flush()
        os.fsync(out.fileno())
    building.rename(target)


def _staged_line(record: Record, format: Format) -> bytes:
    if not record.problem:
        cells = [record.values.get(column) for column in format.columns]
        try:
            line = orjson.dumps([record.line, cells], option=orjson.OPT_APPEND_NEWLINE)
        except TypeError:  # a number that JSON cannot hold
            line = b""
        if 0 < len(line) <= MAX_RECORD:
            return line
    text = record.values.get("text")
    beginning = record.excerpt or (text[:200] if isinstance(text, str) else "")
    problem = record.problem or _("This record is longer than a megabyte.")
    return orjson.dumps([record.line, problem, beginning[:200]], option=orjson.OPT_APPEND_NEWLINE)


def lines_before(path: Path, offset: int) -> int:
    count = 0
    with path.open("rb") as file:
        while offset > 0 and (block := file.read(min(offset, _BLOCK))):
            count += block.count(b"\n")
            offset -= len(block)
    return count


def count_lines(path: Path) -> int:
    """At most one more than there are; a cell with line ends inside counts for several."""
    return lines_before(path, path.stat().st_size) + 1


def rows(path: Path, format: Format, offset: int = 0) -> Iterator[Row]:
    """From `offset`, which is 0 or the `end` of an earlier row."""
    with path.open("rb") as file:
        lines = _Lines(file, offset, lines_before(path, offset))
        if offset == 0:
            _skip_mark(lines)
        if format.staged:
            yield from _staged(lines)
        else:
            yield from _objects(lines, format) if format.kind == "jsonl" else _records(lines, format, offset == 0)


class _TooLong(Exception):
    """One record is over MAX_RECORD."""


class _Lines:
    """Feeds csv.reader line by line and remembers where the present record began."""

    def __init__(self, file: BinaryIO, offset: int, line: int) -> None:
        self.file = file
        self.offset = offset
        self.line = line  # lines consumed so far
        self.bad = False  # the present record holds bytes that are no UTF-8
        self.ended = False
        self.gave_up_line = False  # the row given up last was one endless line
        self.next_record()
        file.seek(offset)

    def next_record(self) -> None:
        self.start, self.start_line = self.offset, self.line
        self.bad = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        raw = self.read()
        try:
            return raw.decode()
        except UnicodeDecodeError:
            self.bad = True
            return raw.decode("utf-8", "replace")

    def read(self) -> bytes:
        raw = self.file.readline(MAX_RECORD + 1)
        if not raw:
            self.ended = True
            raise StopIteration
        self.offset += len(raw)
        self.line += 1
        if self.offset - self.start > MAX_RECORD:
            raise _TooLong
        return raw

    def rewind_to_second_line(self) -> bytes:
        """After a record that could not be read: give up its first line alone. The beginning of that line."""
        self.file.seek(self.start)
        beginning = raw = self.file.readline(MAX_RECORD)
        length = len(raw)
        while raw and not raw.endswith(b"\n"):
            raw = self.file.readline(_BLOCK)
            length += len(raw)
        self.offset, self.line, self.ended = self.start + length, self.start_line + 1, False
        self.gave_up_line = length > MAX_RECORD
        return beginning[:1000]


def _skip_mark(lines: _Lines) -> None:
    if lines.file.read(3) != codecs.BOM_UTF8:
        lines.file.seek(0)
    lines.offset = lines.start = lines.file.tell()


def _excerpt(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").strip()


def _staged(lines: _Lines) -> Iterator[Row]:
    while True:
        lines.next_record()
        try:
            number, cells, *excerpt = orjson.loads(lines.read())
        except StopIteration:
            return
        if excerpt:
            yield Row(number, lines.offset, [], cells, excerpt[0])
        else:
            yield Row(number, lines.offset, cells)


def _objects(lines: _Lines, format: Format) -> Iterator[Row]:
    columns = format.columns
    while True:
        lines.next_record()
        number = lines.line + 1
        try:
            raw = lines.read()
        except StopIteration:
            return
        except _TooLong:
            beginning = lines.rewind_to_second_line()
            yield Row(number, lines.offset, [], _("This line is longer than a megabyte."), _excerpt(beginning))
            continue
        if raw.isspace():
            continue
        try:
            found = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            problem = _("This line is not valid JSON: %(error)s.") % {"error": str(error).split(":", 1)[0]}
            yield Row(number, lines.offset, [], problem, _excerpt(raw[:1000]))
            continue
        if not isinstance(found, dict):
            yield Row(number, lines.offset, [], _("This line is not a JSON object."), _excerpt(raw[:1000]))
            continue
        yield Row(number, lines.offset, [found.get(column) for column in columns])


def _records(lines: _Lines, format: Format, from_start: bool) -> Iterator[Row]:
    width = len(format.columns)
    headers = from_start and format.header
    may_be_named = from_start
    while not lines.ended:
        lines.next_record()
        reader = csv.reader(lines, delimiter=format.delimiter)
        try:
            for cells in reader:
                number, end = lines.start_line + 1, lines.offset
                if lines.line > number and _quote_left_open(lines):
                    raise _TooLong
                bad = lines.bad
                lines.next_record()
                if may_be_named:
                    may_be_named = False
                    if _names_delimiter(cells, format):
                        continue
                if not cells or (width > 1 and not any(cells)):
                    continue
                if headers:
                    headers = False
                    continue
                yield _row(number, end, cells, width, bad)
        except (_TooLong, csv.Error):
            number = lines.start_line + 1
            beginning = lines.rewind_to_second_line()
            yield Row(number, lines.offset, [], _problem_of(beginning, lines.gave_up_line), _excerpt(beginning))


def _names_delimiter(cells: list[str], format: Format) -> bool:
    """`sep=;` in the first line, the way spreadsheets write it."""
    said = format.delimiter.join(cells)
    return said.lower() == f"sep={format.delimiter}"


def _quote_left_open(lines: _Lines) -> bool:
    """The file ended inside a quoted cell: csv hands out the torn record without a word."""
    if not lines.ended:
        return False
    lines.file.seek(lines.start)
    record = lines.file.read()
    return record.count(b'"') % 2 == 1


def _problem_of(beginning: bytes, endless: bool) -> str:
    if endless:
        return _("This row is longer than a megabyte.")
    if b'"' in beginning:
        return _("A quote opened in this row is never closed.")
    return _("This row cannot be read.")


def _row(number: int, end: int, cells: list[str], width: int, bad: bool) -> Row:
    problem = ""
    if bad:
        problem = _("This row holds bytes that are not text in the file's encoding.")
    elif len(cells) != width:
        problem = _("This row has %(cells)d cells where the file has %(width)d columns.") % {
            "cells": len(cells),
            "width": width,
        }
    if problem:
        return Row(number, end, [], problem, " ".join(cells))
    return Row(number, end, cells)
