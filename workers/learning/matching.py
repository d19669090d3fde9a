"""Which marked spans of two readers belong together."""

from .types import Span

HALF = 0.5  # credit for the right label on overlapping, but not the same, borders (SemEval 2013, task 9)


def overlaps(wanted: set[Span], given: set[Span]) -> list[tuple[Span, Span]]:
    """(given, wanted) pairs of one label that overlap without being equal, longest overlap first, each span once."""
    left, open_ = given - wanted, wanted - given
    pairs = [
        (min(g.end, w.end) - max(g.start, w.start), g, w)
        for g in left
        for w in open_
        if g.label == w.label and g.start < w.end and w.start < g.end
    ]
    used: set[tuple[str, Span]] = set()
    found: list[tuple[Span, Span]] = []
    for _, g, w in sorted(pairs, key=lambda pair: (-pair[0], pair[1:])):
        if ("given", g) not in used and ("wanted", w) not in used:
            used |= {("given", g), ("wanted", w)}
            found.append((g, w))
    return found
