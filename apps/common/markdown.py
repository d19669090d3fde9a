"""Guidelines are Markdown by people. Raw HTML is off, and what is left passes an allow-list.

The only place where text becomes markup; nothing else may call mark_safe.
"""

from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

MOST = 100_000  # characters; a longer text is shown as plain text
_TAGS = {
    *("p", "br", "hr", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
_reader = (
    MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"]).disable("image")
)


@lru_cache(maxsize=256)
def to_html(text: str, top: int = 3) -> SafeString:
    if len(text) > MOST:
        return mark_safe(f"<pre>{nh3.clean_text(text)}</pre>")  # noqa: S308
    tokens = _reader.parse(text)
    _seat_headings(tokens, top)
    clean = nh3.clean(
        str(_reader.renderer.render(tokens, _reader.options, {})),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)  # noqa: S308


def _seat_headings(tokens: list[Token], top: int) -> None:
    """The page has headings of its own: those of the text begin at h`top` and never skip a level."""
    above: list[int] = []
    for token in tokens:
        if token.type == "heading_open":
            level = int(token.tag[1])
            while above and above[-1] >= level:
                above.pop()
            above.append(level)
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(top - 1 + len(above), 6)}"
