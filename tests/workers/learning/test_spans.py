"""Offsets, words, tags and back, on the text that people really write."""

from itertools import pairwise

import numpy as np
import pytest

from workers.learning.encoders import backbone
from workers.learning.finetune import decode, spans
from workers.learning.finetune.reader import Reader, assembled
from workers.learning.types import Span

FAMILY, FLAGS = "👩‍👩‍👧", "🇩🇪🇫🇷"
CASES = {
    "plain": ("Anna Smith lives in New York.", ["Anna Smith", "New York"]),
    "emoji": (f"I ❤️ {FAMILY} from 👍🏽Berlin🍺!", ["❤️", FAMILY, "Berlin", "🍺"]),
    "flags": (f"{FLAGS} beat Spain", ["🇩🇪", "🇫🇷", "Spain"]),
    "chinese": ("我爱北京天安门，李雷说。", ["北京", "天安门", "李雷"]),
    "japanese and latin": ("東京でSonyの本社", ["東京", "Sony"]),
    "combining": ("Cafe\u0301 Zu\u0308rich, naïve ÀÉ", ["Cafe\u0301", "Zu\u0308rich", "ÀÉ"]),
    "devanagari": ("मैं दिल्ली में हूँ", ["दिल्ली"]),
    "arabic": ("ذهب محمد إلى القاهرة أمس", ["محمد", "القاهرة"]),
    "hebrew with marks of direction": ("\u200fדוד בתל אביב\u200e ok", ["דוד", "בתל אביב\u200e"]),
    "thai": ("ฉันอยู่ที่กรุงเทพ", ["กรุงเทพ"]),
    "glued": ("#iPhone's,(ACME)-Ltd.", ["iPhone", "ACME", "Ltd"]),
    "odd spaces": ("a\u00a0 b\u3000c\n\nd", ["b", "c\n\nd"]),
}


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader(backbone.open_tokenizer(backbone.MINILM), 64)


def truth(text: str, quotes: list[str]) -> list[Span]:
    found, start = [], 0
    for i, quote in enumerate(quotes):
        start = text.index(quote, start)
        found.append(Span(start, start + len(quote), i % 2))
        start += len(quote)
    return found


@pytest.mark.parametrize("case", CASES)
def test_spans_survive_tags_and_tokens_exactly(case, reader):
    """The uncased tokeniser strips accents and marks; its offsets still speak of the text as it was."""
    text, quotes = CASES[case]
    wanted = truth(text, quotes)
    _, units = reader.cut([text])
    tags, inexact = spans.tags_of(wanted, units[0])
    assert spans.spans_of(tags, units[0]) == wanted
    assert inexact == 0
    assert [text[s.start : s.end] for s in wanted] == quotes


def test_words_cover_everything_but_spaces_in_order():
    rng = np.random.default_rng(0)
    alphabet = (
        list("ab9 \n\t.,'-_你好เคกéİßﬁ①²½👍🏽🇩🇪👩") + ["\u0301", "\u0308", "\u200f", "\u200d", "\ufe0f"] + [" "] * 5
    )
    for _ in range(500):
        text = "".join(rng.choice(alphabet, size=rng.integers(0, 30)))
        bounds = spans.words(text)
        assert all(a < b for a, b in bounds)
        assert all(b <= c for (_, b), (c, _) in pairwise(bounds))
        inside = {i for a, b in bounds for i in range(a, b)}
        assert {i for i, c in enumerate(text) if not c.isspace()} == inside


def test_tags_of_a_thousand_random_sequences_are_read_as_seqeval_reads_them():
    from seqeval.metrics.sequence_labeling import get_entities

    rng = np.random.default_rng(1)
    names = ["O", *(f"{side}-{label}" for label in range(3) for side in "BI")]
    for _ in range(1_000):
        tags = rng.integers(0, 7, size=rng.integers(0, 15)).tolist()
        expected = [(first, last, int(label)) for label, first, last in get_entities([names[t] for t in tags])]
        assert spans.entities(tags) == expected


def test_strict_f1_on_a_thousand_random_sequences_equals_seqeval():
    from seqeval.metrics import f1_score

    from workers.learning.finetune.tasks import strict_f1

    rng = np.random.default_rng(2)
    names = ["O", *(f"{side}-{label}" for label in range(3) for side in "BI")]
    lengths = rng.integers(1, 20, size=1_000)
    truths = [rng.integers(0, 7, size=n).tolist() for n in lengths]
    guesses = [[t if rng.random() < 0.8 else int(rng.integers(7)) for t in tags] for tags in truths]
    expected = f1_score([[names[t] for t in tags] for tags in truths], [[names[t] for t in tags] for tags in guesses])
    assert strict_f1(truths, guesses) == pytest.approx(expected, abs=1e-12)


def test_a_span_inside_a_word_takes_the_word_and_is_counted(reader):
    text = "reiPhoned today"
    _, units = reader.cut([text])
    tags, inexact = spans.tags_of([Span(2, 8, 0)], units[0])
    assert [text[s.start : s.end] for s in spans.spans_of(tags, units[0])] == ["reiPhoned"]
    assert inexact == 1


def test_of_overlapping_spans_the_longer_stays_and_the_other_is_counted(reader):
    text = "Bank of England"
    _, units = reader.cut([text])
    tags, inexact = spans.tags_of([Span(0, 4, 0), Span(0, 15, 1), Span(8, 15, 0)], units[0])
    assert spans.spans_of(tags, units[0]) == [Span(0, 15, 1)]
    assert inexact == 2


def test_neighbours_of_one_label_stay_apart(reader):
    text = "Anna Boris"
    _, units = reader.cut([text])
    wanted = [Span(0, 4, 0), Span(5, 10, 0)]
    assert spans.spans_of(spans.tags_of(wanted, units[0])[0], units[0]) == wanted


def test_every_unit_of_a_long_text_is_read_once_and_away_from_the_edges(reader):
    text = " ".join(f"word{i} 北京" for i in range(200))
    pieces, units = reader.cut([text])
    read = [u for piece in pieces for u in piece.units]
    assert sorted(read) == list(range(len(units[0])))
    assert all(len(piece.ids) == 64 for piece in pieces)
    for piece in pieces[1:-1]:
        assert min(piece.firsts) >= 6
        assert max(piece.firsts) < 64 - 6
    tokens = reader.tokenizer.convert_ids_to_tokens
    for piece in pieces:
        for first, u in zip(piece.firsts, piece.units, strict=True):
            start = units[0][u].start
            assert (
                text[start : start + 4].startswith(tokens([piece.ids[first]])[0])
                or "UNK" in tokens([piece.ids[first]])[0]
            )


def test_windows_are_put_together_in_the_order_of_the_text(reader):
    text = " ".join(str(i) for i in range(300))
    pieces, units = reader.cut(["one", text, ""])
    logits = [np.array([[float(u)] for u in piece.units], dtype=np.float32).reshape(-1, 1) for piece in pieces]
    found = assembled(pieces, units, logits, 1)
    assert found[1][0][:, 0].tolist() == list(range(300))
    assert [len(f[0]) for f in found] == [1, 300, 0]


def test_an_answer_says_how_sure_it_is(reader):
    text = "anna sleeps"
    _, units = reader.cut([text])
    sure = np.array([[0, 9, 0], [9, 0, 0]], dtype=np.float32)
    torn = np.array([[4, 4, 0], [9, 0, 0]], dtype=np.float32)
    a, b = decode.answer((sure, units[0])), decode.answer((torn, units[0]))
    assert [(s.start, s.end, s.label) for s in a.spans] == [(0, 4, 0)]
    assert a.spans[0].score > 0.99
    assert a.confidence > b.confidence
    assert a.margin > b.margin
    assert decode.answer((torn, units[0]), temperature=3).confidence < b.confidence
    p = np.exp(torn) / np.exp(torn).sum(axis=1, keepdims=True)
    assert b.confidence == pytest.approx(float(np.exp(np.log(p.max(axis=1)).mean())))
