"""What the triage page shows, and how a test waits for it."""

from playwright.sync_api import Page, expect

from apps.feedback.models import Ticket

PAGE = "/p/bank/triage/"


def current(page: Page) -> int:
    return int(page.locator("#ticket").get_attribute("data-number") or 0)


def at(page: Page, number: int) -> None:
    expect(page.locator("#ticket")).to_have_attribute("data-number", str(number))


def numbers(page: Page) -> list[int]:
    return [int(row) for row in page.eval_on_selector_all(".ticket-row", "rows => rows.map(row => row.dataset.number)")]


def saved(page: Page, *, seconds: float = 20) -> None:
    expect(page.locator("#saved")).to_have_attribute("data-state", "saved", timeout=seconds * 1_000)


def fetched(page: Page, number: int) -> None:
    """The ticket lies ready in the page, to be shown at once."""
    page.wait_for_function("number => Marginalia.triage.desk.reader.pieces.has(number)", arg=number)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def states() -> dict[int, str]:
    return dict(Ticket.objects.order_by("number").values_list("number", "state"))


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
