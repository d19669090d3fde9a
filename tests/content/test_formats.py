"""Out in the format of another tool and in again: the same texts, truths and offsets. And what is no such file."""

import gzip
import io
import json
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from apps.content.detect import look_at
from apps.content.formats import TARGETS, archives, records, tokens, units, written
from apps.content.formats.records import Record, json_list
from apps.content.refusal import Unreadable
from tests.content import given
from tests.content.given import ODD, ODD_QUOTES, Row

SPANS = [name for name, target in TARGETS.items() if "spans" in target.kinds]
MULTI = [name for name, target in TARGETS.items() if "multi" in target.kinds and name != "fasttext"]


def said(path: Path, **forced: Any) -> tuple[str, list[Record]]:
    """The kind found by the content, and the records."""
    kind = look_at(path, **forced).format.kind
    return kind, list(records(kind, path))


def there_and_back(folder: Path, target: str, rows: list[Row], task_kind: str) -> list[Row]:
    names = sorted({name for row in rows for name in row["labels"] or ()} | {"never used"})
    if task_kind == "spans":
        names = sorted({span["label"] for row in rows for span in row["spans"] or ()})
    path = folder / target
    path.write_bytes(b"".join(written(target, rows, names, task_kind)))
    kind, found = said(path)
    assert kind == target.removesuffix("-bioes")
    assert not [record.problem for record in found if record.problem]
    for record in found:
        if "label" in record.values:  # one name, of Parquet
            record.values["labels"] = None if (one := record.values["label"]) is None else [one]
    return [record.values for record in found]


def spans_of(row: Row) -> list[tuple[int, int, str]] | None:
    spans = row.get("spans")
    return None if spans is None else sorted((span["start"], span["end"], span["label"]) for span in spans)


def without(rows: list[Row], name: str) -> list[Row]:
    return [{key: value for key, value in row.items() if key != name} for row in rows]


def same_otherwise(back: Row, row: Row) -> None:
    for name in ("external_id", "text", "language", "subject", "thread", "url"):
        assert back.get(name) == row.get(name), name
    assert (back.get("meta") or {}) == row["meta"]


@pytest.mark.parametrize("target", SPANS)
def test_spans_come_back_where_they_were(tmp_path: Path, target: str) -> None:
    rows = [*without(given.slots(), "labels"), {**given.odd_row(999), "labels": None, "spans": []}]
    rows = [row | {"labels": None} for row in rows]
    back = there_and_back(tmp_path, target, rows, "spans")
    assert len(back) == len(rows)
    for one, row in zip(back, rows, strict=True):
        assert spans_of(one) == spans_of(row)
        same_otherwise(one, row)


@pytest.mark.parametrize("target", MULTI)
def test_labels_come_back_the_same_and_none_is_an_answer(tmp_path: Path, target: str) -> None:
    rows = [*without(given.messages(), "spans"), {**given.bank(1)[0], "external_id": "none", "labels": []}]
    back = there_and_back(tmp_path, target, rows, "multi")
    assert [sorted(one["labels"]) for one in back] == [sorted(row["labels"]) for row in rows]
    for one, row in zip(back, rows, strict=True):
        same_otherwise(one, row)


@pytest.mark.parametrize("target", [*MULTI, "fasttext"])
def test_a_single_label_comes_back(tmp_path: Path, target: str) -> None:
    rows = given.bank()
    back = there_and_back(tmp_path, target, rows, "single")
    assert [(one["text"].split(), one["labels"]) for one in back] == [
        (row["text"].split(), row["labels"]) for row in rows
    ]


@pytest.mark.parametrize("target", [*MULTI, "fasttext"])
def test_what_nobody_has_labelled_comes_back_without_a_label(tmp_path: Path, target: str) -> None:
    rows = [*given.bank(3), *[row | {"labels": None, "id": 9, "external_id": "x"} for row in given.bank(1)]]
    back = there_and_back(tmp_path, target, rows, "single")
    assert [one.get("labels") for one in back] == [row["labels"] for row in rows][: len(back)]
    assert len(back) == (3 if target == "fasttext" else 4)


def test_a_label_of_several_words_stays_one_word_of_fasttext(tmp_path: Path) -> None:
    rows = [given.bank(1)[0] | {"labels": ["card arrival", "é ü"]}]
    (back,) = there_and_back(tmp_path, "fasttext", rows, "multi")
    assert back["labels"] == ["card arrival", "é ü"]
    assert len((tmp_path / "fasttext").read_bytes().split()[0].split(b" ")) == 1


def test_conll_as_others_write_it_is_rebuilt_from_its_tokens(tmp_path: Path) -> None:
    path = given.WNUT
    kind, found = said(path)
    assert kind == "conll"
    assert len(found) == len(path.read_text(encoding="utf-8").strip().split("\n\n")) > 390
    assert not [record.problem for record in found if record.problem]
    tagged = sum(line.split("\t")[-1].startswith("B-") for line in path.read_text().split("\n"))
    assert sum(len(record.values["spans"]) for record in found) == tagged
    rows = [given._row(record.line, record.values["text"]) | {"labels": None, **record.values} for record in found]
    for target in ("conll", "conll-bioes", "doccano"):
        back = there_and_back(tmp_path, target, rows, "spans")
        assert [spans_of(one) for one in back] == [spans_of(row) for row in rows]
        assert [one["text"] for one in back] == [row["text"] for row in rows]


CHINESE = "我 O\n爱 O\n北 B-LOC\n京 I-LOC\n天 B-LOC\n安 M-LOC\n门 E-LOC\n。 O\n\n-DOCSTART- -X- O O\n\nEU B-ORG\nrejects O\n\n"


def test_chinese_by_character_is_written_without_spaces(tmp_path: Path) -> None:
    path = tmp_path / "zh"
    path.write_text(CHINESE)
    kind, (first, second) = said(path)
    assert (kind, first.values["text"]) == ("conll", "我爱北京天安门。")
    assert spans_of(first.values) == [(2, 4, "LOC"), (4, 7, "LOC")]
    assert (second.values["text"], second.line) == ("EU rejects", 12)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("I-A I-A I-B O", [(0, 2, "A"), (2, 3, "B")]),
        ("B-A I-A B-A O", [(0, 2, "A"), (2, 3, "A")]),
        ("S-A B-A E-A O", [(0, 1, "A"), (1, 3, "A")]),
        ("U-A B-A L-A O", [(0, 1, "A"), (1, 3, "A")]),
        ("B_A M_A E_A S_A", [(0, 3, "A"), (3, 4, "A")]),
        ("O I-a-b I-a-b O", [(1, 3, "a-b")]),
    ],
)
def test_every_dialect_of_tags_is_understood(tags: str, expected: list[Any]) -> None:
    found = tokens.spans_from_tags([(0, 1), (1, 2), (2, 3), (3, 4)], tags.split())
    assert spans_of({"spans": found}) == expected


def test_what_tags_cannot_say_is_listed_in_the_file() -> None:
    spans = [
        {"start": 0, "end": 4, "label": "a"},
        {"start": 2, "end": 8, "label": "b"},
        {"start": 4, "end": 5, "label": "c"},
    ]
    row = given._row(1, "card fee") | {"spans": spans}
    text = b"".join(written("conll", [row], ["a", "b", "c"], "spans")).decode()
    assert "# left out: 2-8 b: it overlaps the span before it" in text
    assert "# left out: 4-5 c: it holds nothing but spaces" in text
    assert text.endswith("card\tB-a\nfee\tO\n\n")


def test_a_span_inside_a_word_ends_a_token_there() -> None:
    assert [ODD[a:b] for a, b in tokens.tokens_of(ODD)][:3] == ["👨‍👩‍👧‍👦", "in", "東"]
    assert [(a, b) for a, b in tokens.tokens_of("bankcard", [4])] == [(0, 4), (4, 8)]


def test_utf16_offsets_and_code_points_lead_to_each_other() -> None:
    for place in range(len(ODD) + 1):
        assert units.from_utf16(ODD, [units.to_utf16(ODD, place)]) == [place]
    for quote in ODD_QUOTES:
        start = units.to_utf16(ODD, ODD.index(quote))
        assert ODD.encode("utf-16-le")[2 * start :].decode("utf-16-le").startswith(quote)


def test_label_studio_of_both_ages_is_read_by_the_words_of_its_spans(tmp_path: Path) -> None:
    start = ODD.index("𠮷野")
    old = units.to_utf16(ODD, start)
    for begin, end in ((start, start + 2), (old, old + 3)):
        value = {"start": begin, "end": end, "text": "𠮷野", "labels": ["place"]}
        region = {"id": "x", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
        path = tmp_path / "ls"
        path.write_bytes(orjson.dumps([{"id": 5, "data": {"text": ODD}, "annotations": [{"result": [region]}]}]))
        kind, (record,) = said(path)
        assert (kind, spans_of(record.values)) == ("labelstudio", [(start, start + 2, "place")])
        assert record.values["external_id"] == 5


def choices(*names: str, **more: Any) -> Row:
    return {"result": [{"type": "choices", "value": {"choices": list(names)}}], **more}


@pytest.mark.parametrize(
    ("annotations", "labels"),
    [
        ([choices("a"), choices("a"), choices("b")], ["a"]),
        ([choices("a"), choices("b")], None),
        ([choices("a"), choices("b", ground_truth=True)], ["b"]),
        ([choices("a", was_cancelled=True), choices("b")], ["b"]),
        ([{"result": []}], []),
        ([], None),
    ],
)
def test_several_answers_of_label_studio_become_one_truth_or_none(
    tmp_path: Path, annotations: list[Row], labels: list[str] | None
) -> None:
    path = tmp_path / "ls"
    guess = {"model_version": "v1", "score": 0.5, "result": choices("c")["result"]}
    path.write_bytes(orjson.dumps([{"data": {"words": "a text"}, "annotations": annotations, "predictions": [guess]}]))
    _kind, (record,) = said(path)
    assert record.values.get("labels") == labels
    assert (record.values["text"], record.values["prediction"], record.values["score"]) == ("a text", "c", 0.5)


@pytest.mark.parametrize(
    ("line", "kind", "labels", "spans"),
    [
        ({"id": 1, "text": "ab c", "label": [[0, 2, "X"]], "Comments": []}, "doccano", None, [(0, 2, "X")]),
        (
            {"id": 1, "text": "😀b", "entities": [{"label": "X", "start_offset": 2, "end_offset": 3}], "relations": []},
            *("doccano", None, [(1, 2, "X")]),
        ),
        ({"id": 1, "text": "a", "label": ["X", "Y"], "Comments": []}, "doccano", ["X", "Y"], None),
        ({"id": 1, "text": "a", "label": [], "Comments": []}, "doccano", None, None),
        ({"text": "a", "label": "X", "answer": "accept"}, "prodigy", ["X"], None),
        ({"text": "a", "label": "X", "answer": "reject"}, "prodigy", None, None),
        ({"text": "a", "accept": [], "options": [{"id": "X"}], "answer": "accept"}, "prodigy", [], None),
        ({"text": "ab", "spans": [{"start": 0, "end": 1, "label": "X"}], "answer": "ignore"}, "prodigy", None, None),
        ({"text": "a", "_input_hash": 3, "cats": {"X": 1, "Y": 0}, "answer": "accept"}, "prodigy", ["X"], None),
        (["ab", {"entities": [[0, 1, "X"]], "cats": {"Y": 1.0, "Z": 0.0}}], "spacy", ["Y"], [(0, 1, "X")]),
        ({"text": "ab", "ents": [{"start": 0, "end": 1, "label": "X"}], "tokens": []}, "spacy", None, [(0, 1, "X")]),
    ],
)
def test_what_the_tools_themselves_write_is_recognised(
    tmp_path: Path, line: Any, kind: str, labels: list[str] | None, spans: list[Any] | None
) -> None:
    path = tmp_path / "file"
    for content in (orjson.dumps(line) + b"\n", orjson.dumps([line], option=orjson.OPT_INDENT_2)):
        path.write_bytes(content)
        found, (record,) = said(path)
        assert found == kind
        assert record.values.get("labels") == labels
        assert spans_of(record.values) == spans


def test_our_own_json_lines_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "own"
    for line in (
        {"text": "a", "label": "b"},
        {"external_id": "1", "text": "a", "labels": ["x"], "spans": [[0, 1, "x"]]},
    ):
        path.write_bytes(orjson.dumps(line) + b"\n")
        assert look_at(path).format.kind == "jsonl"
    path.write_bytes(b'\n [\n {"say": "a"},\n {"say": "b", "n": 1}\n]')
    assert look_at(path).format.kind == "json"
    assert look_at(path).format.columns == ("say", "n")


# --- wrong files ---------------------------------------------------------------------------------------
def problems(path: Path, kind: str) -> dict[int, str]:
    return {record.line: record.problem for record in records(kind, path) if record.problem}


@pytest.mark.parametrize(
    ("kind", "content", "line", "words"),
    [
        ("conll", "good\tO\n\nbad\tB-x\nworse\n\n", 4, "no token with its tag"),
        ("conll", "good\tO\n\nbad\tperson\n\n", 3, "“person” is no tag"),
        ("conll", "# text = other words\nbad\tO\n\ngood\tO\n", 1, "do not stand in the text"),
        ("fasttext", "__label__a good\n\n__label__b\n", 3, "labels but no text"),
        ("fasttext", "__label__a good\n__label__ bad\n", 2, "no name"),
        ("doccano", '{"text": "good", "label": ["a"]}\n{"text": 7}\n', 2, "no “text”"),
        ("doccano", '{"text": "good", "label": ["a"]}\n{"text": "x", "label": [[0, 1]]}\n', 2, "A span is"),
        ("prodigy", '{"text": "good", "answer": "accept"}\n{"broken\n', 2, "not valid JSON"),
        ("spacy", '["good", {}]\n["bad", {"entities": [7]}]\n', 2, "An entity is"),
        ("labelstudio", '[{"data": {"text": "good"}, "annotations": []},\n{"data": 7}]', 2, "no “data”"),
        ("json", '[{"a": 1},\n\n{"a": nonsense}, {"a": 2}]', 2, "from line 3 of the file, is not valid JSON"),
        ("json", '[{"a": 1},\n{"a": ', 2, "never ends; line 2"),
    ],
)
def test_a_wrong_row_is_named_by_its_line_and_the_others_are_read(
    tmp_path: Path, kind: str, content: str, line: int, words: str
) -> None:
    path = tmp_path / "file"
    path.write_text(content)
    found = problems(path, kind)
    assert list(found) == [line]
    assert words in found[line]
    assert any(not record.problem for record in records(kind, path))


@pytest.mark.parametrize("kind", ["labelstudio", "conll", "spacy", "huggingface", "json"])
def test_a_file_that_is_not_what_the_person_says_is_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    path.write_text("just, some\nwords, here\n")
    with pytest.raises(Unreadable, match=r"Line 1:|cannot be read"):
        look_at(path, kind=kind)


def test_a_list_is_read_one_element_at_a_time_whatever_lies_in_its_strings() -> None:
    odd = [{"a": 'x"]},{[\\'}, [1, [2]], "s,", 7, {"b": "\u2028" * 5}]
    whole = b"\xef\xbb\xbf \n" + orjson.dumps(odd, option=orjson.OPT_INDENT_2)
    assert [found for _n, found, wrong in json_list(io.BytesIO(whole)) if wrong is None] == odd
    big = b"[" + b",".join(b'{"t": "%d %s"}' % (n, b"x" * 3000) for n in range(2000)) + b"]"
    assert sum(wrong is None for _n, _found, wrong in json_list(io.BytesIO(big))) == 2000


def test_an_endless_element_does_not_fill_the_memory() -> None:
    class Endless(io.RawIOBase):
        given = 0

        def read(self, size: int = -1) -> bytes:
            self.given += size
            return b'[{"a": "'.ljust(size, b"x") if self.given == size else b"x" * size

    file = Endless()
    ((_number, _found, wrong),) = json_list(file)  # type: ignore[arg-type]  # reads and nothing else
    assert wrong is not None
    assert "longer than 8 MB" in wrong.problem
    assert file.given < 20_000_000


# --- archives and Parquet ------------------------------------------------------------------------------
def packed(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return path


def test_the_one_file_in_an_archive_is_what_counts(tmp_path: Path) -> None:
    content = b"text,label\nwhere is it,card\n" * 1000
    path = packed(tmp_path / "zip", **{"data__all.csv": content, "MACOSX__x": b"", "README.md": b"hello"})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("__MACOSX/._all.csv", b"junk")
    with zipfile.ZipFile(path) as archive:
        assert len(archive.namelist()) == 4
    with pytest.raises(Unreadable, match="holds 2 files"):
        archives.unpack(path, tmp_path / "out", 10**9)
    path = packed(tmp_path / "zip2", **{"data__all.csv": content, "README.md": b"hello"})
    archives.unpack(path, tmp_path / "out", 10**9)
    assert (tmp_path / "out").read_bytes() == content
    (tmp_path / "gz").write_bytes(gzip.compress(content[:100]) + gzip.compress(content[100:]))
    archives.unpack(tmp_path / "gz", tmp_path / "out2", 10**9)
    assert (tmp_path / "out2").read_bytes() == content


def _locked(path: Path) -> Path:
    packed(path, a=b"x")
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


def _lying(path: Path) -> Path:
    """The directory says 10 bytes where a hundred megabytes come."""
    packed(path, a=b"\0" * 100_000_000)
    content = bytearray(path.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: packed(path, a=b"\0" * 100_000_000), "out of all proportion"),
        (lambda path: path.write_bytes(gzip.compress(b"\0" * 100_000_000)), "out of all proportion"),
        (_lying, "out of all proportion|damaged"),
        (lambda path: packed(path, a=b"x", b=b"y"), "holds 2 files"),
        (lambda path: packed(path, **{f"f{n}": b"" for n in range(1100)}), "more than 1000 files"),
        (lambda path: packed(path, **{"a.csv": gzip.compress(b"text")}), "archive inside"),
        (lambda path: packed(path, **{"[Content_Types].xml": b"", "xl__a.xml": b"y"}), "workbook"),
        (lambda path: packed(path, **{".hidden": b"x"}), "empty"),
        (_locked, "password"),
        (lambda path: path.write_bytes(gzip.compress(b"text" * 99)[:-5]), "damaged"),
        (lambda path: path.write_bytes(b"PK\x03\x04 and nothing else"), "damaged"),
    ],
)
def test_an_archive_that_is_a_trap_is_refused_and_leaves_nothing(tmp_path: Path, make: Any, words: str) -> None:
    path = tmp_path / "archive"
    make(path)
    with pytest.raises(Unreadable, match=words):
        archives.unpack(path, tmp_path / "out", 10**9)
    assert not (tmp_path / "out").exists()


def test_unpacking_stops_at_the_size_that_an_upload_may_have(tmp_path: Path) -> None:
    (tmp_path / "gz").write_bytes(gzip.compress(b"some words that differ " * 1000))
    with pytest.raises(Unreadable, match="larger than 0 MB"):
        archives.unpack(tmp_path / "gz", tmp_path / "out", 10_000)


def parquet(path: Path, table: Any, features: Any = None, **options: Any) -> Path:
    made = pa.table(table)
    if features:
        made = made.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(made, path, **options)
    return path


def test_classes_of_hugging_face_become_names_and_tags_become_spans(tmp_path: Path) -> None:
    named = {"names": ["O", "B-LOC", "I-LOC"], "_type": "ClassLabel"}
    features = {
        "tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "ner_tags": {"feature": named, "_type": "List"},
        "topic": {"names": ["news", "sport"], "_type": "ClassLabel"},
    }
    table = {"tokens": [["In", "New", "York"], ["Nowhere"]], "ner_tags": [[0, 1, 2], [0]], "topic": [1, None]}
    path = parquet(tmp_path / "hf", table | {"picture": [b"\x89PNG", b""]}, features)
    kind, (first, second) = said(path)
    assert kind == "huggingface"
    assert first.values == {"text": "In New York", "spans": [{"start": 3, "end": 11, "label": "LOC"}], "topic": "sport"}
    assert (second.values["text"], second.values["topic"]) == ("Nowhere", None)


def test_a_parquet_file_that_is_a_trap_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path / "bomb", {"text": ["x" * 1000] * 400_000}, use_dictionary=False, compression="zstd")
    assert path.stat().st_size < 1_000_000
    with pytest.raises(Unreadable, match="proportion"):
        look_at(path)
    path = parquet(tmp_path / "wide", {f"c{n}": [1] for n in range(400)})
    with pytest.raises(Unreadable, match="more than 300 columns"):
        look_at(path)
    (tmp_path / "cut").write_bytes(b"PAR1" + b"x" * 100)
    with pytest.raises(Unreadable, match="cannot be read"):
        look_at(tmp_path / "cut")


def test_only_the_first_rows_of_a_parquet_file_are_read_to_look_at_it(tmp_path: Path) -> None:
    path = parquet(tmp_path / "long", {"text": [f"text {n}" for n in range(5000)]})
    assert len(list(islice(records("huggingface", path, 10), None))) == 10
    assert len(look_at(path).rows) == 20
