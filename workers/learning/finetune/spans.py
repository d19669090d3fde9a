"""Spans as tags on words and back, by offsets alone. No torch.

A word is a run of letters and digits with the marks that belong to them, a single character in scripts that write
entities without spaces (Han, kana, Hangul, Thai …), or one symbol: an emoji with its modifiers and joiners is one.
Tags are numbers: 0 is O, 1 + 2c is B of label c, 2 + 2c is I of it (IOB2, Ramshaw & Marcus 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from unicodedata import category

from ..types import Span

OUTSIDE = 0
JOINER = "\u200d"
# one character is one word here: Thai, Lao, Tibetan, Burmese, Hangul jamo, Khmer, kana, Han, Hangul, Han beyond the BMP
SINGLE = (
    (0x0E00, 0x0EFF),
    (0x0F00, 0x109F),
    (0x1100, 0x11FF),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xAC00, 0xD7AF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
SKIN = (0x1F3FB, 0x1F3FF)
FLAG = (0x1F1E6, 0x1F1FF)  # two of them are one flag
Bounds = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Unit:
    """text[start:end] gets one tag, read at token `token`: a word, or several that share a token."""

    start: int
    end: int
    token: int


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens [start, end) of a long text, and the units whose tags are read from this window."""

    start: int
    end: int
    units: tuple[int, ...]


def words(text: str) -> list[Bounds]:
    """Start and end of every word, in code points. Spaces belong to none."""
    found: list[Bounds] = []
    before = ""  # kind of the last character: "" after a space
    for i, character in enumerate(text):
        kind = _kind(character)
        if kind and before and _joins(kind, before, text, i, found):
            found[-1] = (found[-1][0], i + 1)
        elif kind:
            found.append((i, i + 1))
        if kind != "mark" or not before:
            before = kind
    return found


def _kind(character: str) -> str:
    code = ord(character)
    if character.isspace():
        return ""
    if SKIN[0] <= code <= SKIN[1]:
        return "mark"
    if FLAG[0] <= code <= FLAG[1]:
        return "flag"
    group = category(character)
    if group[0] == "M" or group == "Cf":
        return "mark"
    if any(low <= code <= high for low, high in SINGLE):
        return "single"
    return "letter" if group[0] in "LN" else "symbol"


def _joins(kind: str, before: str, text: str, i: int, found: list[Bounds]) -> bool:
    if kind == "mark":
        return True
    if kind == "letter":
        return before == "letter"
    if kind == "flag":
        return before == "flag" and i - found[-1][0] == 1
    return kind == "symbol" and before == "symbol" and text[i - 1] == JOINER


def align(bounds: Sequence[Bounds], offsets: Sequence[Bounds]) -> tuple[list[Unit], list[int]]:
    """Words onto tokens (both in order): each is read at its first sub-word. Words that share a token become one unit;
    a word that the tokeniser dropped has none. Also where words begin that had to share."""
    units: list[Unit] = []
    shared: list[int] = []
    token = 0
    for start, end in bounds:
        while token < len(offsets) and offsets[token][1] <= start:
            token += 1
        if token == len(offsets) or offsets[token][0] >= end:
            continue
        if units and units[-1].token == token:
            units[-1] = Unit(units[-1].start, end, token)
            shared.append(start)
        else:
            units.append(Unit(start, end, token))
    return units, shared


def windows(units: Sequence[Unit], n_tokens: int, size: int) -> list[Window]:
    """Cut a text into windows of at most `size` tokens that overlap by a quarter. A unit is read where its nearer edge
    is farthest away."""
    if n_tokens <= size:
        return [Window(0, n_tokens, tuple(range(len(units))))]
    stride = max(1, size - size // 4)
    starts = [*range(0, n_tokens - size, stride), n_tokens - size]
    owned: list[list[int]] = [[] for _ in starts]
    for u, unit in enumerate(units):
        room = [min(unit.token - s, s + size - 1 - unit.token) for s in starts]
        owned[room.index(max(room))].append(u)
    return [Window(s, s + size, tuple(mine)) for s, mine in zip(starts, owned, strict=True)]


def tags_of(spans: Sequence[Span], units: Sequence[Unit]) -> tuple[list[int], int]:
    """(tag of every unit, how many spans cannot be told exactly).

    A span that begins or ends inside a unit takes all of it; of two that overlap the earlier, then longer one stays.
    """
    tags = [OUTSIDE] * len(units)
    inexact = 0
    for span in sorted(spans, key=lambda s: (s.start, -s.end)):
        inside = [u for u, unit in enumerate(units) if unit.start < span.end and unit.end > span.start]
        if not inside or any(tags[u] != OUTSIDE for u in inside):
            inexact += 1
            continue
        inexact += (units[inside[0]].start, units[inside[-1]].end) != (span.start, span.end)
        for u in inside:
            tags[u] = 2 + 2 * span.label
        tags[inside[0]] = 1 + 2 * span.label
    return tags, inexact


def entities(tags: Sequence[int]) -> list[tuple[int, int, int]]:
    """(first, last, label) of every entity as seqeval reads them: an I that continues nothing begins one."""
    found: list[tuple[int, int, int]] = []
    for i, tag in enumerate(tags):
        if tag == OUTSIDE:
            continue
        label, inside = divmod(tag - 1, 2)
        if inside and found and found[-1][1] == i - 1 and found[-1][2] == label:
            found[-1] = (found[-1][0], i, label)
        else:
            found.append((i, i, label))
    return found


def spans_of(tags: Sequence[int], units: Sequence[Unit]) -> list[Span]:
    return [Span(units[first].start, units[last].end, label) for first, last, label in entities(tags)]
