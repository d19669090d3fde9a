"""Learning curves as SVG: one panel per file, readable on light and dark pages, no library."""

from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 420, 300  # of a panel
LEFT, RIGHT, TOP, BOTTOM = 46, 14, 34, 40
ACROSS = 2  # panels in a row
COLOURS = ("#3b82c4", "#d9730d", "#2e9e6b", "#c2458f", "#8a6fd1", "#b08900", "#2aa0a8", "#c0504d")
YARDSTICK_COLOUR = "#8c8c8c"

STYLE = """
text { font: 12px system-ui, sans-serif; fill: #333 } .title { font-weight: 600; font-size: 14px }
.grid { stroke: #8884; stroke-width: 1 } .line { fill: none; stroke-width: 2; stroke-linejoin: round }
@media (prefers-color-scheme: dark) { text { fill: #ddd } }
"""


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    headline: str  # what the vertical axis measures
    unit: str  # what the horizontal axis counts
    strategies: dict[str, dict[str, Any]]  # name -> {"curve": [[spent, score, standard error, …], …]}


def draw(panels: list[Panel]) -> str:
    names = list(dict.fromkeys(name for panel in panels for name in panel.strategies))
    names.sort(key=lambda name: (name != "auto", name == "random"))
    colour = dict(zip([name for name in names if name != "random"], COLOURS * len(names), strict=False))
    colour["random"] = YARDSTICK_COLOUR
    rows = -(-len(panels) // ACROSS)
    width, height = WIDTH * min(ACROSS, len(panels)), HEIGHT * rows
    legend, legend_height = _legend(names, colour, width, height)
    inner = "".join(
        f'<g transform="translate({WIDTH * (i % ACROSS)} {HEIGHT * (i // ACROSS)})">{_panel(panel, colour)}</g>'
        for i, panel in enumerate(panels)
    )
    total = height + legend_height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {total}" width="{width}" height="{total}" '
        f'role="img" aria-label="Learning curves"><style>{STYLE}</style>{inner}{legend}</svg>\n'
    )


def _panel(panel: Panel, colour: dict[str, str]) -> str:
    points = [point for one in panel.strategies.values() for point in one["curve"]]
    right = float(max(point[0] for point in points))
    low, high = _rounded(min(point[1] for point in points), max(point[1] for point in points))

    def x(spent: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * spent / right, 1)

    def y(score: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - score) / (high - low), 1)

    parts = [f'<text class="title" x="{LEFT}" y="20">{escape(panel.title)}</text>']
    for step in range(5):
        score, spent = low + (high - low) * step / 4, right * step / 4
        parts += [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(score)}" y2="{y(score)}"/>',
            f'<text x="{LEFT - 6}" y="{y(score) + 4}" text-anchor="end">{score:.2f}</text>',
            f'<text x="{x(spent)}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{spent:,.0f}</text>',
        ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{escape(panel.headline)} after so many '
        f"{escape(panel.unit)}</text>"
    )
    for name, one in sorted(panel.strategies.items(), key=lambda item: item[0] == "auto"):
        curve, tint = one["curve"], colour[name]
        if len(curve) > 1 and name in ("auto", "random"):  # bands for the pair that is compared
            above = [f"{x(p[0])},{y(min(p[1] + p[2], high))}" for p in curve]
            below = [f"{x(p[0])},{y(max(p[1] - p[2], low))}" for p in reversed(curve)]
            parts.append(f'<polygon points="{" ".join(above + below)}" fill="{tint}" opacity="0.18"/>')
        line = " ".join(f"{x(p[0])},{y(p[1])}" for p in curve)
        parts.append(f'<polyline class="line" points="{line}" stroke="{tint}"><title>{escape(name)}</title></polyline>')
    return "".join(parts)


def _rounded(low: float, high: float) -> tuple[float, float]:
    """Whole twentieths around the curves."""
    bottom, top = int(low * 20) / 20, -int(-high * 20 // 1) / 20
    return bottom, max(top, bottom + 0.05)


def _legend(names: list[str], colour: dict[str, str], width: int, top: int) -> tuple[str, int]:
    parts, at, row = [], LEFT, 0
    for name in names:
        length = 34 + 7 * len(name)
        if at + length > width:
            at, row = LEFT, row + 1
        y = top + 14 + 20 * row
        parts.append(
            f'<line class="line" x1="{at}" x2="{at + 18}" y1="{y}" y2="{y}" stroke="{colour[name]}"/>'
            f'<text x="{at + 24}" y="{y + 4}">{escape(name)}</text>'
        )
        at += length + 8
    return "".join(parts), 24 + 20 * (row + 1)
