"""Near-duplicates among vectors, and how texts are worded."""

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.learning import wording
from workers.learning.grouping import group, nearest
from workers.learning.types import LearningError


def around(centres: NDArray[np.float32], each: int, spread: float, seed: int = 0) -> NDArray[np.float32]:
    noise = np.random.default_rng(seed).standard_normal((len(centres) * each, centres.shape[1])).astype(np.float32)
    rows = np.repeat(centres, each, axis=0) + spread * noise
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


CENTRES = np.eye(8, 16, dtype=np.float32)
NONE = np.zeros((0, 16), dtype=np.float32)


def test_rows_join_the_nearest_representative_or_open_a_group() -> None:
    rows = around(CENTRES, 5, 0.02)
    found = group(rows, CENTRES[:4], threshold=0.9)
    assert found.group[:20].tolist() == np.repeat(np.arange(4), 5).tolist()
    assert len(found.leaders) == 4
    assert all(len(set(found.group[start : start + 5])) == 1 for start in range(20, 40, 5))


def test_the_order_of_rows_changes_nothing() -> None:
    rows = around(CENTRES, 30, 0.12)
    order = np.random.default_rng(1).permutation(len(rows))
    one, other = group(rows, NONE, threshold=0.8), group(rows[order], NONE, threshold=0.8)
    together = one.group[:, None] == one.group[None, :]
    again = np.empty_like(other.group)
    again[order] = other.group
    assert (together == (again[:, None] == again[None, :])).all()


def test_no_two_leaders_lie_within_the_threshold_and_everybody_has_one() -> None:
    rows = around(CENTRES, 40, 0.2)
    found = group(rows, NONE, threshold=0.7)
    between = rows[found.leaders] @ rows[found.leaders].T
    assert (between[~np.eye(len(found.leaders), dtype=bool)] < 0.7).all()
    assert (found.similarity >= 0.7 - 1e-6).all()


def test_a_chain_of_small_steps_joins_no_two_ends() -> None:
    angles = np.linspace(0, np.pi / 2, 12)
    chain = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    found = group(chain, np.zeros((0, 2), dtype=np.float32), threshold=0.95)
    assert found.group[0] != found.group[-1]


def test_blocks_change_nothing() -> None:
    rows = around(CENTRES, 20, 0.15)
    whole, pieces = group(rows, CENTRES[:2], threshold=0.8), group(rows, CENTRES[:2], threshold=0.8, block=7)
    assert (whole.group == pieces.group).all()
    assert (whole.leaders == pieces.leaders).all()


def test_nothing_to_group_is_no_mistake() -> None:
    found = group(NONE, CENTRES, threshold=0.9)
    assert len(found.group) == len(found.leaders) == 0
    assert nearest(CENTRES, NONE)[0].tolist() == [-1] * 8


def test_vectors_of_two_encoders_are_refused() -> None:
    with pytest.raises(LearningError):
        group(CENTRES, np.eye(3, dtype=np.float32), threshold=0.9)
    with pytest.raises(LearningError):
        group(np.full((1, 16), np.nan, dtype=np.float32), NONE, threshold=0.9)


# --- wording -------------------------------------------------------------------------------------------
def near(one: str, other: str) -> float:
    a, b = wording.read([one, other])
    return float(a @ b)


def test_typing_errors_and_greetings_are_near_and_other_questions_far() -> None:
    question = "I still have not received my new card, where is it?"
    assert near(question, "hi, i still have not recieved my new card, where is it") > 0.85
    assert near(question, "What is the exchange rate for euros today?") < 0.5
    assert near("我的新卡还没有收到，请问在哪里", "我的新卡还没收到，请问在哪里？") > 0.8


def test_case_and_spaces_make_no_difference_and_rows_have_length_one() -> None:
    assert near("Where is  my\ncard", "where is my card") == pytest.approx(1.0)
    assert np.linalg.norm(wording.read(["a", "ab", "Where is my card?"]), axis=1) == pytest.approx(np.ones(3))


def test_an_empty_text_is_near_to_nothing() -> None:
    assert not wording.read(["", "  "]).any()
    assert wording.read([]).shape == (0, wording.DIMENSION)


def test_a_text_reads_the_same_alone_and_among_others() -> None:
    texts = ["Where is my card?", "", "余额", "a", "What about the 👩‍🚀 rate?"]
    assert np.allclose(wording.read(texts), np.concatenate([wording.read([text]) for text in texts]))
