"""doccano: JSON Lines. Texts with `label`, a list of names or of [start, end, name], or with `entities`.

Its offsets are those of the browser, UTF-16 code units: they differ from ours behind an emoji.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.formats.records import fields
from apps.content.formats.units import from_utf16, to_utf16
from apps.content.refusal import Rejected

_OURS = ("external_id", "split", "language", "subject", "thread", "url")
_ITS = ("id", "text", "data", "label", "labels", "entities", "relations", "Comments", "comments", "cats", "labelled")


def is_one(found: Any) -> bool:
    if not isinstance(found, dict) or not isinstance(found.get("text", found.get("data")), str):
        return False
    entities = found.get("entities")
    if isinstance(entities, list) and all(isinstance(one, dict) and "start_offset" in one for one in entities):
        return "relations" in found or bool(entities)
    comments = "Comments" in found or "comments" in found
    return isinstance(found.get("label"), list) and (comments or _triples(found["label"]))


def _triples(labels: list[Any]) -> bool:
    return bool(labels) and all(isinstance(one, list) and len(one) == 3 for one in labels)


def convert(row: Any) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise Rejected(_("This line is not a JSON object."))
    text = row.get("text", row.get("data"))
    if not isinstance(text, str):
        raise Rejected(_("This line has no “text”."))
    values = {name: row.get(name) for name in _OURS}
    values["external_id"] = values["external_id"] or row.get("id")
    meta = row["meta"] if isinstance(row.get("meta"), dict) else {}
    rest = {name: value for name, value in row.items() if name not in (*_OURS, *_ITS, "meta")}
    return fields(values | {"text": text, "meta": (meta | rest) or None}) | _truth(row, text)


def _truth(row: dict[str, Any], text: str) -> dict[str, Any]:
    """An empty list says nothing: doccano writes one for whatever nobody has looked at. Ours say `labelled` too."""
    given = row.get("entities", row.get("label", row.get("labels")))
    if isinstance(given, str | int):
        return {"labels": [given]}
    if not isinstance(given, list):
        return {}
    if not given:
        return {"labels": [], "spans": []} if row.get("labelled") is True else {}
    if all(isinstance(one, str | int) for one in given):
        return {"labels": given}
    return {"spans": [_span(one, text) for one in given]}


def _span(given: Any, text: str) -> dict[str, Any]:
    if isinstance(given, dict):
        start, end, label = given.get("start_offset"), given.get("end_offset"), given.get("label")
    elif isinstance(given, list) and len(given) == 3:
        start, end, label = given
    else:
        raise Rejected(_("A span is [start, end, label], or has start_offset, end_offset and label."))
    if not isinstance(start, int) or not isinstance(end, int):
        raise Rejected(_("The start and end of a span are whole numbers."))
    start, end = from_utf16(text, [start, end])
    return {"start": start, "end": end, "label": label}


# --- out -----------------------------------------------------------------------------------------------
def write(rows: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for row in rows:
        yield orjson.dumps(_line(row)) + b"\n"


def _line(row: Mapping[str, Any]) -> dict[str, Any]:
    text, spans, labels = row["text"], row.get("spans"), row.get("labels")
    line: dict[str, Any] = {"id": row["id"], "text": text, "label": labels or []}
    if spans is not None:
        line["label"] = [[to_utf16(text, span["start"]), to_utf16(text, span["end"]), span["label"]] for span in spans]
    line["labelled"] = spans is not None or labels is not None
    line |= {name: row[name] for name in _OURS if row.get(name)}
    return line | ({"meta": row["meta"]} if row.get("meta") else {}) | {"Comments": []}
