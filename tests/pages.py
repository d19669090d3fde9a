"""Every page of a running product, found as people find them: by its links, one page of each kind."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Error, Page

# what is no page: it ends the session, hands out a file, or answers with a piece
NOT_PAGES = re.compile(
    r"/accounts/logout/|/label/history/|/signals/export/|/static/|/api/|/download/|\.csv|\.json|\.zip|/rejected/|format=|/undo/|/events/|/stream/"
)
_NUMBERS = re.compile(r"\d+")
_PROJECT = re.compile(r"^/p/[^/]+/(?!(label|items|agreement|adjudicate|review)/$)")  # those differ by task kind


def kind_of(url: str) -> str:
    """Pages that differ by the row that they show, by filters, or only by their project, are of one kind."""
    return _PROJECT.sub("/p/…/", _NUMBERS.sub("0", urlsplit(url).path))


def pages(page: Page, start: str = "/", *, most: int = 400) -> Iterator[str]:
    """Leaves the page open at each address in turn. Only answers of 200 with HTML are yielded."""
    origin = urlsplit(page.context.pages[0].url)
    base = f"{origin.scheme}://{origin.netloc}"
    waiting, seen = [start], {kind_of(start)}
    while waiting and most:
        path = waiting.pop(0)
        try:
            answer = page.goto(urljoin(base, path))
        except Error as error:
            if "Download is starting" not in str(error):
                raise
            continue
        if answer is None or "text/html" not in (answer.headers.get("content-type") or ""):
            continue
        most -= 1
        assert answer.status == 200, f"{path}: {answer.status}"
        yield path
        for found in page.eval_on_selector_all(
            "a[href]:not([download])",
            'links => links.map(link => new URL(link.getAttribute("href"), document.baseURI).href)',
        ):
            where = urlsplit(found)
            target = where.path + (f"?{where.query}" if where.query else "")
            if where.netloc == origin.netloc and not NOT_PAGES.search(target) and kind_of(target) not in seen:
                seen.add(kind_of(target))
                waiting.append(target)
