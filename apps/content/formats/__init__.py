"""The formats of other tools. Each module reads records and writes them; here they are known by name."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import orjson
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.content.formats import conll, doccano, fasttext, huggingface, labelstudio, prodigy, spacy
from apps.content.formats.records import Convert, Record, excerpt, json_lines, json_list
from apps.content.refusal import Rejected

# what a format with a shape of its own speaks of, whatever its first rows happen to hold
COLUMNS = (
    *("text", "external_id", "labels", "spans", "split", "language", "subject", "thread", "url"),
    *("prediction", "score", "meta"),
)
Row = Mapping[str, Any]


def _as_it_is(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise Rejected(str(_("This record is not a JSON object.")))
    return found


@dataclass(frozen=True)
class Kind:
    name: str | Promise
    convert: Convert = _as_it_is  # of one JSON value
    read: Callable[[BinaryIO], Iterator[Record]] | None = None  # of a file that is not JSON
    own_columns: bool = False  # the file names its columns itself
    counted: bool = False  # rejected rows are known by the number of the record, not of the line


KINDS: dict[str, Kind] = {
    "json": Kind(_("JSON list of objects"), own_columns=True, counted=True),
    "labelstudio": Kind("Label Studio", convert=labelstudio.convert, counted=True),
    "doccano": Kind("doccano", convert=doccano.convert),
    "prodigy": Kind("Prodigy", convert=prodigy.convert),
    "spacy": Kind("spaCy", convert=spacy.convert),
    "conll": Kind(_("CoNLL, tokens and tags"), read=conll.read),
    "fasttext": Kind("fastText", read=fasttext.read),
    "huggingface": Kind(_("Parquet, Hugging Face datasets"), own_columns=True, counted=True),
}


def records(kind: str, path: Path, most: int | None = None) -> Iterator[Record]:
    """Of a file in UTF-8, or of a Parquet file."""
    if kind == "huggingface":
        yield from huggingface.read(path) if most is None else huggingface.read(path, most)
        return
    with path.open("rb") as file:
        yield from islice(records_of(kind, file), most)


def records_of(kind: str, file: BinaryIO) -> Iterator[Record]:
    known = KINDS[kind]
    if known.read is not None:
        yield from known.read(file)
        return
    for number, found, wrong in json_list(file) if _begins_a_list(file, kind) else json_lines(file):
        yield wrong if wrong is not None else _converted(known, number, found)


def _converted(known: Kind, number: int, found: Any) -> Record:
    try:
        return Record(number, known.convert(found))
    except Rejected as reason:
        problem = str(reason)
    except (TypeError, ValueError, LookupError, AttributeError):  # a shape nobody thought of costs its record alone
        problem = gettext("This record is not built the way %(kind)s builds it.") % {"kind": known.name}
    return Record(number, problem=problem, excerpt=_shown(found))


def _shown(found: Any) -> str:
    try:
        return excerpt(orjson.dumps(found))
    except TypeError:  # nested deeper than can be written
        return ""


def _begins_a_list(file: BinaryIO, kind: str) -> bool:
    """One list over the whole file. A line of spaCy's training data is a list, too, but begins with its text."""
    start = file.read(64 * 1024).removeprefix(b"\xef\xbb\xbf").lstrip()
    file.seek(0)
    pairs = kind == "spacy" and start[1:].lstrip().startswith(b'"')
    return start.startswith(b"[") and not pairs


# --- out -----------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Target:
    name: str | Promise
    ending: str
    content_type: str
    kinds: frozenset[str]  # task kinds whose truths it can say
    note: str | Promise = ""


_ALL = frozenset({"single", "multi", "spans"})
_LINES = "application/x-ndjson"

TARGETS: dict[str, Target] = {
    "labelstudio": Target("Label Studio", "labelstudio.json", "application/json", _ALL),
    "doccano": Target("doccano", "doccano.jsonl", _LINES, _ALL, _("Offsets count UTF-16 units, as doccano does.")),
    "prodigy": Target("Prodigy", "prodigy.jsonl", _LINES, _ALL),
    "spacy": Target("spaCy", "spacy.jsonl", _LINES, _ALL, _("One document per line, for Doc.from_json.")),
    "huggingface": Target(
        _("Hugging Face datasets"), "parquet", "application/vnd.apache.parquet", _ALL, _("Parquet with its features.")
    ),
    "conll": Target(
        "CoNLL, IOB2",
        "conll",
        "text/plain; charset=utf-8",
        frozenset({"spans"}),
        _("Labelled texts only. A span that overlaps the one before it is left out and listed in a comment line."),
    ),
    "conll-bioes": Target(
        "CoNLL, BIOES",
        "bioes.conll",
        "text/plain; charset=utf-8",
        frozenset({"spans"}),
        _("The same with E for the end of a span and S for a single token."),
    ),
    "fasttext": Target(
        "fastText",
        "fasttext.txt",
        "text/plain; charset=utf-8",
        frozenset({"single", "multi"}),
        _("Texts with a label only, each on one line; ids and metadata have no place in it."),
    ),
}


def written(target: str, rows: Iterable[Row], labels: Sequence[str], task_kind: str) -> Iterator[bytes]:
    """`labels` are the project's label names. A row: id, text, external_id …, with `labels` or `spans` by name, or
    neither when nobody has labelled it."""
    writers: dict[str, Callable[[], Iterable[bytes | str]]] = {
        "labelstudio": partial(labelstudio.write, rows),
        "doccano": partial(doccano.write, rows),
        "prodigy": partial(prodigy.write, rows, labels),
        "spacy": partial(spacy.write, rows, labels),
        "huggingface": partial(huggingface.write, rows, labels, task_kind),
        "conll": partial(conll.write, rows, bioes=False),
        "conll-bioes": partial(conll.write, rows, bioes=True),
        "fasttext": partial(fasttext.write, rows),
    }
    for piece in writers[target]():
        yield piece.encode() if isinstance(piece, str) else piece
