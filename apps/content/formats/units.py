"""Offsets in other units than ours. We count code points; browsers count UTF-16 code units."""

from bisect import bisect_right
from collections.abc import Sequence


def from_utf16(text: str, offsets: Sequence[int]) -> list[int]:
    """Of UTF-16 units into code points; an offset inside a pair moves to the pair's end."""
    if text.isascii():
        return list(offsets)
    ends: list[int] = []  # where each character that takes two units ends, in units
    for place, char in enumerate(text):
        if char > "\uffff":
            ends.append(place + len(ends) + 2)
    return [offset - bisect_right(ends, offset) for offset in offsets]


def to_utf16(text: str, offset: int) -> int:
    return offset if text.isascii() else len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2
