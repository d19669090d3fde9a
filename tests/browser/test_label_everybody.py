"""Labelling without scripts, by screen reader, in both themes, on a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Task
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.browser.conftest import Open, suggest
from tests.browser.label_page import PAGE, focused, saved, text, wait_text

# --- without scripts, and for everybody ---


def test_without_javascript(open_page: Open, project: Project, texts: list[Task], bob: User) -> None:
    page = open_page(bob, PAGE, java_script_enabled=False)
    page.get_by_role("radio", name=project.labels.all()[1].name).check()
    page.get_by_role("button", name="Submit").click()
    wait_text(page, texts[1].item.text)
    page.get_by_role("button", name="Undo").click()
    wait_text(page, texts[0].item.text)
    page.get_by_role("button", name="Skip").click()
    wait_text(page, texts[1].item.text)
    assert [said.retracted for said in Annotation.objects.order_by("pk")] == [False, True]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_axe_finds_nothing(
    scheme: str, width: int, open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    Project.objects.update(guidelines="# Cards\n\nOnly *new* cards.")
    suggest(project, many[40], many[7], many[3])
    page = open_page(bob, PAGE, color_scheme=scheme, viewport={"width": width, "height": 844})
    axe = Axe()
    page.keyboard.press("1")
    saved(page)
    for prepare, shown in (("", "#do-skip"), ("k", "#do-present"), ("Escape", "#do-skip"), ("/", "#other-list")):
        if prepare:
            page.keyboard.press(prepare)
        expect(page.locator(shown)).to_be_visible()
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()


def test_the_empty_queue_is_found_and_left_by_itself(open_page: Open, project: Project, bob: User) -> None:
    make.items(project, 2)
    services.take_in(project)
    page = open_page(bob, PAGE)
    page.keyboard.press("1")
    last = text(page)
    page.keyboard.press("1")
    expect(page.locator("#nothing")).to_be_visible()
    expect(page.locator("#answer")).to_be_hidden()
    assert focused(page) == "empty-heading"
    make.items(project, 1)
    services.take_in(project)
    page.evaluate("Marginalia.label.desk.load()")
    wait_text(page, "question 2")
    page.keyboard.press("z")
    wait_text(page, last)


@pytest.mark.parametrize(
    "nasty",
    [
        "<img src=x onerror=alert(1)>",
        "</script><script>alert(1)</script>",
        "</template><svg onload=alert(1)>",
        "'\"><b hx-get=/ hx-trigger=load>",
    ],
)
def test_nasty_names_stay_names(
    nasty: str, open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    Label.objects.filter(pk=many[0].pk).update(name=nasty, description=nasty)
    Project.objects.update(name=nasty, guidelines=nasty)
    (item,) = make.items(project, 1)
    evil = project.items.create(
        external_id=nasty, text=nasty, text_hash=item.text_hash, split="pool", meta={nasty: nasty}
    )
    Task.objects.create(project=project, item=evil, split="pool", rank=-1)
    suggest(project, many[0], many[1])
    page = open_page(bob, PAGE)
    assert text(page) == nasty
    page.keyboard.press("/")
    page.keyboard.type("img script svg b"[:3])
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.locator("#likely .answer").first.hover()
    expect(page.locator("#label-note")).to_contain_text(nasty)
    page.keyboard.press("1")
    saved(page)
    page.keyboard.press("k")
    wait_text(page, nasty)
    assert page.locator("main img, main svg[onload], main b[hx-get]").count() == 0
