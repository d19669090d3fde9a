"""Files as they come from other people's hands: odd shapes, other encodings, traps. A bad record costs itself alone."""

import copy
import random
import stat
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.content.checks import Checker
from apps.content.detect import look_at
from apps.content.formats import COLUMNS, archives, huggingface, parquet_child, records
from apps.content.formats.records import Record
from apps.content.reader import as_utf8, needs_transcoding, rows, stage
from apps.content.refusal import Rejected, Unreadable

GOOD: dict[str, Any] = {
    "labelstudio": {
        "id": 7,
        "data": {"text": "In New York 😀", "meta": {"a": 1}},
        "annotations": [
            {"result": [{"type": "labels", "value": {"start": 3, "end": 11, "text": "New York", "labels": ["place"]}}]},
            {"result": [{"type": "choices", "value": {"choices": ["x"]}}], "was_cancelled": False},
        ],
        "predictions": [{"score": 0.5, "result": [{"value": {"choices": ["x"]}}]}],
    },
    "doccano": {"id": 7, "text": "In New York 😀", "label": [[3, 11, "place"]], "meta": {"a": 1}, "Comments": []},
    "prodigy": {
        "text": "In New York 😀",
        "spans": [{"start": 3, "end": 11, "label": "place"}],
        "meta": {"a": 1},
        "cats": {"x": 1.0},
        "answer": "accept",
    },
    "spacy": {
        "text": "In New York 😀",
        "ents": [{"start": 3, "end": 11, "label": "place"}],
        "cats": {"x": 1.0},
        "tokens": [],
        "_": {"external_id": "7", "meta": {"a": 1}},
    },
    "json": {"text": "In New York 😀", "labels": ["x"], "spans": [[3, 11, "place"]]},
}


@pytest.mark.parametrize(
    ("kind", "odd"),
    [
        ("labelstudio", {"data": {"text": "a"}, "annotations": 7}),
        ("labelstudio", {"data": {"text": "a"}, "annotations": [{"result": [{"value": {"choices": [["a", "b"]]}}]}]}),
        ("labelstudio", {"data": {"text": "a"}, "annotations": [], "predictions": 7}),
        ("labelstudio", {"data": {"text": "a"}, "annotations": [], "predictions": [{"result": [{"value": "x"}]}]}),
        ("labelstudio", {"data": {"text": "a"}, "annotations": [], "predictions": [{"result": 7}]}),
        ("doccano", {"text": "a", "label": [[0, 10**18, "x"], 7]}),
        ("prodigy", {"text": "a", "spans": [7], "answer": "accept"}),
        ("spacy", {"text": "a", "ents": [[0]], "tokens": []}),
    ],
)
def test_a_shape_that_nobody_thought_of_costs_its_record_alone(tmp_path: Path, kind: str, odd: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(orjson.dumps([GOOD[kind], odd, GOOD[kind]]))
    first, second, third = records(kind, path)
    assert second.problem
    assert second.excerpt
    assert not first.problem
    assert first.values == third.values


def test_a_record_that_is_nested_too_deep_to_be_shown_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b'{"text": "good"}\n{"data": ' + b"[" * 400 + b"]" * 400 + b"}\n")
    good, deep = records("prodigy", path)
    assert not good.problem
    assert "no “text”" in deep.problem


ODD: list[Any] = [None, True, 0, -1, 3.5, 10**18, "", "x", "\u0000", [], [[]], [None], {}, {"a": []}, [1, 2, 3], ["x"]]


def _places(found: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    inside = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in inside:
        yield from _places(value, (*way, key))


def _with(found: Any, way: tuple[Any, ...], new: Any) -> Any:
    if not way:
        return new
    made = copy.deepcopy(found)
    inside = made
    for key in way[:-1]:
        inside = inside[key]
    inside[way[-1]] = new
    return made


@pytest.mark.parametrize("kind", list(GOOD))
def test_whatever_stands_in_a_record_becomes_a_row_or_a_sentence(tmp_path: Path, kind: str) -> None:
    """Each value of a good record replaced by each odd one, two at a time: through the reader, the staging and the checks."""
    dice = random.Random(3)
    good = GOOD[kind]
    bad = [_with(good, way, new) for way in _places(good) for new in ODD]
    bad += [_with(one, way, dice.choice(ODD)) for one in bad[::5] for way in [dice.choice(list(_places(one)))]]
    path = tmp_path / "file"
    path.write_bytes(orjson.dumps([*bad, good]))
    columns = ("text", "labels", "spans") if kind == "json" else COLUMNS
    format = SimpleNamespace(kind=kind, columns=columns, staged=True)
    stage(path, tmp_path / "staged", format, lambda: None)  # type: ignore[arg-type]
    mapping = {name: name for name in columns if name != "meta"} | {"meta": ["meta"]}
    taken = 0
    for truth in ("labels", "spans"):
        own = {name: column for name, column in mapping.items() if name not in {"labels", "spans"} - {truth}}
        checker = Checker(columns, own, overlapping=True)
        staged = list(rows(tmp_path / "staged", format))  # type: ignore[arg-type]
        assert len(staged) == len(bad) + 1
        for row in staged:
            if row.problem:
                continue
            with suppress(Rejected):
                checker.candidate(row.line, row.values)
                taken += 1
        assert not staged[-1].problem
    assert taken > len(bad) / 3


# --- encodings ----------------------------------------------------------------------------------------

TEXTS = {
    "csv": "编号,文本,标签\n1,银行卡还没有到,卡\n2,汇率是多少,“汇率”\n3,“引号”，逗号,卡\n",
    "jsonl": '{"text": "银行卡还没有到", "label": "卡"}\n{"text": "汇率是多少", "label": "汇率"}\n',
    "json": '[\n{"text": "银行卡还没有到", "label": "卡"},\n{"text": "汇率是多少", "label": "汇率"}\n]\n',
    "doccano": '{"text": "银行卡还没有到", "label": [[0, 3, "物"]], "Comments": []}\n' * 3,
    "prodigy": '{"text": "银行卡还没有到", "spans": [{"start": 0, "end": 3, "label": "物"}], "answer": "accept"}\n' * 3,
    "spacy": '["银行卡还没有到", {"entities": [[0, 3, "物"]]}]\n' * 3,
    "labelstudio": '[{"data": {"text": "银行卡还没有到"},\n "annotations": []},\n {"data": {"text": "汇率"}, "annotations": []}]',
    "conll": "银\tB-物\n行\tI-物\n卡\tI-物\n还\tO\n没\tO\n有\tO\n到\tO\n\n汇\tO\n率\tO\n\n",
    "fasttext": "__label__卡 银行卡还没有到\n__label__汇率 汇率是多少\n",
}


def _read(path: Path, folder: Path) -> tuple[str, list[tuple[int, Any]]]:
    format = look_at(path).format
    if needs_transcoding(format):
        as_utf8(path, folder / "utf8", format)
        path = folder / "utf8"
    if format.staged:
        stage(path, folder / "staged", format, lambda: None)
        path = folder / "staged"
    found = list(rows(path, format))
    assert not [row.problem for row in found if row.problem]
    return format.kind, [(row.line, row.values) for row in found]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("kind", list(TEXTS))
def test_every_format_may_come_in_every_encoding_with_every_line_end(
    tmp_path: Path, kind: str, encoding: str, line_end: str
) -> None:
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.write_bytes(TEXTS[kind].encode())
    other.write_bytes(TEXTS[kind].replace("\n", line_end).encode(encoding))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    expected = _read(plain, tmp_path / "a")
    assert expected[0] == kind
    assert len(expected[1]) >= 2
    assert _read(other, tmp_path / "b") == expected


# --- archives and Parquet -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["../../evil.csv", "/etc/evil.csv", "..\\evil.csv", "C:\\evil.csv", "a/../../evil.csv"]
)
def test_a_name_in_an_archive_leads_nowhere(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), "text\nhello\n")
    archives.unpack(tmp_path / "zip", folder / "out", 10**6)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == {
        "zip",
        "deep/down/out",
    }
    assert (folder / "out").read_bytes() == b"text\nhello\n"


def test_a_link_in_an_archive_is_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("data.csv")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(Unreadable, match="link instead of a file"):
        archives.unpack(tmp_path / "zip", tmp_path / "out", 10**6)
    assert not (tmp_path / "out").exists()


def _about(*groups: tuple[int, int], columns: int = 1) -> Any:
    """(packed, unpacked) bytes of each row group, as a file's metadata say them."""

    def group(at: int) -> Any:
        packed, unpacked = groups[at]
        return SimpleNamespace(
            total_byte_size=unpacked, num_columns=1, column=lambda _n: SimpleNamespace(total_compressed_size=packed)
        )

    return SimpleNamespace(num_columns=columns, num_row_groups=len(groups), row_group=group)


def test_row_groups_that_would_not_fit_are_refused_by_their_number() -> None:
    mb = 1024**2
    assert parquet_child.too_much(_about((300 * mb, 500 * mb), (300 * mb, 500 * mb))) is None
    refusal = parquet_child.too_much(_about((mb, 2 * mb), (300 * mb, 600 * mb)))
    assert refusal == {"error": "group", "number": 2, "most": 512}
    assert "Row group 2" in huggingface._said_of(refusal)
    bomb = parquet_child.too_much(_about(*[(100, 50 * mb)] * 4))
    assert bomb is not None
    assert bomb["error"] == "ratio"


def _parquet(path: Path, table: Any, features: Any = None) -> list[Record]:
    made = pa.table(table)
    if features is not None:
        made = made.replace_schema_metadata({"huggingface": orjson.dumps({"info": {"features": features}})})
    pq.write_table(made, path)
    return list(records("huggingface", path))


def test_a_row_that_is_too_long_costs_itself_alone(tmp_path: Path) -> None:
    long = random.Random(1).randbytes(5_000_000).hex()
    first, second, third = _parquet(tmp_path / "long", {"text": ["one", long, "three"]})
    assert (first.values["text"], third.values["text"]) == ("one", "three")
    assert (second.line, "longer than 8 MB" in second.problem) == (2, True)


@pytest.mark.parametrize(
    "features",
    [7, [], {"label": 7}, {"label": {"_type": "ClassLabel", "names": {"a": 1}}}, {"label": [{"_type": "ClassLabel"}]}],
)
def test_features_that_describe_something_else_end_in_rows_or_sentences(tmp_path: Path, features: Any) -> None:
    found = _parquet(tmp_path / "odd", {"text": ["one", "two"], "label": [0, 1]}, features)
    assert [record.line for record in found] == [1, 2]
    assert all(record.problem or record.values["text"] in {"one", "two"} for record in found)


def test_columns_of_categories_dates_and_decimals_are_read(tmp_path: Path) -> None:
    table = {
        "text": pa.array(["one", "two"]),
        "label": pa.array(["a", "b"]).dictionary_encode(),
        "when": pa.array([0, 1], pa.timestamp("ms")),
        "price": pa.array([1, None], pa.float64()),
    }
    first, second = _parquet(tmp_path / "odd", table)
    assert (first.values["label"], second.values["label"], second.values["price"]) == ("a", "b", None)
    assert first.values["when"].startswith("1970-01-01")
