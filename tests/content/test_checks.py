from typing import Any

import pytest

from apps.content.checks import Checker, draw, share_to_hold_out
from apps.content.refusal import Rejected

COLUMNS = ("text", "external_id", "label", "split", "language", "subject", "prediction", "score", "meta")
MAPPING = {name: name for name in COLUMNS if name != "meta"} | {"meta": ["meta"]}


def check(**cells: Any) -> Any:
    return Checker(COLUMNS, MAPPING).candidate(1, [cells.get(name) for name in COLUMNS])


def test_line_ends_become_lf_and_nothing_else_changes() -> None:
    assert check(text=" e\u0301 is not \u00e9\r\nか\u3099 👩\u200d👩\u200d👧\rend\u2028 ").text == (
        " e\u0301 is not \u00e9\nか\u3099 👩\u200d👩\u200d👧\nend\u2028 "
    )


def test_exactly_25000_code_points_are_allowed() -> None:
    assert check(text="😀" * 25_000).text
    with pytest.raises(Rejected, match="25001 characters"):
        check(text="😀" * 25_001)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"text": ""}, "empty"),
        ({"text": " \n\u3000"}, "empty"),
        ({}, "empty"),
        ({"text": 7}, "not a string"),
        ({"text": "a\x00b"}, "NUL"),
        ({"text": "a", "external_id": "x" * 201}, "longer than 200"),
        ({"text": "a", "external_id": 1.5}, "whole number"),
        ({"text": "a", "external_id": "a\x00"}, "NUL"),
        ({"text": "a", "label": "x" * 121}, "longer than 120"),
        ({"text": "a", "label": ["x", "y"]}, "one label per text"),
        ({"text": "a", "split": "dev"}, "neither pool nor holdout"),
        ({"text": "a", "prediction": "x", "score": "high"}, "from 0 to 1"),
        ({"text": "a", "prediction": "x", "score": "1.01"}, "from 0 to 1"),
        ({"text": "a", "prediction": "x", "score": "nan"}, "from 0 to 1"),
        ({"text": "a", "prediction": "x", "score": "1e999999999"}, "from 0 to 1"),
        ({"text": "a", "prediction": "x", "score": True}, "from 0 to 1"),
        ({"text": "a", "language": "x" * 11}, "longer than 10"),
        ({"text": "a", "meta": {"k": "a\x00b"}}, "NUL"),
        ({"text": "a", "meta": {"k": "x" * 70_000}}, "64 KB"),
    ],
)
def test_a_bad_row_is_rejected_in_words(cells: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected, match=words):
        check(**cells)


def test_a_backslash_u0000_that_is_only_text_is_no_nul() -> None:
    assert check(text="a", meta={"k": "\\u0000"}).meta == rb'{"k":"\\u0000"}'


def test_the_external_id_is_the_content_when_none_is_given() -> None:
    assert check(text="same").external_id == check(text="same", external_id=" ").external_id
    assert check(text="same").external_id.startswith("sha256:")
    assert check(text="same", external_id=12345678901234567).external_id == "12345678901234567"


def test_splits_are_understood_in_the_words_of_data_sets() -> None:
    assert [check(text="a", split=said).split for said in ("Train", "pool", "TEST", "hold-out", "测试集", "")] == [
        *("pool", "pool", "holdout", "holdout", "holdout", ""),
    ]


def test_the_draw_is_uniform_and_depends_on_seed_and_text_alone() -> None:
    hashes = [number.to_bytes(32, "big") for number in range(20_000)]
    drawn = [draw(7, text_hash) for text_hash in hashes]
    assert drawn == [draw(7, text_hash) for text_hash in hashes]
    assert draw(8, hashes[0]) != drawn[0]
    for tenth in range(10):
        inside = sum(tenth / 10 <= value < (tenth + 1) / 10 for value in drawn)
        assert 1_800 < inside < 2_200


def test_the_share_is_plain_while_the_cap_is_far_and_one_for_the_whole_file_near_it() -> None:
    assert share_to_hold_out(0.1, 1000, 0, 3_000) == 0.1
    share = share_to_hold_out(0.1, 1000, 0, 1_000_000)
    assert 850 < share * 1_000_000 < 1000
    assert share_to_hold_out(0.1, 1000, 1000, 5_000) == 0
    assert share_to_hold_out(0.1, 1000, 1500, 5_000) == 0
