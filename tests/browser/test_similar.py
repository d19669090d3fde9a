"""Labelling similar items by keyboard alone, in a real browser."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.annotation.models import Resolution
from apps.content.models import Item
from apps.projects.models import Project
from tests.browser.conftest import Open
from tests.explore import maps
from tests.learning import rows


@pytest.fixture
def made(project: Project) -> list[Item]:
    found = maps.texts(project, groups=3, each=12)
    rows.open_tasks(project, found)
    return found


def test_a_group_is_chosen_checked_labelled_and_taken_back_by_keys(
    open_page: Open, bob: User, project: Project, made: list[Item]
) -> None:
    page = open_page(bob, "/p/bank/similar/")
    page.get_by_role("link", name="x group").first.focus()
    page.keyboard.press("Enter")
    counter = page.locator("[data-counter]")
    expect(counter).to_have_text("1 checked")  # the text itself
    for key in ("j", "j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(counter).to_have_text("3 checked")
    page.keyboard.press("a")
    expect(counter).to_have_text("25 checked")
    page.keyboard.press("a")
    expect(counter).to_have_text("0 checked")
    for key in ("x", "j", "x"):
        page.keyboard.press(key)
    expect(counter).to_have_text("2 checked")
    page.keyboard.press("2")
    expect(page.get_by_text("2 texts labelled")).to_be_visible()
    page.wait_for_load_state()  # a new page: its keys are bound when it has loaded
    chosen = project.labels.all()[1]
    assert Resolution.objects.filter(label=chosen).count() == 2
    page.keyboard.press("z")
    expect(page.get_by_text("Taken back: 2 texts are as they were.").first).to_be_visible()
    assert not Resolution.objects.exists()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing_and_nothing_sticks_out(
    open_page: Open, bob: User, project: Project, made: list[Item], scheme: str, width: int
) -> None:
    for n, item in enumerate(made[6:12] + made[18:]):
        rows.resolve(item, project.labels.all()[n % 2])
    page = open_page(bob, "/p/bank/similar/", color_scheme=scheme, viewport={"width": width, "height": 844})
    check(page)
    page.goto(f"/p/bank/similar/?item={made[0].pk}")
    check(page)
    page.locator("[data-digit='1']").click()
    expect(page.locator("#similar-done")).to_be_visible()
    page.wait_for_load_state()  # its styles with it
    check(page)
    Project.objects.update(task_kind="multi")
    page.goto(f"/p/bank/similar/?item={made[1].pk}")
    check(page)
    Project.objects.update(task_kind="spans")
    page.goto(f"/p/bank/similar/?item={made[1].pk}")
    check(page)


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert not found, [(one["id"], [node["target"] for node in one["nodes"]]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
