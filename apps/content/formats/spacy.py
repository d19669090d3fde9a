"""spaCy as JSON: training data [text, {"entities": …, "cats": …}] and what Doc.to_json writes. Code points both."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.formats.records import fields
from apps.content.formats.tokens import tokens_of
from apps.content.refusal import Rejected

GROUP = "sc"  # where spaCy's span categoriser keeps spans that may overlap
_OURS = ("external_id", "split", "language", "subject", "thread", "url", "meta")


def is_one(found: Any) -> bool:
    if isinstance(found, list):
        return len(found) == 2 and isinstance(found[0], str) and isinstance(found[1], dict)
    if not isinstance(found, dict) or not isinstance(found.get("text"), str):
        return False
    groups = isinstance(found.get("spans"), dict)
    return groups or isinstance(found.get("ents"), list) or ("tokens" in found and isinstance(found.get("cats"), dict))


def convert(found: Any) -> dict[str, Any]:
    if isinstance(found, list) and len(found) == 2 and isinstance(found[0], str) and isinstance(found[1], dict):
        text, said = found
        spans = said.get("entities")
    elif isinstance(found, dict) and isinstance(found.get("text"), str):
        text, said = found["text"], found
        spans = _groups(said["spans"]) if isinstance(said.get("spans"), dict) else said.get("ents")
    else:
        raise Rejected(_("This is neither [text, {…}] nor a document of spaCy."))
    extra = said["_"] if isinstance(said.get("_"), dict) else {}
    values: dict[str, Any] = {name: extra.get(name) for name in _OURS} | {"text": text}
    if isinstance(spans, list):
        values["spans"] = [_span(one) for one in spans]
    cats = said.get("cats")
    if isinstance(cats, dict) and cats:
        values["labels"] = [name for name, share in cats.items() if isinstance(share, int | float) and share > 0.5]
    return fields(values)


def _groups(groups: dict[str, Any]) -> list[Any]:
    chosen = groups.get(GROUP, next(iter(groups.values()), []))
    return chosen if isinstance(chosen, list) else []


def _span(given: Any) -> dict[str, Any]:
    if isinstance(given, dict):
        return {name: given.get(name) for name in ("start", "end", "label")}
    if isinstance(given, list) and len(given) >= 3:
        return dict(zip(("start", "end", "label"), given, strict=False))
    raise Rejected(_("An entity is [start, end, label] or has start, end and label."))


# --- out -----------------------------------------------------------------------------------------------
def write(rows: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[bytes]:
    """One document per line, for Doc.from_json. Every span is made of whole tokens."""
    for row in rows:
        yield orjson.dumps(_document(row, labels)) + b"\n"


def _document(row: Mapping[str, Any], labels: Sequence[str]) -> dict[str, Any]:
    text, spans = row["text"], row.get("spans")
    edges = [edge for span in spans or [] for edge in (span["start"], span["end"])]
    document: dict[str, Any] = {"text": text}
    if spans is not None:
        plain = [{name: span[name] for name in ("start", "end", "label")} for span in spans]
        if _overlapping(plain):
            document["spans"] = {GROUP: plain}
        else:
            document["ents"] = plain
    if row.get("labels") is not None:
        chosen = set(row["labels"])
        document["cats"] = {name: float(name in chosen) for name in dict.fromkeys([*labels, *row["labels"]])}
    document["tokens"] = [
        {"id": number, "start": start, "end": end} for number, (start, end) in enumerate(tokens_of(text, edges))
    ]
    return document | {"_": {name: row[name] for name in _OURS if row.get(name)}}


def _overlapping(spans: Sequence[dict[str, Any]]) -> bool:
    end = 0
    for span in sorted(spans, key=lambda one: (int(one["start"]), int(one["end"]))):
        if span["start"] < end:
            return True
        end = span["end"]
    return False
