"""Parquet as `datasets` writes it: the schema's metadata say which integers are names of classes."""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import orjson
from django.utils.translation import gettext as _

from apps.content.formats.records import MOST_BYTES, Record, too_long
from apps.content.formats.tokens import found_in, joined, spans_from_tags
from apps.content.refusal import Rejected, Unreadable

_CHILD = Path(__file__).with_name("parquet_child.py")
_TOKENS = ("tokens", "words")
_TAGS = ("ner_tags", "tags", "ner", "labels", "ner_tags_names")
_ENDLESS = 1 << 62


def is_one(beginning: bytes) -> bool:
    return beginning.startswith(b"PAR1")


@contextmanager
def _rows(path: Path, most: int) -> Iterator[IO[bytes]]:
    """From a process with its own limits of memory and time: a file can unpack to anything."""
    with subprocess.Popen(
        [sys.executable, "-I", str(_CHILD), str(path), str(most)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"ARROW_DEFAULT_MEMORY_POOL": "system", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    ) as child:
        try:
            yield cast(IO[bytes], child.stdout)
        finally:
            child.kill()


def read(path: Path, most: int = _ENDLESS) -> Iterator[Record]:
    with _rows(path, most) as lines:
        head = _said(lines.readline(MOST_BYTES))
        if head is None:
            raise Unreadable(_said_of({"error": "memory"}))
        features = head["features"] if isinstance(head["features"], dict) else {}
        kinds = [(name, features.get(name)) for name in head["columns"]]
        count = 0
        while line := lines.readline(MOST_BYTES):
            count += 1
            yield _record(count, kinds, _said(line))
        if count < min(most, head["rows"]):
            raise Unreadable(_said_of({"error": "memory"}))


def _record(number: int, kinds: Sequence[tuple[str, Any]], cells: Any) -> Record:
    if cells is None:
        return Record(number, problem=too_long())
    try:
        return Record(number, _values(kinds, cells))
    except Rejected as reason:
        problem = str(reason)
    except (TypeError, ValueError, LookupError, AttributeError):  # features that do not describe what is there
        problem = _("This record is not built the way its features say.")
    return Record(number, problem=problem)


def _said(line: bytes) -> Any:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Unreadable(_said_of({"error": "memory"})) from None
    if isinstance(found, dict) and "error" in found:
        raise Unreadable(_said_of(found))
    return found


def _said_of(error: dict[str, Any]) -> str:
    match error["error"]:
        case "missing":
            return _("Parquet is read with pyarrow, which is not installed on this server.")
        case "columns":
            return _("The file has more than %(most)d columns.") % {"most": error["most"]}
        case "group":
            return _(
                "Row group %(number)d of the file is larger than %(most)d MB unpacked. Write it with smaller ones."
            ) % {"number": error["number"], "most": error["most"]}
        case "ratio":
            return _("Unpacked, the file would be out of all proportion to its size.")
        case "memory":
            return _("Reading this Parquet file takes more memory or time than is allowed. Write smaller row groups.")
    return _("This Parquet file cannot be read: %(why)s") % {"why": error.get("why", "")}


# --- cells ---------------------------------------------------------------------------------------------
def _values(kinds: Sequence[tuple[str, Any]], cells: Sequence[Any]) -> dict[str, Any]:
    values = {name: _named(cell, kind) for (name, kind), cell in zip(kinds, cells, strict=True)}
    if isinstance(values.get("meta"), str) and values["meta"].startswith("{"):
        with suppress(orjson.JSONDecodeError):
            values["meta"] = orjson.loads(values["meta"])
    return _with_tags(values)


def _named(cell: Any, kind: Any) -> Any:
    """Class numbers become names, all the way down."""
    if isinstance(kind, dict) and kind.get("_type") == "ClassLabel":
        names = kind.get("names") or []
        return names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else None
    within = kind.get("feature") if isinstance(kind, dict) else kind[0] if isinstance(kind, list) and kind else None
    if isinstance(cell, list):
        return cell if within is None else [_named(one, within) for one in cell]
    if isinstance(cell, dict) and isinstance(within, dict):  # a sequence of structs, stored as a struct of sequences
        named = {name: _named(value, [within.get(name)]) for name, value in cell.items()}
        return [dict(zip(named, row, strict=False)) for row in zip(*named.values(), strict=False)]
    if isinstance(cell, dict) and isinstance(kind, dict):
        return {name: _named(value, kind.get(name)) for name, value in cell.items()}
    return cell


def _with_tags(values: dict[str, Any]) -> dict[str, Any]:
    """Tokens and their tags become a text with spans."""
    words = next((values[name] for name in _TOKENS if _strings(values.get(name))), None)
    tags = next((values[name] for name in _TAGS if _strings(values.get(name))), None)
    if words is None or tags is None or len(words) != len(tags) or not all(words):
        return values
    text = values.get("text")
    places = found_in(text, words) if isinstance(text, str) else None
    if places is None:
        text, places = joined(words)
    try:
        spans = spans_from_tags(places, tags)
    except ValueError as wrong:
        tag = tags[wrong.args[0]]
        raise Rejected(_("“%(tag)s” is no tag: O, or B-, I-, E- or S- with a label.") % {"tag": tag[:40]}) from None
    rest = {name: value for name, value in values.items() if value is not words and value is not tags}
    return {"text": text, "spans": spans} | {name: value for name, value in rest.items() if name != "text"}


def _strings(cell: Any) -> bool:
    return isinstance(cell, list) and bool(cell) and all(isinstance(one, str) for one in cell)


# --- out -----------------------------------------------------------------------------------------------
ROWS = 2_000  # of one row group
_SAID = ("external_id", "text", "split", "language", "subject", "thread", "url", "meta")


class _Pipe:
    """A file for pyarrow that hands on what is written to it."""

    def __init__(self) -> None:
        self.blocks: list[bytes] = []
        self.closed = False

    def write(self, block: Any) -> int:
        self.blocks.append(bytes(block))
        return len(self.blocks[-1])

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def taken(self) -> bytes:
        whole, self.blocks = b"".join(self.blocks), []
        return whole


def write(rows: Iterable[Mapping[str, Any]], labels: Sequence[str], task_kind: str) -> Iterator[bytes]:
    """One row group after the other, so that a row group is all that is ever in memory."""
    import pyarrow
    import pyarrow.parquet

    schema = _schema(labels, task_kind)
    number = {name: place for place, name in enumerate(labels)}
    pipe = _Pipe()
    with pyarrow.parquet.ParquetWriter(pipe, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append(_cells(row, number, task_kind))
            if len(group) == ROWS:
                writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
                group = []
                yield pipe.taken()
        if group:
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))
    yield pipe.taken()


def _schema(labels: Sequence[str], task_kind: str) -> Any:
    import pyarrow

    text, whole = pyarrow.string(), pyarrow.int64()
    said: dict[str, Any] = {"dtype": "string", "_type": "Value"}
    place = {"dtype": "int64", "_type": "Value"}
    named = {"names": list(labels), "_type": "ClassLabel"}
    span = [("start", whole), ("end", whole), ("label", whole), ("quote", text)]
    truth: dict[str, tuple[str, Any, Any]] = {
        "single": ("label", whole, named),
        "multi": ("labels", pyarrow.list_(whole), {"feature": named, "_type": "Sequence"}),
        "spans": (
            "spans",
            pyarrow.list_(pyarrow.struct(span)),
            [{"start": place, "end": place, "label": named, "quote": said}],
        ),
    }
    name, kind, feature = truth[task_kind]
    columns = [*((each, text) for each in _SAID), (name, kind)]
    about = {"info": {"features": dict.fromkeys(_SAID, said) | {name: feature}}}
    return pyarrow.schema(columns, metadata={"huggingface": orjson.dumps(about).decode()})


def _cells(row: Mapping[str, Any], number: Mapping[str, int], task_kind: str) -> dict[str, Any]:
    cells: dict[str, Any] = {name: row.get(name) for name in _SAID}
    cells["meta"] = orjson.dumps(row["meta"]).decode() if row.get("meta") else None
    labels, spans = row.get("labels"), row.get("spans")
    if task_kind == "single":
        cells["label"] = number[labels[0]] if labels else None
    elif task_kind == "multi":
        cells["labels"] = None if labels is None else [number[name] for name in labels]
    else:
        cells["spans"] = (
            None
            if spans is None
            else [
                {
                    **{"start": span["start"], "end": span["end"], "label": number[span["label"]]},
                    "quote": row["text"][span["start"] : span["end"]],
                }
                for span in spans
            ]
        )
    return cells
