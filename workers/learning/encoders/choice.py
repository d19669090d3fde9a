"""Which encoder suits a project's texts, with the reason, before anything is loaded. No torch.

MiniLM-L6 knows English. What it does to other texts is seen without a model: letters outside its vocabulary become
[UNK] (61 % of the tokens of Chinese reviews), and words it never saw fall into many small pieces.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .backbone import MINILM, spec

CHAR_NGRAMS = "char-ngrams"
MULTILINGUAL = "intfloat/multilingual-e5-small?prefix=query:%20&pooling=mean"
MOST_UNKNOWN = 0.10  # share of words MiniLM may read as unknown; English user content stays below 0.02
MOST_PIECES = 2.0  # pieces a word; English lies near 1.1, German above 2
FOREIGN_PIECES = 1.5  # where the project names another language than English
MOST_TEXTS = 300  # looked at
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")


@dataclass(frozen=True, slots=True)
class Recommendation:
    name: str
    reason: str  # one sentence
    unknown: float  # share of words that MiniLM does not know at all
    pieces: float  # per word that it does


def recommend(
    language: str, texts: Sequence[str], *, reachable: Callable[[str], bool] = lambda name: False
) -> Recommendation:
    """The encoder for texts of this language ("en", "zh-CN", "" when unknown).

    `reachable` says whether a Hugging Face id can be had here (a closed network has none); without one, texts that
    MiniLM cannot read get character n-grams.
    """
    unknown, pieces = reading(texts)
    code = language.strip().lower().replace("_", "-").split("-")[0]
    foreign = code not in ("", "en")
    most_pieces = FOREIGN_PIECES if foreign else MOST_PIECES
    if unknown <= MOST_UNKNOWN and pieces <= most_pieces and (texts or not foreign):
        return Recommendation(MINILM, "MiniLM-L6 knows the words of these texts.", unknown, pieces)
    why = _why(unknown, pieces, code, most_pieces)
    if reachable(MULTILINGUAL):
        return Recommendation(MULTILINGUAL, f"{why} A multilingual model knows them.", unknown, pieces)
    return Recommendation(CHAR_NGRAMS, f"{why} Character n-grams need no vocabulary.", unknown, pieces)


def reading(texts: Sequence[str]) -> tuple[float, float]:
    """(share of words unknown to MiniLM, pieces per known word) by its own vocabulary; (0, 1) without texts."""
    vocabulary, unknown, known, pieces = _vocabulary(), 0, 0, 0
    step = max(1, len(texts) // MOST_TEXTS)
    for text in texts[::step]:
        for word in _words(text):
            found = _pieces(word, vocabulary)
            unknown += not found
            known += bool(found)
            pieces += found
    total = unknown + known
    return (unknown / total if total else 0.0, pieces / known if known else 1.0)


def _why(unknown: float, pieces: float, code: str, most_pieces: float) -> str:
    if unknown > MOST_UNKNOWN:
        return f"MiniLM-L6 reads {100 * unknown:.0f} % of the words as unknown."
    if pieces > most_pieces:
        return f"MiniLM-L6 breaks the words into {pieces:.1f} pieces each and knows English only."
    return f"MiniLM-L6 knows English, not “{code}”."


@lru_cache(maxsize=1)
def _vocabulary() -> frozenset[str]:
    return frozenset((spec(MINILM).folder / "vocab.txt").read_text(encoding="utf-8").splitlines())


def _words(text: str) -> list[str]:
    """As BERT's basic tokeniser cuts: lower case, no accents, every ideograph alone, punctuation alone."""
    plain = unicodedata.normalize("NFD", text.lower())
    plain = "".join(c for c in plain if unicodedata.category(c) != "Mn")
    spaced = "".join(f" {c} " if "\u3400" <= c <= "\u9fff" else c for c in plain)
    return _WORD.findall(spaced)


def _pieces(word: str, vocabulary: frozenset[str]) -> int:
    """Into how many pieces WordPiece's greedy longest match cuts a word; 0 when it becomes [UNK]."""
    start = count = 0
    while start < len(word):
        end = next(
            (stop for stop in range(len(word), start, -1) if ("##" if start else "") + word[start:stop] in vocabulary),
            None,
        )
        if end is None:
            return 0
        start, count = end, count + 1
    return count
