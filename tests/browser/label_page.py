"""What the label page shows, and what was stored."""

from playwright.sync_api import Page, expect

from apps.annotation.models import Annotation

PAGE = "/p/bank/label/"


def text(page: Page) -> str:
    return page.locator("#item-text").inner_text()


def saved(page: Page) -> None:
    expect(page.locator("#saved")).to_have_attribute("data-state", "saved")


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def wait_text(page: Page, wanted: str) -> None:
    expect(page.locator("#item-text")).to_have_text(wanted)


def standing() -> list[tuple[str, str]]:
    """What people said, by item, with taken-back answers left out."""
    newest = {said.item.text: said for said in Annotation.objects.order_by("revision").select_related("item", "label")}
    return sorted((text, said.label.name) for text, said in newest.items() if said.label and not said.retracted)
