"""Several labels, or labelled spans, from the cell of a row. Pure, like checks.py.

Offsets count code points of the text as it stands in the row; they move with the text when its line ends become LF.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.refusal import Rejected

MOST_LABELS, MOST_SPANS, MOST_NAME = 100, 2_000, 120
SEPARATORS = "|;,"  # the first of these that a cell holds separates its labels
_RETURNS = re.compile(r"\r\n")


def labels_of(cell: Any) -> dict[str, Any] | None:
    """{"labels": [name …]}, each once, in the order given. None for an empty cell; an empty list says "none fits"."""
    found = _list(cell, _("The labels are neither a list nor names separated by “|”, “;” or “,”."), separated=True)
    if found is None:
        return None
    names = list(dict.fromkeys(_name(value) for value in found))
    if len(names) > MOST_LABELS:
        raise Rejected(
            _("A text may have %(most)d labels; this one has %(n)d.") % {"most": MOST_LABELS, "n": len(names)}
        )
    return {"labels": names}


def spans_of(cell: Any, raw: str, text: str, *, overlapping: bool = False) -> dict[str, Any] | None:
    """{"spans": [{"start", "end", "label", "quote"} …]} by place. `raw` is the text before its line ends became LF."""
    found = _list(cell, _("The spans are no list of {start, end, label} or [start, end, label]."))
    if found is None:
        return None
    if len(found) > MOST_SPANS:
        raise Rejected(_("A text may have %(most)d spans; this one has %(n)d.") % {"most": MOST_SPANS, "n": len(found)})
    returns = [match.start() for match in _RETURNS.finditer(raw)] if "\r" in raw else []
    spans = {
        (span["start"], span["end"], span["label"]): span
        for span in (_span(each, raw, text, returns) for each in found)
    }
    ordered = [spans[key] for key in sorted(spans)]
    for before, after in pairwise(ordered):
        if after["start"] < before["end"] and not overlapping:
            raise Rejected(
                _("The spans “%(a)s” and “%(b)s” overlap, which this project does not allow.")
                % {"a": before["quote"][:40], "b": after["quote"][:40]}
            )
    return {"spans": ordered}


def names_in(value: dict[str, Any] | None) -> list[str]:
    """The label names that a value speaks of."""
    if value is None:
        return []
    return value["labels"] if "labels" in value else [span["label"] for span in value["spans"]]


def _list(cell: Any, refusal: str, *, separated: bool = False) -> list[Any] | None:
    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return None
    if isinstance(cell, str):
        cell = _parsed(cell.strip(), separated)
    if not isinstance(cell, list):
        raise Rejected(refusal)
    return cell


def _parsed(cell: str, separated: bool) -> Any:
    if cell.startswith("["):
        try:
            return orjson.loads(cell)
        except orjson.JSONDecodeError:
            return None
    if not separated:
        return None
    separator = next((sign for sign in SEPARATORS if sign in cell), None)
    return [part for part in cell.split(separator) if part.strip()] if separator else [cell]


def _name(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise Rejected(_("A label is neither a string nor a whole number."))
    name = str(value).strip()
    if not name:
        raise Rejected(_("A label has no name."))
    if len(name) > MOST_NAME:
        raise Rejected(_("A label is longer than %(most)d characters.") % {"most": MOST_NAME})
    if "\x00" in name:
        raise Rejected(_("A label holds a NUL character."))
    return name


def _span(given: Any, raw: str, text: str, returns: Sequence[int]) -> dict[str, Any]:
    start, end, label, quote = _parts(given)
    if not 0 <= start < end <= len(raw):
        raise Rejected(
            _("The span %(start)d–%(end)d does not lie in the text, which has %(length)d characters.")
            % {"start": start, "end": end, "length": len(raw)}
        )
    start, end = _moved(start, returns), _moved(end, returns)
    if start == end:
        raise Rejected(_("A span holds nothing but half of a line end."))
    if quote is not None and quote.replace("\r\n", "\n").replace("\r", "\n") != text[start:end]:
        raise Rejected(
            _("The span %(start)d–%(end)d reads “%(found)s”, not “%(quote)s”. Offsets count characters, not bytes.")
            % {"start": start, "end": end, "found": text[start:end][:40], "quote": quote[:40]}
        )
    return {"start": start, "end": end, "label": _name(label), "quote": text[start:end]}


def _parts(given: Any) -> tuple[int, int, Any, str | None]:
    if isinstance(given, dict):
        start, end, label = (given.get(name) for name in ("start", "end", "label"))
        quote = given.get("quote", given.get("text"))
    elif isinstance(given, list) and len(given) in (3, 4):
        start, end, label, quote = (*given, None)[:4]
    else:
        raise Rejected(_("A span is {start, end, label} or [start, end, label]."))
    if not all(isinstance(place, int) and not isinstance(place, bool) for place in (start, end)):
        raise Rejected(_("The start and end of a span are whole numbers."))
    if quote is not None and not isinstance(quote, str):
        raise Rejected(_("The quote of a span is not a string."))
    return start, end, label, quote  # type: ignore[return-value]  # both were just looked at


def _moved(offset: int, returns: Sequence[int]) -> int:
    """Each CR LF before it has become one character."""
    return offset - sum(place < offset for place in returns)
