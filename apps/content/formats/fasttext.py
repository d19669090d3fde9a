"""fastText: `__label__a __label__b the text`, one line per text.

Its words end at spaces, so a space inside a label is written as a no-break space, which fastText takes for a letter.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

from django.utils.translation import gettext as _

from apps.content.formats.records import Record, excerpt

PREFIX = "__label__"
_MOST_LINE = 1024 * 1024


def looks_like(lines: list[str]) -> bool:
    said = [line for line in lines if line.strip()]
    return bool(said) and sum(line.startswith(PREFIX) for line in said) * 2 >= len(said)


def read(file: BinaryIO) -> Iterator[Record]:
    number = 0
    while raw := file.readline(_MOST_LINE + 1):
        number += 1
        if len(raw) > _MOST_LINE:
            while raw and not raw.endswith(b"\n"):
                raw = file.readline(_MOST_LINE)
            yield Record(number, problem=_("This line is longer than a megabyte."))
            continue
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r\n")
        except UnicodeDecodeError:
            problem = _("This row holds bytes that are not text in the file's encoding.")
            yield Record(number, problem=problem, excerpt=excerpt(raw))
            continue
        if line.strip():
            yield _record(number, line)


def _record(number: int, line: str) -> Record:
    labels, rest = [], line
    while rest.startswith(PREFIX):
        label, _space, rest = rest.partition(" ")
        labels.append(label.removeprefix(PREFIX).replace("\u00a0", " "))
    if not rest.strip():
        return Record(number, problem=_("This line has labels but no text."), excerpt=line[:200])
    if not all(labels):
        return Record(number, problem=_("A label has no name."), excerpt=line[:200])
    return Record(number, {"text": rest} | ({"labels": labels} if labels else {}))


def write(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Without a label a line would say that nobody has looked at the text: such rows stay out."""
    for row in rows:
        if row.get("labels"):
            labels = " ".join(PREFIX + "\u00a0".join(name.split()) for name in row["labels"])
            yield f"{labels} {' '.join(row['text'].splitlines())}\n"
