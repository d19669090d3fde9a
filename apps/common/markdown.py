"""Guidelines are Markdown by people. Raw HTML is off, and what is left passes an allow-list.

The only place where text becomes markup; nothing else may call mark_safe.
"""

from functools import lru_cache

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

MOST = 100_000  # characters; a longer text is shown as plain text
_TAGS = {
    *("p", "br", "hr", "h3", "h4", "h5", "h6", "em", "strong", "s", "code", "pre", "blockquote"),
    *("ul", "ol", "li", "a", "table", "thead", "tbody", "tr", "th", "td"),
}
_reader = (
    MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"]).disable("image")
)


@lru_cache(maxsize=256)
def to_html(text: str) -> SafeString:
    if len(text) > MOST:
        return mark_safe(f"<pre>{nh3.clean_text(text)}</pre>")  # noqa: S308
    clean = nh3.clean(
        _lower_headings(_reader.render(text)),
        tags=_TAGS,
        attributes={"a": {"href"}, "ol": {"start"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(clean)  # noqa: S308


def _lower_headings(html: str) -> str:
    """The page has its own h1 and h2; those of the guidelines begin at h3."""
    for old, new in (("h4", "h6"), ("h3", "h5"), ("h2", "h4"), ("h1", "h3")):
        html = html.replace(f"<{old}>", f"<{new}>").replace(f"</{old}>", f"</{new}>")
    return html
