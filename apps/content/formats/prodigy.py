"""Prodigy: JSON Lines with an `answer`. Only what was accepted is a truth; offsets count code points, as in Python."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.formats.records import fields
from apps.content.refusal import Rejected

_OURS = ("external_id", "split", "language", "subject", "thread", "url")


def is_one(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and isinstance(found.get("text"), str)
        and ("_input_hash" in found or found.get("answer") in ("accept", "reject", "ignore"))
    )


def convert(task: Any) -> dict[str, Any]:
    if not isinstance(task, dict) or not isinstance(task.get("text"), str):
        raise Rejected(_("This line has no “text”."))
    meta = task.get("meta") if isinstance(task.get("meta"), dict) else None
    values = {name: task.get(name) for name in _OURS} | {"text": task["text"], "meta": meta}
    return fields(values) | (_truth(task) if task.get("answer") == "accept" else {})


def _truth(task: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(task.get("accept"), list):
        found["labels"] = task["accept"]
    elif isinstance(task.get("cats"), dict):
        found["labels"] = [
            name for name, share in task["cats"].items() if isinstance(share, int | float) and share > 0.5
        ]
    elif isinstance(task.get("label"), str) and "spans" not in task:
        found["labels"] = [task["label"]]
    if isinstance(task.get("spans"), list):
        found["spans"] = [_span(one) for one in task["spans"]]
    return found


def _span(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise Rejected(_("A span has start, end and label."))
    return {name: given.get(name) for name in ("start", "end", "label")}


# --- out -----------------------------------------------------------------------------------------------
def write(rows: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> Iterator[bytes]:
    options = [{"id": name, "text": name} for name in labels]
    for row in rows:
        yield orjson.dumps(_task(row, options)) + b"\n"


def _task(row: Mapping[str, Any], options: list[dict[str, str]]) -> dict[str, Any]:
    task: dict[str, Any] = {"text": row["text"]} | {name: row[name] for name in _OURS if row.get(name)}
    if row.get("meta"):
        task["meta"] = row["meta"]
    if row.get("spans") is not None:
        spans = [{name: span[name] for name in ("start", "end", "label")} for span in row["spans"]]
        return task | {"spans": spans, "answer": "accept"}
    if row.get("labels") is not None:
        return task | {"options": options, "accept": row["labels"], "answer": "accept"}
    return task
