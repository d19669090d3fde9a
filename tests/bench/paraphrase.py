"""The same question as other people would type it: greetings, contractions, synonyms, typing errors, lost words."""

import re
from collections.abc import Callable

import numpy as np

BEFORE = ("hi, ", "hello, ", "hey ", "please help: ", "quick question: ", "good morning, ", "excuse me, ")
AFTER = (" thanks", " please", " thank you", " can you help?", " asap", "??", "!!", " plz", " any idea?")
SAME = {
    "can't": "cannot",
    "cannot": "can't",
    "i'm": "i am",
    "i am": "i'm",
    "isn't": "is not",
    "hasn't": "has not",
    "haven't": "have not",
    "didn't": "did not",
    "don't": "do not",
    "do not": "don't",
    "doesn't": "does not",
    "why": "how come",
    "want": "would like",
    "need": "have",
    "money": "cash",
    "cash": "money",
    "get": "receive",
    "bank": "banking",
    "card": "bank card",
    "my": "the",
    "the": "my",
    "help": "assist",
    "still": "yet",
    "account": "acct",
    "payment": "paymnt",
    "show": "appear",
    "change": "modify",
    "find": "locate",
    "tell": "explain",
}
SMALL = {"a", "an", "the", "of", "to", "is", "it", "so", "just", "really", "please", "do", "does", "have", "been"}
_WORD = re.compile(r"[A-Za-z']+")


def again(question: str, rng: np.random.Generator) -> str:
    """One to three small changes; now and then only the case, or nothing at all."""
    said = question
    for _ in range(int(rng.integers(0, 4))):
        said = _CHANGES[int(rng.integers(len(_CHANGES)))](said, rng)
    return said.strip() or question


def _greeted(said: str, rng: np.random.Generator) -> str:
    return BEFORE[int(rng.integers(len(BEFORE)))] + said[:1].lower() + said[1:]


def _thanked(said: str, rng: np.random.Generator) -> str:
    return said.rstrip("?.! ") + AFTER[int(rng.integers(len(AFTER)))]


def _cased(said: str, rng: np.random.Generator) -> str:
    return said.lower().rstrip("?.! ") if rng.random() < 0.8 else said.upper()


def _synonym(said: str, rng: np.random.Generator) -> str:
    here = [word for word in SAME if re.search(rf"\b{re.escape(word)}\b", said, re.IGNORECASE)]
    if not here:
        return said
    word = here[int(rng.integers(len(here)))]
    return re.sub(rf"\b{re.escape(word)}\b", SAME[word], said, count=1, flags=re.IGNORECASE)


def _typo(said: str, rng: np.random.Generator) -> str:
    words = [match for match in _WORD.finditer(said) if len(match.group()) > 3]
    if not words:
        return said
    match = words[int(rng.integers(len(words)))]
    at = match.start() + int(rng.integers(1, len(match.group()) - 1))
    kind = rng.random()
    if kind < 0.4:
        return said[:at] + said[at + 1] + said[at] + said[at + 2 :]  # two letters change places
    return said[:at] + said[at + 1 :] if kind < 0.8 else said[:at] + said[at] + said[at:]


def _lost(said: str, rng: np.random.Generator) -> str:
    small = [match for match in _WORD.finditer(said) if match.group().lower() in SMALL]
    if not small:
        return said
    match = small[int(rng.integers(len(small)))]
    return (said[: match.start()] + said[match.end() :]).replace("  ", " ")


_CHANGES: tuple[Callable[[str, np.random.Generator], str], ...] = (_greeted, _thanked, _cased, _synonym, _typo, _lost)
