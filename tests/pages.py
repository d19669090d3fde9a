"""Every page of a running product, found as people find them: by its links, one page of each kind."""

import re
from collections.abc import Iterator
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Error, Page

# what is no page: it ends the session, hands out a file, or answers with a piece
NOT_PAGES = re.compile(
    r"/accounts/logout/|/label/history/|/signals/export/|/static/|/api/|/download/|\.csv|\.json|\.zip|/rejected/|format=|/undo/|/events/|/stream/"
)
SIGNED_OUT = ("/accounts/login/", "/accounts/password/reset/", "/accounts/password/reset/done/", "/accounts/inactive/")
_NUMBERS = re.compile(r"\d+")
# those differ by the kind of task, so each project shows its own
_OF_A_KIND = "label|items|items/0|similar|agreement|adjudicate|review|gold|label-errors|train|train/versions/0|settings/labelling"
_PROJECT = re.compile(rf"^/p/[^/]+/(?!({_OF_A_KIND})/$)")


def kind_of(url: str) -> str:
    """Pages that differ by the row that they show, by filters, or only by their project, are of one kind."""
    return _PROJECT.sub("/p/…/", _NUMBERS.sub("0", urlsplit(url).path))


def name_of(path: str) -> str:
    """A kind as the name of a file."""
    return kind_of(path).strip("/").replace("/", ".").replace("p.….", "") or "home"


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
        settled(page)
        links = page.eval_on_selector_all(
            "a[href]:not([download])",
            'links => links.map(link => new URL(link.getAttribute("href"), document.baseURI).href)',
        )
        yield path
        for found in links:
            where = urlsplit(found)
            target = where.path + (f"?{where.query}" if where.query else "")
            if where.netloc == origin.netloc and not NOT_PAGES.search(target) and kind_of(target) not in seen:
                seen.add(kind_of(target))
                waiting.append(target)


def settled(page: Page) -> None:
    """Pieces that load by themselves are there."""
    page.wait_for_selector(".htmx-request", state="detached")


def unlinked(page: Page, start: str) -> Iterator[str]:
    """What no link leads to: answers to forms, dialogs, menus, refusals, and pages for those who are not signed in (last)."""
    page.goto(f"{start}items/")
    for box in page.locator("#items input[name=item]").all()[:3]:
        box.check()
    page.locator("#pick-these").click()
    page.wait_for_url("**/items/bulk/")
    yield "items.bulk"
    page.goto(f"{start}labels/")
    page.locator("a[href$='/merge/']").first.click()
    page.locator("main input[name=labels]").first.check()
    page.locator("main form .primary").click()
    page.locator("main input[name=sure]").wait_for(state="attached")
    yield "labels.merge.preview"
    page.goto(f"{start}content/")
    few = b"text,label,where\nWhere is my card?,card_arrival,app\nI was charged twice,,web\n"
    page.set_input_files("#upload [type=file]", {"name": "few.csv", "mimeType": "text/csv", "buffer": few})
    page.locator("#upload .primary").click()
    page.locator("#mapping").wait_for()
    yield "content.mapping"
    page.locator("[form=cancel]").click()
    page.goto(f"{start}items/")
    for at, menu in enumerate(page.locator("details.menu").all()):
        menu.locator("summary").click()
        yield f"menu-{at}"
        page.keyboard.press("Escape")
    for name, keys in (("palette", "Control+k"), ("keys", "?")):
        page.locator("h1").first.click()
        page.keyboard.press(keys)
        page.locator("dialog[open]").wait_for()
        yield name
        page.keyboard.press("Escape")
    page.goto("/p/nowhere/")
    yield "404"
    page.context.clear_cookies()
    for path in SIGNED_OUT:
        page.goto(path)
        yield name_of(path)
