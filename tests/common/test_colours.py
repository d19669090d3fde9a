"""Every ink on every paper it meets, in both themes, worked out from tokens.css (OKLCH to sRGB after Ottosson 2020)."""

import itertools
import math
import re
from pathlib import Path

import pytest

CSS = Path(__file__).parents[2] / "static" / "css"
TOKENS = (CSS / "tokens.css").read_text()
COLOUR = re.compile(r"--([\w-]+): light-dark\((oklch\([^)]*\)), (oklch\([^)]*\))\)")
THEMES = {"light": 1, "dark": 2}
Rgb = tuple[float, float, float]


def _linear(oklch: str) -> Rgb:
    lightness, chroma, hue = (float(part) for part in oklch[6:-1].split("/", maxsplit=1)[0].split())
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _palette(theme: str) -> dict[str, Rgb]:
    return {found[1]: _linear(found[1 + THEMES[theme]]) for found in COLOUR.finditer(TOKENS)}


def _luminance(rgb: Rgb) -> float:
    red, green, blue = (min(max(part, 0.0), 1.0) for part in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: Rgb, other: Rgb) -> float:
    dark, bright = sorted((_luminance(one), _luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


LABELS = [f"label-{n}" for n in range(1, 13)]
TEXT = [
    *itertools.product(["ink-1", "ink-2", "ink-3"], ["paper-1", "paper-2", "paper-3", "paper-up"]),
    *itertools.product(["accent", *LABELS], ["paper-1", "paper-2", "paper-up"]),
    *[(state, f"{state}-paper") for state in ("good", "careful", "bad")],
    ("accent-ink", "accent"),
    ("accent-strong", "accent-paper"),
    ("ink-2", "accent-paper"),
    ("bad", "paper-2"),
]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("ink", "paper"), TEXT)
def test_text_reaches_four_and_a_half_to_one(theme: str, ink: str, paper: str) -> None:
    palette = _palette(theme)
    assert _contrast(palette[ink], palette[paper]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("edge", ["line-2", "focus", "accent"])
def test_edges_of_controls_reach_three_to_one(theme: str, edge: str) -> None:
    palette = _palette(theme)
    for paper in ("paper-1", "paper-up"):
        assert _contrast(palette[edge], palette[paper]) >= 3


@pytest.mark.parametrize("theme", THEMES)
def test_every_colour_exists_on_an_ordinary_screen(theme: str) -> None:
    for name, rgb in _palette(theme).items():
        assert all(-0.002 <= part <= 1.002 for part in rgb), f"--{name} is outside sRGB and would be shown as another"


@pytest.mark.parametrize("theme", THEMES)
def test_label_colours_share_one_lightness(theme: str) -> None:
    found = [
        match[1 + THEMES[theme]].split("(")[1].split()[0] for match in COLOUR.finditer(TOKENS) if match[1] in LABELS
    ]
    assert len(found) == 12
    assert len(set(found)) == 1


def test_only_tokens_css_names_a_colour() -> None:
    for sheet in CSS.glob("*.css"):
        if sheet.name != "tokens.css":
            rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(), flags=re.DOTALL)
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![^{]*\{)|rgba?\(|hsla?\(|oklch\(\d", rules), sheet.name
