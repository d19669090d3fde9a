"""What the label page shows, and what was stored."""

from datetime import UTC, datetime, timedelta

from playwright.sync_api import Page, Route, expect

from apps.annotation.models import Annotation
from tests.browser import network

PAGE = "/p/bank/label/"
IN_ONE_BREATH = """
  (keys) => keys
    .map((key) => new KeyboardEvent("keydown", { key: key.split("+").pop(), ctrlKey: key.startsWith("Control+"), bubbles: true, cancelable: true }))
    .map((event) => { document.activeElement.dispatchEvent(event); return document.getElementById("item-text").textContent; })
"""
ONLY_BY_HAND = """
  () => {
    const { outbox } = Marginalia.label.desk;
    if (outbox.inFlight) return false;
    clearTimeout(outbox.timer);
    return true;
  }
"""


def text(page: Page) -> str:
    return page.locator("#item-text").inner_text()


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_attribute("data-state", "saved")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def wait_text(page: Page, wanted: str) -> None:
    expect(page.locator("#item-text")).to_have_text(wanted)


def in_one_breath(page: Page, *keys: str) -> list[str]:
    """Pressed at the same moment, however slow the machine: no clock and no answer comes in between. Returns the text
    that stood there after each."""
    seen: list[str] = page.evaluate(IN_ONE_BREATH, list(keys))
    return seen


def only_by_hand(page: Page) -> None:
    """From now on nothing that waits is sent again by itself: it could be gone before the button is pressed."""
    page.wait_for_function(ONLY_BY_HAND)


def holding(page: Page) -> list[Route]:
    """The next answer is on its way until the test lets it go."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if held:
            route.continue_()
        else:
            held.append(route)

    network.intercept(page, "**/label/submit/", hold)
    return held


def let_go(page: Page, held: list[Route]) -> None:
    for _ in range(3_000):  # not by the clock: a machine that stood still for a while has not looked in the meantime
        if held:
            break
        page.wait_for_timeout(20)
    assert held, f"no answer was sent; the page says “{page.locator('#saved').inner_text()}”"
    held[0].continue_()


def stop_the_clock(page: Page) -> None:
    """The page's own, until it is resumed: what it would do after a while it does when the test says so."""
    page.clock.install()
    page.clock.pause_at(datetime.now(UTC) + timedelta(minutes=1))  # the past is refused


def standing() -> list[tuple[str, str]]:
    """What people said, by item, with taken-back answers left out."""
    newest = {said.item.text: said for said in Annotation.objects.order_by("revision").select_related("item", "label")}
    return sorted((text, said.label.name) for text, said in newest.items() if said.label and not said.retracted)
