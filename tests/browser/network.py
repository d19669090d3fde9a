"""What a test does to requests on their way.

Chromium may send a request past a route for a moment after `page.route` has returned (6 of 240 in a busy page): what is
set up here is known to work when the function returns. A route that is set before the page is opened needs none of this.
"""

from collections.abc import Callable

from playwright.sync_api import Page, Route

PROBE = "/is-anything-caught/"
UNTIL_CAUGHT = "async (probe) => { while (await fetch(probe).then((answer) => answer.status !== 204, () => false)); }"


def intercept(page: Page, url: str, handler: Callable[[Route], None]) -> None:
    page.route(url, handler)
    page.route(f"**{PROBE}", lambda route: route.fulfill(status=204))
    page.evaluate(UNTIL_CAUGHT, PROBE)


def cut(page: Page, url: str) -> None:
    intercept(page, url, lambda route: route.abort())


def go_offline(page: Page) -> None:
    page.context.set_offline(True)
    page.evaluate(UNTIL_CAUGHT, PROBE)
