"""The list of items by keyboard alone, and acts on what was ticked."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Resolution
from apps.content import search
from apps.content.models import Item
from apps.projects.models import Project
from tests.annotation import make
from tests.browser.conftest import Open

URL = "/p/bank/items/"


@pytest.fixture
def items(project: Project) -> list[Item]:
    made = make.items(project, 60)
    services.take_in(project)
    search.index(project)
    return made[::-1]  # as the list shows them


def on(page: Page, item: Item) -> None:
    expect(page.locator(f'[data-item="{item.pk}"] .item-text')).to_be_focused()


def clean(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_rows_are_walked_ticked_and_opened_by_keyboard(open_page: Open, items: list[Item], rita: User) -> None:
    page = open_page(rita, URL)
    expect(page.locator("#amount")).to_have_text("60 items")
    for key in ("j", "j", "j", "k"):
        page.keyboard.press(key)
    on(page, items[1])
    page.keyboard.press("x")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#picked")).to_have_text("2 selected")
    page.keyboard.press("Escape")
    expect(page.locator("#picked")).to_have_text("")
    on(page, items[2])
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{URL}{items[2].pk}/")
    page.go_back()
    page.keyboard.press("/")
    page.keyboard.type(f"{items[40].text}")
    page.keyboard.press("Enter")
    expect(page.locator(".item-row")).to_have_count(1)


def test_past_the_last_row_the_next_page_comes(open_page: Open, items: list[Item], rita: User) -> None:
    page = open_page(rita, URL)
    page.locator(f'[data-item="{items[49].pk}"] .item-text').focus()
    page.keyboard.press("j")
    expect(page.locator("#more-items a")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".item-row")).to_have_count(60)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_what_was_ticked_is_labelled_and_taken_back(
    open_page: Open, items: list[Item], rita: User, scheme: str, width: int
) -> None:
    page = open_page(rita, URL, color_scheme=scheme, viewport={"width": width, "height": 844})
    clean(page)
    for item in items[:2]:
        page.locator(f'[data-item="{item.pk}"] input').check()
    page.locator("#pick-these").click()
    expect(page.locator("h1")).to_contain_text("these 2 items")
    page.wait_for_load_state()  # its styles with it
    clean(page)
    page.locator("select[name=label]").select_option(label="exchange rate")
    page.get_by_role("button", name="Set the label").click()
    expect(page.locator(".toast")).to_contain_text("2 items are labelled.")
    assert Resolution.objects.count() == 2
    page.get_by_role("button", name="Take it back").click()
    page.wait_for_url("**/changes/")
    assert not Resolution.objects.exists()
    page.goto(f"{URL}{items[0].pk}/")
    expect(page.locator(".item-why")).to_contain_text("Not labelled yet")
    clean(page)
