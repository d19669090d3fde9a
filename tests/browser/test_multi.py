"""Several labels per text: by keyboard, without scripts, for everybody."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.annotation.models import Annotation, Task
from apps.projects.models import Label, Project
from tests.browser import network
from tests.browser.conftest import Open
from tests.browser.label_page import PAGE, focused, saved, text, wait_text


@pytest.fixture
def several(project: Project, texts: list[Task]) -> Project:
    Project.objects.filter(pk=project.pk).update(
        task_kind=Project.TaskKind.MULTI, undecided_reasons=["Too little context", "Two meanings"]
    )
    project.refresh_from_db()
    return project


def weigh(project: Project, labels: list[Label], probabilities: list[float], threshold: float = 0.5) -> None:
    suggestion = {
        "head": 1,
        "labels": [label.pk for label in labels],
        "probabilities": probabilities,
        "thresholds": [threshold] * len(labels),
    }
    Task.objects.filter(project=project, split="pool").update(suggestion=suggestion, reason="uncertain", score=0.4)


def said() -> list[dict[str, object] | None]:
    return list(Annotation.objects.order_by("pk").values_list("value", flat=True))


def ticked(page: Page) -> list[str]:
    return page.locator(".answer:has(:checked) .answer-name").all_inner_texts()


def test_a_whole_session_by_keyboard_only(open_page: Open, several: Project, texts: list[Task], bob: User) -> None:
    labels = list(several.labels.all())
    weigh(several, labels, [0.9, 0.6, 0.1])
    page = open_page(bob, PAGE)
    assert ticked(page) == [labels[0].name, labels[1].name]
    page.keyboard.press("Enter")  # as suggested
    wait_text(page, texts[1].item.text)
    assert focused(page) == "item-heading"
    page.keyboard.press("2")
    page.keyboard.press("3")
    assert ticked(page) == [labels[0].name, labels[2].name]
    page.keyboard.press("Enter")
    wait_text(page, texts[2].item.text)
    page.keyboard.press("0")  # none of these, which takes the others away
    assert ticked(page) == ["none of these"]
    page.keyboard.press("Enter")
    wait_text(page, texts[3].item.text)
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("none of these")
    page.keyboard.press("a")
    wait_text(page, texts[4].item.text)
    page.keyboard.press("u")
    page.keyboard.press("2")
    wait_text(page, texts[5].item.text)
    page.keyboard.press("s")
    wait_text(page, texts[6].item.text)
    page.keyboard.press("f")
    page.keyboard.press("1")
    page.keyboard.press("Enter")
    wait_text(page, texts[7].item.text)
    page.keyboard.press("z")
    wait_text(page, texts[6].item.text)
    expect(page.locator("#flagged")).to_be_checked()
    assert ticked(page) == [labels[1].name]
    page.keyboard.press("Enter")
    saved(page)
    page.keyboard.press("q")
    page.wait_for_url("**/label/summary/")
    expect(page.locator("h1")).to_have_text("6 texts answered")
    ids = [label.pk for label in labels]
    values = said()
    assert values[:4] == [{"labels": each} for each in (ids[:2], [ids[0], ids[2]], [], ids[:2])]
    assert values[4] is None
    assert list(Annotation.objects.exclude(undecided="").values_list("undecided", flat=True)) == ["Two meanings"]
    assert set(Annotation.objects.filter(item=texts[0].item).values_list("outcome", flat=True)) == {"accepted"}


def test_among_many_labels_several_are_found_by_letters(
    open_page: Open, several: Project, many: list[Label], bob: User
) -> None:
    weigh(several, [many[40], many[7]], [0.7, 0.2])
    page = open_page(bob, PAGE)
    expect(page.locator("#rest")).to_be_hidden()
    page.keyboard.press("/")
    for typed in ("lost", "余额"):
        page.keyboard.insert_text(typed)
        page.keyboard.press("Enter")
    assert focused(page) == "other-input"
    page.keyboard.press("Enter")  # nothing typed: done with searching
    expect(page.locator("#other-list")).to_be_hidden()
    assert ticked(page) == [many[40].name, "lost or stolen card", "余额不足"]
    first = text(page)
    page.keyboard.press("Enter")
    expect(page.locator("#item-text")).not_to_have_text(first)
    saved(page)
    assert said() == [{"labels": sorted([many[40].pk, many[2].pk, many[4].pk])}]


def test_what_was_ticked_survives_a_reload(open_page: Open, several: Project, texts: list[Task], bob: User) -> None:
    labels = list(several.labels.all())
    page = open_page(bob, PAGE)
    page.keyboard.press("1")
    page.keyboard.press("3")
    page.keyboard.press("c")
    page.keyboard.type("half done")
    page.reload()
    wait_text(page, texts[0].item.text)
    assert ticked(page) == [labels[0].name, labels[2].name]
    assert page.locator("#note").input_value() == "half done"
    page.keyboard.press("Enter")
    wait_text(page, texts[1].item.text)
    saved(page)
    assert not page.evaluate("Object.keys(localStorage).filter((key) => key.includes('draft')).length")


def test_without_javascript(open_page: Open, several: Project, texts: list[Task], bob: User) -> None:
    labels = list(several.labels.all())
    page = open_page(bob, PAGE, java_script_enabled=False)
    page.get_by_role("checkbox", name=labels[1].name).check()
    page.get_by_role("checkbox", name=labels[2].name).check()
    page.get_by_role("button", name="Submit").click()
    wait_text(page, texts[1].item.text)
    page.get_by_role("checkbox", name="none of these").check()
    page.get_by_role("button", name="Submit").click()
    wait_text(page, texts[2].item.text)
    page.get_by_text("Cannot decide").click()
    page.get_by_role("button", name="Two meanings").click()
    wait_text(page, texts[3].item.text)
    assert said() == [{"labels": [labels[1].pk, labels[2].pk]}, {"labels": []}, None]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 390)])
def test_axe_finds_nothing(
    scheme: str, width: int, open_page: Open, several: Project, texts: list[Task], bob: User
) -> None:
    Label.objects.filter(project=several, position__gte=2).update(group="Money", description="About money.")
    weigh(several, list(several.labels.all()), [0.9, 0.6, 0.1])
    page = open_page(bob, PAGE, color_scheme=scheme, viewport={"width": width, "height": 844})
    axe = Axe()
    for prepare in ("1", "u", "Escape", "0"):
        page.keyboard.press(prepare)
        page.wait_for_timeout(150)
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()


def test_answers_survive_an_outage_and_a_reload(
    open_page: Open, several: Project, texts: list[Task], bob: User
) -> None:
    labels = list(several.labels.all())
    page = open_page(bob, PAGE)

    network.cut(page, "**/label/submit/")
    for keys in (("1", "2", "Enter"), ("0", "Enter")):
        for key in keys:
            page.keyboard.press(key)
    expect(page.locator("#saved")).to_have_text("2 unsent")
    page.reload()
    expect(page.locator("#saved")).to_have_text("2 unsent")
    assert not Annotation.objects.exists()
    page.unroute("**/label/submit/")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_text(page, texts[2].item.text)
    saved(page)
    assert said() == [{"labels": [labels[0].pk, labels[1].pk]}, {"labels": []}]
