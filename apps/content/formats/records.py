"""What every reader gives: records by the names of our own fields. And how JSON is cut into them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import orjson
from django.utils.translation import gettext as _

MOST_BYTES = 8 * 1024 * 1024  # of one record as it stands in the file: a task may carry many people's answers
_BLOCK = 1024 * 1024
# a whole string, or a sign that opens, closes or separates; an open string at the end matches neither
_SIGN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},"]', re.DOTALL)
_SPACE = b" \t\r\n"


@dataclass(slots=True)
class Record:
    line: int  # of the file, or the number of the record where a line says nothing; from 1
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""
    excerpt: str = ""


Convert = Callable[[Any], dict[str, Any]]  # one decoded JSON value into fields of ours; raises Rejected


def excerpt(raw: bytes) -> str:
    return raw[:1000].decode("utf-8", "replace").strip()


def json_lines(file: BinaryIO) -> Iterator[tuple[int, Any, Record | None]]:
    """(line, decoded, None) or (line, None, what is wrong with it)."""
    number = 0
    while raw := file.readline(MOST_BYTES + 1):
        number += 1
        if len(raw) > MOST_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(_BLOCK)
            yield number, None, Record(number, problem=too_long())
        elif not raw.isspace():
            yield number, *_decoded(raw, number)


def json_list(file: BinaryIO) -> Iterator[tuple[int, Any, Record | None]]:
    """The elements of one JSON list, numbered from 1, never more than one of them in memory."""
    number = 0
    for raw, line in _elements(file):
        number += 1
        if isinstance(raw, str):
            yield number, None, Record(number, problem=raw)
            continue
        found, wrong = _decoded(raw, number)
        if wrong is not None:
            wrong.problem = _("Record %(number)d, from line %(line)d of the file, is not valid JSON.") % {
                "number": number,
                "line": line,
            }
        yield number, found, wrong


def _decoded(raw: bytes, number: int) -> tuple[Any, Record | None]:
    try:
        return orjson.loads(raw.removeprefix(b"\xef\xbb\xbf")), None
    except orjson.JSONDecodeError as error:
        problem = _("This line is not valid JSON: %(error)s.") % {"error": str(error).split(":", 1)[0]}
        return None, Record(number, problem=problem, excerpt=excerpt(raw))


def too_long() -> str:
    return _("This record is longer than %(most)d MB.") % {"most": MOST_BYTES // 1024**2}


def _elements(file: BinaryIO) -> Iterator[tuple[bytes | str, int]]:
    """Each element's bytes and the line it begins on. A string instead says why the list cannot be read further."""
    held, depth, line = bytearray(), 0, 1
    at = 0  # how far `held` has been looked through
    while True:
        block = file.read(_BLOCK)
        held += block
        done = 0  # up to here handed out
        for sign in _SIGN.finditer(held, at):
            if sign.group() == b'"':  # a string that goes on in the next block
                at = sign.start()
                break
            at = sign.end()
            mark = sign.group()
            if mark in b"[{":
                depth += 1
                if depth == 1:
                    line += held.count(b"\n", done, at)
                    done = at
            elif mark in b"]}":
                depth -= 1
            if (depth == 1 and mark == b",") or depth == 0:
                raw = bytes(held[done : sign.start()])
                if raw.strip(_SPACE):
                    yield raw, line + _blank_lines(raw)
                line += held.count(b"\n", done, at)
                done = at
            if depth <= 0:
                return
        else:
            at = len(held)
        del held[:done]
        at -= done
        if len(held) > MOST_BYTES:
            yield too_long() + " " + _("The list from line %(line)d on was not read.") % {"line": line}, line
            return
        if not block:
            line += held.rstrip(_SPACE).count(b"\n")
            yield _("The list that begins in this file never ends; line %(line)d is the last.") % {"line": line}, line
            return


def _blank_lines(raw: bytes) -> int:
    return raw[: len(raw) - len(raw.lstrip(_SPACE))].count(b"\n")


def fields(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is not said: an empty list is something said."""
    return {name: value for name, value in values.items() if value is not None and value != ""}
