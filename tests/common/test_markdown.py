import pytest

from apps.common.markdown import to_html


def test_markdown_becomes_markup() -> None:
    html = to_html("**bold** and\n\n- one\n- two")
    assert "<strong>bold</strong>" in html
    assert html.count("<li>") == 2


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://example.org/track.gif)",
        '<a href="#" hx-get="/accounts/logout/">x</a>',
        "<iframe src=//example.org></iframe>",
        "<svg><style><img src=x onerror=alert(1)>",
        "`<b>`",
    ],
)
def test_markup_in_markdown_stays_text(attack: str) -> None:
    html = to_html(attack)
    for live in (
        "<script",
        "<img",
        "<iframe",
        "<svg",
        "<b>",
        '<a href="#"',
        'href="javascript',
        'href="data',
        "<style",
    ):
        assert live not in html


def test_headings_begin_below_those_of_the_page_and_skip_no_level() -> None:
    html = to_html("# One\n\n### Two\n\n## Three\n\n# Four")
    assert html.split() == ["<h3>One</h3>", "<h4>Two</h4>", "<h4>Three</h4>", "<h3>Four</h3>"]


def test_links_give_away_nothing() -> None:
    assert 'rel="noopener noreferrer nofollow"' in to_html("[bank](https://example.org)")


def test_an_endless_text_is_shown_plainly() -> None:
    html = to_html("<b>" + "*a" * 60_000)
    assert html.startswith("<pre>")
    assert "<b>" not in html


def test_a_page_with_a_title_alone_has_headings_right_below_it() -> None:
    assert to_html("## One\n\n### Two", 2).split() == ["<h2>One</h2>", "<h3>Two</h3>"]
