"""Marking spans in a real browser: by keyboard alone, by pointer, by finger."""

import random

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.annotation.models import Annotation
from apps.projects.models import Label, Project
from tests.browser.conftest import Open
from tests.browser.label_page import saved, wait_text
from tests.browser.spans_page import (
    PAGE,
    answered,
    handed_out,
    hard_texts,
    marked,
    mouse_up,
    spans_project,
    stored,
    suggest,
)

MERKEL = "Angela Merkel met Emmanuel Macron in Berlin."
BANK = "The Bank of France is in Paris."
EXPECTED_PROBLEM = "Nothing is marked."


def ready(page: Page) -> None:
    expect(page.locator(".spans-stage .reading")).to_be_visible()


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def test_a_whole_sitting_by_keyboard_alone(open_page: Open, project: Project, bob: User) -> None:
    first, second, third = spans_project(project, [MERKEL, BANK, "Nobody went anywhere."])
    suggest(second, ("Bank of France", "organisation"), ("Paris", "place"))
    handed_out(project, bob, first, second, third)
    page = open_page(bob, PAGE)
    ready(page)
    # select two words, give them a label; the word at the caret needs no selection
    press(page, "Control+Home", "Control+Shift+ArrowRight", "Control+Shift+ArrowRight", "1")
    assert marked(page) == ["person “Angela Merkel”"]
    expect(page.locator("#announce")).to_have_text("Marked as person: “Angela Merkel”.")
    press(page, "Escape", "End", "ArrowLeft", "2")
    assert marked(page)[1] == "place “Berlin”"
    # too short, extended by a character each; then the other end
    press(page, "Escape", "Control+Home", *["Control+ArrowRight"] * 3, "Shift+ArrowRight", "3")
    press(page, *["Shift+ArrowRight"] * 7, "1")
    assert marked(page)[1] == "person “Emmanuel”"
    press(page, "Control+Shift+ArrowRight", "Space", "Shift+ArrowLeft", *["Shift+ArrowRight"] * 2, "Shift+ArrowLeft")
    assert marked(page)[1] == "person “Emmanuel Macron”"
    # from span to span, one goes and comes back
    press(page, "Escape", "Control+Home", "]", "]", "Delete")
    assert len(marked(page)) == 2
    press(page, "Control+z")
    assert len(marked(page)) == 3
    press(page, "Enter")

    wait_text(page, BANK)
    page.wait_for_timeout(250)  # right after an Enter it would mean that text
    press(page, "Enter")
    expect(page.locator("#notice")).to_contain_text("Suggestions still open: 2")
    press(page, "]", "a")  # one accepted; the next is selected
    expect(page.locator("#span-bar")).to_have_attribute("data-state", "guess")
    press(page, "x", "Enter")

    wait_text(page, "Nobody went anywhere.")
    page.wait_for_timeout(250)
    press(page, "Enter")
    expect(page.locator("#notice")).to_contain_text(EXPECTED_PROBLEM)
    press(page, "Enter")
    expect(page.locator("#nothing")).to_be_visible()
    saved(page)
    assert stored(first) == [("person", "Angela Merkel"), ("person", "Emmanuel Macron"), ("place", "Berlin")]
    assert stored(second) == [("organisation", "Bank of France")]
    assert stored(third) == []
    outcomes = dict(Annotation.objects.values_list("item_id", "outcome"))
    assert outcomes[second.item_id] == Annotation.Outcome.CORRECTED


def test_all_suggestions_at_once(open_page: Open, project: Project, bob: User) -> None:
    first, second = spans_project(project, [BANK, MERKEL])
    suggest(first, ("Bank of France", "organisation"), ("Paris", "place"))
    suggest(second, ("Berlin", "person"))
    handed_out(project, bob, first, second)
    page = open_page(bob, PAGE)
    ready(page)
    assert page.locator(".span-row.guess").count() == 2
    press(page, "a", "Enter")
    wait_text(page, MERKEL)
    press(page, "]", "2", "Enter")  # another label is an answer of one's own
    saved(page)
    assert stored(first) == [("organisation", "Bank of France"), ("place", "Paris")]
    assert stored(second) == [("place", "Berlin")]
    outcomes = list(Annotation.objects.order_by("pk").values_list("outcome", flat=True))
    assert outcomes == [Annotation.Outcome.ACCEPTED, Annotation.Outcome.CORRECTED]


def test_by_mouse(open_page: Open, project: Project, bob: User) -> None:
    (task,) = spans_project(project, [MERKEL])
    page = open_page(bob, PAGE)
    ready(page)
    drag(page, "gela", "Merk")  # from the middle of a word to the middle of another: nothing is cut that was not meant
    page.locator(".span-label", has_text="person").click()
    assert marked(page) == ["person “gela Merk”"]
    for act in ("startOut", "endOut"):
        page.locator(f"[data-act={act}]").click()
    assert marked(page) == ["person “Angela Merkel”"]
    # a label without a selection is a pen
    page.keyboard.press("Escape")
    page.locator("#item-heading").click()
    box = place_of(page, "Berlin")
    page.mouse.dblclick(box[0] + 4, box[1])
    page.locator(".span-label", has_text="place").click()
    page.locator("[data-act=delete]").click()
    page.mouse.click(*place_of(page, "Berlin"))
    page.locator(".span-label", has_text="place").click()
    page.locator("#span-list button").first.click()
    expect(page.locator("#span-what")).to_have_text("person")
    page.locator("#do-submit").click()
    saved(page)
    assert stored(task) == [("person", "Angela Merkel"), ("place", "Berlin")]


def test_by_finger(open_page: Open, project: Project, bob: User) -> None:
    (task,) = spans_project(project, [MERKEL])
    page = open_page(bob, PAGE, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 800})
    ready(page)
    page.touchscreen.tap(*place_of(page, "Berlin"))
    page.locator(".span-label", has_text="place").tap()
    assert marked(page) == ["place “Berlin”"]
    # the handles of the browser's own selection
    page.evaluate(
        "getSelection().setBaseAndExtent(document.querySelector('.reading').firstChild, 0, document.querySelector('.reading').firstChild, 13)"
    )
    expect(page.locator("#span-bar")).to_have_attribute("data-state", "selection")
    page.locator(".span-label", has_text="person").tap()
    page.locator("#do-submit").tap()
    saved(page)
    assert stored(task) == [("person", "Angela Merkel"), ("place", "Berlin")]


def test_spans_may_lie_in_one_another_only_where_the_project_says_so(
    open_page: Open, project: Project, bob: User
) -> None:
    first, second = spans_project(project, [BANK, "Bank of England"])
    handed_out(project, bob, first, second)
    page = open_page(bob, PAGE)
    ready(page)
    whole = ["Control+Home", "Control+ArrowRight", *["Control+Shift+ArrowRight"] * 3, "3", "Escape"]
    press(page, *whole, "ArrowLeft", "2")
    expect(page.locator("#span-what")).to_contain_text("Spans may not overlap here")
    project.overlapping = True
    project.save()
    page.reload()
    ready(page)
    assert marked(page) == ["organisation “Bank of France”"]  # the draft
    press(page, "]", "Escape", "ArrowLeft", "2")
    assert marked(page) == ["organisation “Bank of France”", "place “France”"]
    press(page, "Enter")
    wait_text(page, second.item.text)
    saved(page)
    assert stored(first) == [("organisation", "Bank of France"), ("place", "France")]


@pytest.mark.parametrize("highlights", [True, False], ids=["highlights", "segments"])
def test_any_text_goes_through_page_and_server_unharmed(
    open_page: Open, project: Project, bob: User, highlights: bool
) -> None:
    """Keys and pulls of the mouse by lot on texts of every kind, carriage returns too; the server finds each quote."""
    rng = random.Random(7 + highlights)
    texts = ["👩\u200d👩\u200d👧\u200d👦🇩🇪 e\u0301a\r\nb\r𠮷野家 عربي שלום क्षत्रिय", *hard_texts(4, seed=21)]
    tasks = spans_project(project, texts, overlapping=True)
    page = open_page(bob, PAGE)
    if not highlights:
        page.add_init_script("Object.defineProperty(CSS, 'highlights', { value: undefined })")
        page.reload()
    ready(page)
    by_item = {str(task.item_id): task for task in tasks}
    while by_item:
        task = by_item.pop(page.evaluate("Marginalia.label.desk.card.item"))
        assert page.evaluate("document.querySelector('.reading').textContent") == task.item.text
        for _turn in range(3):
            press(page, "Escape", "Escape", rng.choice(["Control+Home", "ArrowDown", "Control+ArrowRight"]))
            press(page, *rng.choices(["Shift+ArrowRight", "Control+Shift+ArrowRight", "Shift+ArrowDown"], k=3))
            press(page, rng.choice("123"))
        box = page.locator(".reading").bounding_box()
        assert box
        page.mouse.move(box["x"] + rng.random() * 80, box["y"] + 25)
        page.mouse.down()
        page.mouse.move(box["x"] + 100 + rng.random() * 200, box["y"] + box["height"] - 15)
        mouse_up(page)
        press(page, "2")
        sent = page.evaluate("Marginalia.label.desk.kind.marks.value().length")
        assert page.evaluate("document.querySelector('.reading').textContent") == task.item.text
        press(page, "Enter")
        if not sent:
            press(page, "Enter")
        page.wait_for_function("(item) => Marginalia.label.desk.card?.item !== item", arg=str(task.item_id))
        saved(page)
        expect(page.locator("#notice")).to_be_hidden()  # a refusal would stand there, in words
        if by_item:
            page.wait_for_function("() => Marginalia.label.desk.open")
    saved(page)
    expect(page.locator("#notice")).to_be_hidden()
    assert sum(len(stored(task)) for task in tasks) > 5


def test_without_highlights_a_long_text_is_split_where_it_is_read(open_page: Open, project: Project, bob: User) -> None:
    words = [f"word{at:04}" for at in range(3000)]
    task, _next = spans_project(project, [" ".join(words), BANK])
    suggest(task, *((word, "place") for word in words[::15]))
    handed_out(project, bob, task)
    page = open_page(bob, PAGE)
    page.add_init_script("Object.defineProperty(CSS, 'highlights', { value: undefined })")
    page.reload()
    ready(page)
    split = page.locator(".reading .seg")
    assert 5 < split.count() < 150
    expect(split.first).to_have_text("word0000")
    press(page, "[")  # the last one: the text goes there, and what is in sight is split
    expect(split.last).to_have_text(words[::15][-1])
    assert split.first.inner_text() != "word0000"
    press(page, "a")
    press(page, "Escape", "Control+Home")
    expect(split.first).to_have_text("word0000")
    assert page.locator(".reading").inner_text() == task.item.text
    assert page.locator("#span-list li").count() == 200


def test_an_earlier_answer_is_changed(open_page: Open, project: Project, bob: User) -> None:
    (task,) = spans_project(project, [MERKEL])
    answered(project, bob, task, ("Berlin", "person"))
    page = open_page(bob, f"{PAGE}?item={task.item_id}")
    ready(page)
    assert marked(page) == ["person “Berlin”"]
    press(page, "]", "2", "Enter")
    saved(page)
    assert stored(task) == [("place", "Berlin")]


def test_a_reload_keeps_what_was_marked(open_page: Open, project: Project, bob: User) -> None:
    first, _second = spans_project(project, [MERKEL, BANK])
    suggest(first, ("Berlin", "place"), ("Emmanuel Macron", "person"))
    handed_out(project, bob, first)
    page = open_page(bob, PAGE)
    ready(page)
    press(page, "]", "x", "Escape", "Control+Home", "1")
    before = marked(page)
    page.reload()
    ready(page)
    assert marked(page) == before == ["person “Angela”", "place “Berlin” suggested"]


def test_a_flag_alone_does_not_leave_out_what_is_marked(open_page: Open, project: Project, bob: User) -> None:
    first, second = spans_project(project, [BANK, MERKEL])
    suggest(first, ("Paris", "place"))
    handed_out(project, bob, first, second)
    page = open_page(bob, PAGE)
    ready(page)
    press(page, "Control+Home", "Control+ArrowRight", "1", "f", "Enter")
    expect(page.locator("#notice")).to_contain_text("Suggestions still open: 1")
    press(page, "a", "Enter")
    wait_text(page, MERKEL)
    saved(page)
    assert stored(first) == [("person", "Bank"), ("place", "Paris")]
    press(page, "f", "Enter")  # nothing is marked here: a flag will do
    expect(page.locator("#nothing")).to_be_visible()
    saved(page)
    assert Annotation.objects.get(item=second.item).flagged


def test_the_focus_stays_when_a_button_goes(open_page: Open, project: Project, bob: User) -> None:
    (task,) = spans_project(project, [BANK])
    suggest(task, ("Bank of France", "organisation"), ("Paris", "place"))
    handed_out(project, bob, task)
    page = open_page(bob, PAGE)
    ready(page)
    press(page, "]")
    page.locator("[data-act=accept]").focus()
    press(page, "Enter", "Enter")  # the second was the last: its button goes
    assert page.evaluate("document.activeElement.className") == "reading"
    page.locator("#span-list button").first.focus()
    press(page, "Delete")
    assert page.evaluate("document.activeElement.closest('#span-list') !== null")
    assert marked(page) == ["place “Paris”"]  # what had the focus was taken away, whatever was selected before
    press(page, "Delete")
    assert page.evaluate("document.activeElement.className") == "reading"
    assert marked(page) == []


def test_keys_that_belong_to_the_browser_or_take_altgr(open_page: Open, project: Project, bob: User) -> None:
    (task,) = spans_project(project, [BANK])
    suggest(task, ("Paris", "place"))
    handed_out(project, bob, task)
    page = open_page(bob, PAGE)
    ready(page)
    dispatch = """
      (pressed) => document.getElementById("item-heading").dispatchEvent(
        new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...pressed }))
    """
    assert page.evaluate(dispatch, {"key": "ArrowLeft", "altKey": True})  # back, on most systems
    assert page.evaluate(dispatch, {"key": "ArrowLeft", "metaKey": True})
    bracket = {"key": "]", "ctrlKey": True, "altKey": True, "modifierAltGraph": True}
    assert not page.evaluate(dispatch, bracket)
    expect(page.locator("#span-bar")).to_have_attribute("data-state", "guess")


def test_many_labels_are_found_by_letters(open_page: Open, project: Project, bob: User) -> None:
    (task,) = spans_project(project, [MERKEL])
    Label.objects.bulk_create(
        Label(project=project, name=f"kind {at:02}", position=10 + at, color=at % 12 + 1) for at in range(30)
    )
    page = open_page(bob, PAGE)
    ready(page)
    press(page, "Control+Home", "Control+Shift+ArrowRight", "Control+k")
    page.keyboard.type("kind 23")
    press(page, "Enter")
    page.wait_for_function("() => document.querySelector('#span-list li')")
    assert marked(page) == ["kind 23 “Angela”"]
    press(page, "]", "/")
    page.keyboard.type("kind 17")
    press(page, "Enter")
    assert marked(page) == ["kind 17 “Angela”"]
    press(page, "Enter")
    saved(page)
    assert stored(task) == [("kind 17", "Angela")]


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 320)], ids=["light", "dark", "400 % zoom"]
)
def test_axe_finds_nothing_and_nothing_sticks_out(
    open_page: Open, project: Project, bob: User, scheme: str, width: int
) -> None:
    (task, _next) = spans_project(project, [f"{MERKEL} {BANK}", BANK], overlapping=True)
    suggest(task, ("Berlin", "place"), ("Bank of France", "organisation"), ("France", "place"))
    handed_out(project, bob, task)
    page = open_page(bob, PAGE, color_scheme=scheme, viewport={"width": width, "height": 900 if width > 500 else 640})
    ready(page)
    axe = Axe()
    for keys in ([], ["]"], ["a", "Escape"], ["Control+Shift+ArrowRight"], ["Control+a", "1"]):
        press(page, *keys)
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not page.locator("#label-root [style]").count()


def place_of(page: Page, words: str) -> tuple[float, float]:
    """Where the middle of these words is on the screen."""
    script = """
      (words) => {
        const node = document.querySelector(".reading").firstChild;
        const range = document.createRange();
        range.setStart(node, node.data.indexOf(words));
        range.setEnd(node, node.data.indexOf(words) + words.length);
        const { left, top, width, height } = range.getBoundingClientRect();
        return [left, top + height / 2, width];
      }
    """
    left, middle, width = page.evaluate(script, words)
    return left + width / 2, middle


def drag(page: Page, first: str, last: str) -> None:
    (x, y), (to_x, to_y) = place_of(page, first), place_of(page, last)
    widths = [
        page.evaluate(
            """(words) => { const node = document.querySelector(".reading").firstChild; const range = document.createRange();
        range.setStart(node, node.data.indexOf(words)); range.setEnd(node, node.data.indexOf(words) + words.length);
        return range.getBoundingClientRect().width; }""",
            words,
        )
        for words in (first, last)
    ]
    page.mouse.move(x - widths[0] / 2 + 1, y)
    page.mouse.down()
    page.mouse.move(to_x + widths[1] / 2 - 1, to_y, steps=4)
    mouse_up(page)
