import numpy as np

from workers.learning.monitor import terms, topics
from workers.learning.monitor.phrases import discoveries, g_squared, rising

CARD = [
    "my card has not arrived yet",
    "where is my new card",
    "the new card has still not arrived",
    "card delivery late",
]
RATE = ["the exchange rate is wrong", "why this exchange rate", "bad exchange rate today", "rate for my exchange"]
CASH = ["atm gave no cash", "cash withdrawal was declined", "the atm kept my cash", "no cash at the atm"]


def _vectors(rng: np.random.Generator, centres: np.ndarray, each: int) -> np.ndarray:
    x = np.repeat(centres, each, axis=0) + 0.1 * rng.normal(size=(len(centres) * each, centres.shape[1]))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_topics_keep_their_numbers_when_content_moves_on() -> None:
    rng = np.random.default_rng(0)
    centres = np.linalg.qr(rng.normal(size=(32, 32)))[0][:5]
    first = topics.fit(_vectors(rng, centres[:4], 40), 4, rng)
    again = topics.fit(_vectors(rng, centres[[3, 1, 0, 4]], 40), 4, rng, first)  # the third went, a fifth came
    name_of = {int(np.argmax(centres @ centre)): name for centre, name in zip(first.centres, first.names, strict=True)}
    now = {int(np.argmax(centres @ centre)): name for centre, name in zip(again.centres, again.names, strict=True)}
    assert {at: now[at] for at in (0, 1, 3)} == {at: name_of[at] for at in (0, 1, 3)}
    assert now[4] == 5


def test_a_topic_is_said_in_the_words_that_set_it_apart() -> None:
    said = topics.words([*CARD, *RATE, *CASH], np.repeat([0, 1, 2], 4), 3)
    assert "card" in said[0][0]
    assert said[1][0] == "exchange rate"
    assert {"cash", "atm"} <= set(said[2])
    assert not any(word in terms.STOP for words in said for word in words)


def test_chinese_topics_are_said_in_characters() -> None:
    texts = ["送餐太慢了", "送餐慢，等了两个小时", "味道很好", "味道好吃，下次再来"]
    said = topics.words(texts, np.array([0, 0, 1, 1]), 2)
    assert "送餐" in said[0]
    assert "味道" in said[1]


def test_phrases_do_not_reach_across_punctuation_and_do_not_begin_with_the() -> None:
    found = terms.terms("The card, please: top-up failed!")
    assert "top-up failed" in found
    assert not any("card" in term and term != "card" for term in found)


def test_a_phrase_on_the_rise_is_found_and_the_usual_ones_are_not() -> None:
    before = (CARD + RATE) * 30
    recent = (CARD + RATE) * 8 + ["apple pay does not work"] * 6
    found = rising(before, recent)
    assert found[0].text == "apple pay"
    assert (found[0].recent, found[0].before) == (6, 0)
    assert not {row.text for row in found} & {"card", "exchange rate", "rate"}


def test_nothing_rises_in_shuffled_texts() -> None:
    rng = np.random.default_rng(0)
    words = [f"word{n}" for n in range(60)]
    texts = [" ".join(rng.choice(words, 6)) for _ in range(400)]
    assert sum(bool(rising(texts[n % 2 :: 2], texts[1 - n % 2 :: 2])) for n in range(2)) == 0
    assert rising([], texts) == []


def test_dunnings_statistic_by_hand() -> None:
    """a = 10 of 100 against 5 of 200: 2 Σ seen · ln(seen / expected) = 7.33."""
    table = np.array([[10, 90], [5, 195]], dtype=float)
    due = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    by_hand = 2 * (table * np.log(table / due)).sum()
    assert np.isclose(g_squared(np.array([10.0]), 100, np.array([5.0]), 200)[0], by_hand)
    assert np.isclose(by_hand, 7.33, atol=0.05)


def test_the_false_discovery_rate_by_the_textbook() -> None:
    p = np.array([0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216])
    assert discoveries(p).sum() == 2  # Benjamini & Hochberg's own way of counting
