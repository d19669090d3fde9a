"""Words, and single characters of scripts that are written without spaces, with their places in the text."""

from collections.abc import Iterable, Sequence
from typing import Any

import regex

Token = tuple[int, int]

# Han, kana, Hangul-free: what has no spaces between its words
UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
# an extended grapheme cluster is never cut; letters, digits and what joins them make a word
_TOKEN = regex.compile(rf"(?:(?=[\p{{L}}\p{{N}}_])(?![{UNSPACED}])\X(?:['’\-.](?=[\p{{L}}\p{{N}}]))?)+|(?!\s)\X")
_UNSPACED = regex.compile(rf"[{UNSPACED}\u3000-\u303f\uff00-\uffef]")


def tokens_of(text: str, cuts: Iterable[int] = ()) -> list[Token]:
    """Places of the tokens. A span that begins or ends inside a word (`cuts`) ends a token there, so that
    every span is made of whole tokens."""
    wanted = sorted(set(cuts))
    found: list[Token] = []
    for match in _TOKEN.finditer(text):
        start, end = match.span()
        for cut in wanted:
            if start < cut < end:
                found.append((start, cut))
                start = cut
        found.append((start, end))
    return [place for place in found if not text[place[0] : place[1]].isspace()]


def joined(words: Sequence[str]) -> tuple[str, list[Token]]:
    """A text from its words: a space between two, none where both sides are written without."""
    parts: list[str] = []
    places: list[Token] = []
    length, before = 0, ""
    for word in words:
        if before and not (_UNSPACED.match(before[-1]) and _UNSPACED.match(word[0])):
            parts.append(" ")
            length += 1
        places.append((length, length + len(word)))
        parts.append(word)
        length, before = length + len(word), word
    return "".join(parts), places


def found_in(text: str, words: Sequence[str]) -> list[Token] | None:
    """Where the words stand in a text that is known; None when they are not its words in this order."""
    places, at = [], 0
    for word in words:
        start = text.find(word, at)
        if start < 0 or text[at:start].strip():
            return None
        at = start + len(word)
        places.append((start, at))
    return places


def spans_from_tags(places: Sequence[Token], tags: Sequence[str]) -> list[dict[str, Any]]:
    """IOB, IOB2, BIOES, BILOU or BMES tags into spans; a piece that no beginning precedes begins one.

    Raises ValueError with the place of a tag that is none of these."""
    spans: list[dict[str, Any]] = []
    going: dict[str, Any] | None = None
    for number, ((start, end), tag) in enumerate(zip(places, tags, strict=True)):
        mark, _, label = tag.partition("-") if "-" in tag else tag.partition("_")
        if tag in {"O", ""}:
            going = None
            continue
        if mark not in set("BIOESLUMW") or not label:
            raise ValueError(number)
        if mark in "BSUW" or going is None or going["label"] != label:
            going = {"start": start, "end": end, "label": label}
            spans.append(going)
        else:
            going["end"] = end
        if mark in "ELSUW":
            going = None
    return spans


def tags_from_spans(places: Sequence[Token], spans: Sequence[dict[str, Any]], *, bioes: bool) -> list[str]:
    """The spans must not overlap and must be made of whole tokens."""
    tags = ["O"] * len(places)
    for span in spans:
        inside = [n for n, (start, end) in enumerate(places) if start >= span["start"] and end <= span["end"]]
        for n in inside:
            first, last = n == inside[0], n == inside[-1]
            mark = ("S" if first and last else "B" if first else "E" if last else "I") if bioes else "IB"[first]
            tags[n] = f"{mark}-{span['label']}"
    return tags
