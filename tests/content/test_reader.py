import codecs
import tracemalloc
from pathlib import Path

import pytest

from apps.content.detect import Format, look_at
from apps.content.reader import Row, as_utf8, rows
from tests.content.make import written

TWO_COLUMNS = Format("csv", "utf-8", ",", True, columns=("text", "label"))


def read(path: Path, offset: int = 0) -> list[Row]:
    return list(rows(path, look_at(path).format, offset))


def test_cells_may_hold_delimiters_quotes_and_line_ends(tmp_path: Path) -> None:
    path = written(tmp_path, b'text,label\r\n"two\r\nlines, and a ""quote""",a\r\nplain,b\r\n')
    found = read(path)
    assert [row.values for row in found] == [['two\r\nlines, and a "quote"', "a"], ["plain", "b"]]
    assert [row.line for row in found] == [2, 4]


def test_reading_goes_on_from_the_end_of_any_row(tmp_path: Path) -> None:
    path = written(tmp_path, codecs.BOM_UTF8 + b'text,label\n"a\nb",x\n\nc,y\nbroken\n"d ""e""",z\n')
    whole = read(path)
    for place, row in enumerate(whole):
        assert read(path, row.end) == whole[place + 1 :]


def test_broken_rows_are_named_and_the_rest_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, b"text,label\ngood one,a\ntoo,many,cells\nalone\nbad \xff bytes,a\nfine again,b\n")
    found = list(rows(path, TWO_COLUMNS))
    assert [(row.line, bool(row.problem)) for row in found] == [(2, False), (3, True), (4, True), (5, True), (6, False)]
    assert "3 cells where the file has 2" in found[1].problem
    assert "bytes" in found[3].problem


@pytest.mark.parametrize("after", [b"", b"\nnext one,b\nlast,c\n"])
def test_a_quote_never_closed_costs_its_own_row_only(tmp_path: Path, after: bytes) -> None:
    path = written(tmp_path, b'text,label\nfirst,a\n"torn,a' + after)
    found = list(rows(path, TWO_COLUMNS))
    assert found[0].values == ["first", "a"]
    assert [row.values for row in found if not row.problem][1:] == [
        line.decode().split(",") for line in after.split(b"\n") if line
    ]
    if after:
        assert [(row.line, row.problem) for row in found if row.problem] == [
            (3, "A quote opened in this row is never closed.")
        ]


def test_a_quote_left_open_in_the_middle_of_a_large_file_costs_one_row(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b'text,label\n"torn,a\n')
        file.writelines(b"an ordinary question number %d,a\n" % number for number in range(60_000))
    found = read(path)
    assert [row.line for row in found if row.problem] == [2]
    assert len(found) == 60_001


def test_a_line_of_100_megabytes_is_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.write(b"text,label\nbefore,a\n")
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b",a\nafter,b\n")
    tracemalloc.start()
    found = list(rows(path, TWO_COLUMNS))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.values[:1] for row in found] == [["before"], [], ["after"]]
    assert "longer than a megabyte" in found[1].problem
    assert found[2].line == 4
    assert peak < 12_000_000


def test_json_lines_that_are_broken_too_deep_or_no_object_are_named(tmp_path: Path) -> None:
    lines = [
        b'{"text": "good"}',
        b'{"text": "torn',
        b'["text"]',
        b'{"text": NaN}',
        b'{"text": "lone \\ud800"}',
        b'{"text": ' + b"[" * 3000 + b"]" * 3000 + b"}",
        b'{"text": "bad \xff"}',
        b"",
        b'{"text": "' + b"x" * 2_000_000 + b'"}',
        '{"text": "last 😀"}'.encode(),
    ]
    found = list(rows(written(tmp_path, b"\n".join(lines)), Format("jsonl", "utf-8", columns=("text",))))
    assert [row.line for row in found if not row.problem] == [1, 10]
    assert [row.line for row in found if row.problem] == [2, 3, 4, 5, 6, 7, 9]
    assert found[-1].values == ["last 😀"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "gb18030", "utf-32"])
def test_other_encodings_become_utf8_once_and_bad_places_cost_their_row(tmp_path: Path, encoding: str) -> None:
    text = "评论,标签\n很好吃 😀,好\n\r\n坏的在这里,差\n最后一个,好\n"
    content = text.encode(encoding)
    if encoding.startswith("utf-16"):
        spoiled = "坏".encode(encoding)
        content = content.replace(spoiled, "\ud800".encode(encoding, "surrogatepass"))
    path, made = written(tmp_path, content), tmp_path / "made"
    format = Format("csv", encoding, ",", True, columns=("评论", "标签"))
    as_utf8(path, made, format)
    found = list(rows(made, format))
    good = [row.values[0] for row in found if not row.problem]
    assert good == (
        ["很好吃 😀", "最后一个"] if encoding.startswith("utf-16") else ["很好吃 😀", "坏的在这里", "最后一个"]
    )
