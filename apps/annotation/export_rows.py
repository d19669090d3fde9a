"""The lines of our own export as rows for the formats of other tools: truths and answers by label name."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import Any

import orjson
from django.utils.translation import gettext as _

from apps.content.formats import TARGETS, written
from apps.projects.models import Project

Json = dict[str, Any]


def why_not(target: str, task_kind: str) -> str:
    """The sentence that says why this format cannot carry this project's truths; empty when it can."""
    if target not in TARGETS or task_kind in TARGETS[target].kinds:
        missing = target == "huggingface" and find_spec("pyarrow") is None
        return _("Parquet is written with pyarrow, which is not installed on this server.") if missing else ""
    if task_kind == Project.TaskKind.ENGAGEMENT:
        return _("It has no place for clicks.")
    if task_kind == Project.TaskKind.SPANS:
        return _("It says labels of whole texts only; this project marks spans.")
    return _("It says spans only; this project labels whole texts.")


def in_the_shape_of(target: str, task_kind: str, names: Mapping[int, str], lines: Iterable[bytes]) -> Iterator[bytes]:
    """`names` of the project's labels: nothing may be asked of a connection that is busy with the lines."""
    rows = (row_of(orjson.loads(line), task_kind, names) for line in lines)
    return written(target, rows, list(names.values()), task_kind)


def row_of(line: Json, task_kind: str, names: Mapping[int, str]) -> Json:
    line["how"] = line["truth"]["how"] if line.get("truth") else ""
    if task_kind == Project.TaskKind.SINGLE:
        line["labels"] = None if line["label"] is None else [line["label"]]
    line["answers"] = [_named(said, names) for said in _newest(line.get("annotations") or [])]
    line["predictions"] = [_named(said, names) | said for said in line.get("predictions") or []]
    return line


def _newest(annotations: Iterable[Json]) -> list[Json]:
    """One answer per person: the last revision, unless it takes the answer back or leaves it open."""
    last = {said["by"]: said for said in annotations}
    return [said for said in last.values() if not said["retracted"] and (said["label"] is not None or said["value"])]


def _named(said: Json, names: Mapping[int, str]) -> Json:
    value = said["value"] or {}
    if "spans" in value:
        spans = [span | {"label": names.get(span["label"], "")} for span in value["spans"]]
        return {"spans": spans, "seconds": said.get("seconds")}
    labels = [names.get(label, "") for label in value["labels"]] if "labels" in value else [said["label"]]
    return {"labels": labels, "seconds": said.get("seconds")}
