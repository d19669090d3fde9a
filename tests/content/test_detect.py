import codecs
from pathlib import Path

import pytest

from apps.content.detect import ONE_COLUMN, look_at
from apps.content.refusal import Unreadable
from tests.content.make import written

CHINESE = (
    "评论,标签\n外卖送得很快，味道也不错,好评\n等了两个小时还没送到，再也不点了,差评\n一般般吧，没有想象中好吃,差评\n"
)
PLAIN = "text,category\nI am still waiting for my card,card arrival\nWhat is the rate today,exchange rate\n"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (PLAIN.encode(), "utf-8"),
        (codecs.BOM_UTF8 + CHINESE.encode(), "utf-8"),
        (CHINESE.encode(), "utf-8"),
        (CHINESE.encode("gb18030"), "gb18030"),
        (codecs.BOM_UTF16_LE + CHINESE.encode("utf-16-le"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + CHINESE.encode("utf-16-be"), "utf-16-be"),
        (PLAIN.encode("utf-16-le"), "utf-16-le"),
        (PLAIN.encode("utf-16-be"), "utf-16-be"),
        (CHINESE.encode("utf-32"), "utf-32"),
        ("text,label\nOù est ma carte très chère\xa0?,été\n".encode("cp1252"), "cp1252"),
    ],
)
def test_the_encoding_is_found(tmp_path: Path, content: bytes, encoding: str) -> None:
    look = look_at(written(tmp_path, content))
    assert look.format.encoding == encoding
    assert look.format.header
    assert "\ufffd" not in repr(look.rows)
    assert "\ufeff" not in look.format.columns[0]


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", "^"])
def test_the_delimiter_is_found_even_when_texts_hold_others(tmp_path: Path, delimiter: str) -> None:
    rows = [["id", "text", "label"], ["1", "well, yes; I think | so", "a"], ["2", "no\tidea ^ at all", "b"]]
    quoted = [[f'"{cell}"' if delimiter in cell else cell for cell in row] for row in rows]
    look = look_at(written(tmp_path, "\n".join(delimiter.join(row) for row in quoted).encode()))
    assert look.format.delimiter == delimiter
    assert look.format.columns == ("id", "text", "label")
    assert look.rows == rows[1:]


def test_a_plain_list_of_sentences_is_one_column(tmp_path: Path) -> None:
    look = look_at(written(tmp_path, b"Hello, I lost my card\nWhere is it?\nOne, two, three, four\n"))
    assert look.format.delimiter == ONE_COLUMN
    assert not look.format.header
    assert [row[0] for row in look.rows] == ["Hello, I lost my card", "Where is it?", "One, two, three, four"]


def test_the_line_that_names_the_delimiter_is_believed(tmp_path: Path) -> None:
    look = look_at(written(tmp_path, b"sep=;\r\ntext;label\r\na, b;x\r\n"))
    assert (look.format.delimiter, look.format.columns) == (";", ("text", "label"))


def test_a_header_is_told_from_data(tmp_path: Path) -> None:
    body = b"0,delivered late and cold again\n1,very good portions and friendly\n0,cold soup, again\n"
    assert not look_at(written(tmp_path, body)).format.header
    assert look_at(written(tmp_path, b"kind,what was said\n" + body.replace(b", again", b""))).format.header


def test_jsonl_is_told_from_csv_and_its_columns_are_all_keys(tmp_path: Path) -> None:
    look = look_at(written(tmp_path, b'{"text": "a, b", "label": "x"}\nbroken\n{"text": "c", "id": 7}\n'))
    assert look.format.kind == "jsonl"
    assert look.format.columns == ("text", "label", "id")
    assert look.rows == [["a, b", "x", None], ["c", None, 7]]


def test_columns_of_the_same_name_stay_apart(tmp_path: Path) -> None:
    look = look_at(written(tmp_path, b"text,note,note,\nhello there,1,2,3\n"))
    assert look.format.columns == ("text", "note", "note (2)", "Column 4")


def test_lines_ending_with_cr_alone_are_lines(tmp_path: Path) -> None:
    look = look_at(written(tmp_path, b"text,label\rone of them,a\rtwo of them,b\r"))
    assert look.format.carriage_returns
    assert look.rows == [["one of them", "a"], ["two of them", "b"]]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \n\n ", "empty"),
        (codecs.BOM_UTF16_LE, "empty"),
        (bytes(range(256)) * 40, "not a text file"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "not a text file"),
        (b"\x1f\x8b\x08" + b"x" * 100, "not a text file"),
        (b"PK\x03\x04" + b"x" * 100, "workbook"),
        (b"x" * 3_000_000, "first line is longer"),
        (b'{\n  "text": "a"\n}\n', "one JSON document"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(Unreadable, match=words):
        look_at(written(tmp_path, content))


def test_only_the_beginning_of_a_large_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.write(b"text,label\n")
        file.writelines(b"a question of some length,card arrival\n" for _ in range(40_000))
        file.truncate(50_000_000)  # zeros that nobody may look at
    assert len(look_at(path).rows) == 20
