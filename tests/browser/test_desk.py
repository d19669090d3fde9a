"""What surrounds an answer: why it cannot be given, what others say, what is kept, how a session ends."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.annotation.models import Annotation, Comment, Lease, Task
from apps.annotation.services import golds
from apps.notices.models import Notice
from apps.projects.models import Label, Membership, Project
from apps.quality.models import Review
from tests.annotation import make
from tests.browser.conftest import Open, suggest
from tests.browser.label_page import (
    PAGE,
    focused,
    holding,
    in_one_breath,
    let_go,
    saved,
    stop_the_clock,
    text,
    wait_text,
)


@pytest.fixture
def desk(project: Project, texts: list[Task]) -> Project:
    Project.objects.filter(pk=project.pk).update(undecided_reasons=["Too little context", "Two meanings"])
    project.refresh_from_db()
    return project


def test_a_whole_session_by_keyboard_only(
    open_page: Open, desk: Project, many: list[Label], texts: list[Task], bob: User, rita: User
) -> None:
    suggest(desk, many[40], many[7], many[3])
    page = open_page(bob, "/p/bank/")
    page.keyboard.press("Control+k")
    page.keyboard.type("label")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{PAGE}")  # loaded: the text stands there before its keys do
    wait_text(page, texts[0].item.text)
    page.keyboard.press("1")
    wait_text(page, texts[1].item.text)
    page.keyboard.press("/")
    page.keyboard.type("exrt")
    page.keyboard.press("Enter")
    wait_text(page, texts[2].item.text)
    page.keyboard.press("c")
    page.keyboard.type("unsure")
    page.keyboard.press("Escape")
    page.keyboard.press("f")
    page.keyboard.press("a")
    wait_text(page, texts[3].item.text)
    page.keyboard.press("u")
    page.keyboard.press("1")
    wait_text(page, texts[4].item.text)
    page.keyboard.press("s")
    wait_text(page, texts[5].item.text)
    page.keyboard.press("t")
    expect(page.locator("#comment-text")).to_be_focused()
    page.keyboard.type("@ri")
    page.keyboard.press("Tab")
    page.keyboard.type("?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".comment-text")).to_have_text("@Rita ?")
    page.keyboard.press("Escape")
    page.keyboard.press("k")
    wait_text(page, texts[3].item.text)
    page.keyboard.press("2")
    wait_text(page, texts[5].item.text)
    page.keyboard.press("3")
    saved(page)
    page.keyboard.press("q")
    expect(page.locator("h1")).to_have_text("5 texts answered")
    standing = {said.item_id: said for said in Annotation.objects.order_by("revision").select_related("label")}
    answers = [standing[texts[at].item_id] for at in (0, 1, 2, 3, 5)]
    assert [said.label for said in answers] == [many[40], many[3], many[40], many[7], many[3]]
    assert (answers[2].note, answers[2].flagged) == ("unsure", True)
    assert not Annotation.objects.filter(item=texts[4].item).exists()


def test_what_cannot_be_decided_gets_a_reason_and_can_be_taken_back(
    open_page: Open, desk: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("u")
    expect(page.get_by_role("button", name="Two meanings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Two meanings")).to_be_hidden()
    assert focused(page) == "item-heading"
    page.keyboard.press("u")
    page.keyboard.press("2")
    wait_text(page, texts[1].item.text)
    saved(page)
    given = Annotation.objects.get()
    assert (given.undecided, given.label) == ("Two meanings", None)
    page.keyboard.press("z")
    wait_text(page, texts[0].item.text)
    expect(page.locator("#item-state")).to_contain_text("Two meanings")
    page.keyboard.press("1")
    saved(page)
    newest = Annotation.objects.order_by("-pk")[0]
    assert (newest.undecided, newest.label) == ("", desk.labels.all()[0])


def test_a_thread_beside_the_text_with_names_by_keyboard(
    open_page: Open, desk: Project, texts: list[Task], bob: User, rita: User
) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("t")
    field = page.locator("#comment-text")
    expect(field).to_be_focused()
    page.keyboard.type("Which card? @ri")
    expect(page.get_by_role("option", name="Rita")).to_be_visible()
    page.keyboard.press("Enter")
    expect(field).to_have_value("Which card? @Rita ")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".comment-text")).to_have_text("Which card? @Rita")
    expect(page.locator("#comments-n")).to_have_text("1")
    notice = Notice.objects.get()
    assert (notice.user, notice.title) == (rita, "Bob mentions you")
    page.keyboard.press("Escape")
    assert focused(page) == "item-heading"
    page.keyboard.press("1")
    wait_text(page, texts[1].item.text)
    expect(page.locator("#comments-n")).to_have_text("")
    theirs = open_page(rita, notice.url)
    expect(theirs.locator(".comment-text")).to_have_text("Which card? @Rita")
    theirs.get_by_role("button", name="Remove").click()
    expect(theirs.locator(".comment-text")).to_have_count(0)
    assert Comment.objects.get().deleted_at is not None
    found = Axe().run(theirs)
    assert found.violations_count == 0, found.generate_report()


def test_what_stands_around_a_text(open_page: Open, desk: Project, texts: list[Task], bob: User) -> None:
    items = sorted((task.item for task in texts), key=lambda item: item.pk)[:3]
    desk.items.filter(pk__in=[item.pk for item in items]).update(thread="t", url="https://example.org/17")
    Task.objects.filter(item=items[2]).update(rank=-1)
    Label.objects.filter(pk=desk.labels.all()[0].pk).update(
        description="On its way.", examples="Where is it?\nStill not"
    )
    page = open_page(bob, PAGE)
    wait_text(page, items[2].text)
    assert page.locator(".earlier-message").all_inner_texts() == [item.text for item in items[:2]]
    link = page.locator("a.source")
    expect(link).to_have_attribute("href", "https://example.org/17")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    page.locator(".answer").first.hover()
    expect(page.locator("#label-note")).to_contain_text("On its way.Where is it?Still not")


def test_two_windows_with_two_answers_ask_which_one_stands(
    open_page: Open, desk: Project, texts: list[Task], bob: User
) -> None:
    names = [label.name for label in desk.labels.all()]
    first = open_page(bob, PAGE)
    second = open_page(bob, PAGE)  # another profile: it hears nothing of the first
    for place in range(2):
        wait_text(first, texts[place].item.text)
        first.keyboard.press("1")
    saved(first)
    # the question about the first of them would take the key that is meant for the second
    assert in_one_breath(second, "2", "2") == [texts[1].item.text] * 2
    dialog = second.locator("dialog.conflict")
    expect(dialog).to_be_visible()
    expect(dialog).to_contain_text(names[0])
    expect(dialog).to_contain_text(names[1])
    second.reload()  # nothing is lost before the choice
    expect(dialog).to_be_visible()
    found = Axe().run(second)
    assert found.violations_count == 0, found.generate_report()
    dialog.get_by_role("button", name="Keep mine").click()
    expect(dialog.locator("blockquote")).to_have_text(texts[1].item.text)
    dialog.get_by_role("link", name="Keep the stored one").click()
    expect(dialog).to_be_hidden()
    saved(second)
    newest = {each.item_id: each.label for each in Annotation.objects.order_by("pk").select_related("label")}
    assert newest == {texts[0].item_id: desk.labels.all()[1], texts[1].item_id: desk.labels.all()[0]}


def test_two_windows_without_javascript(open_page: Open, desk: Project, texts: list[Task], bob: User) -> None:
    first, second = (open_page(bob, PAGE, java_script_enabled=False) for _ in range(2))
    first.get_by_role("radio", name=desk.labels.all()[0].name).check()
    first.get_by_role("button", name="Submit").click()
    wait_text(first, texts[1].item.text)  # stored before the other one is sent
    second.get_by_role("radio", name=desk.labels.all()[1].name).check()
    second.get_by_role("button", name="Submit").click()
    expect(second.get_by_role("heading", name="Two answers of yours", level=2)).to_be_visible()
    second.get_by_role("button", name="Keep mine").click()
    wait_text(second, texts[1].item.text)
    assert list(Annotation.objects.order_by("pk").values_list("label__position", flat=True)) == [1, 2]


def test_a_quick_undo_and_another_answer_is_no_conflict(
    open_page: Open, desk: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    for key in ("1", "z", "2", "z", "3"):
        page.keyboard.press(key)
    wait_text(page, texts[1].item.text)
    saved(page)
    assert Annotation.objects.order_by("-pk")[0].label == desk.labels.all()[2]
    assert page.locator("dialog.conflict").count() == 0


def test_newcomers_see_what_was_agreed_after_each_answer(
    open_page: Open, desk: Project, texts: list[Task], bob: User, rita: User
) -> None:
    right = desk.labels.all()[0]
    Project.objects.filter(pk=desk.pk).update(training_items=2)
    desk.refresh_from_db()
    for task in texts[:2]:
        golds.make_gold(desk, task.item, rita, label=right, explanation="It is about the card's way.")
    page = open_page(bob, PAGE)
    expect(page.locator("#training")).to_contain_text("2 texts to go")
    page.keyboard.press("2")
    lesson = page.locator("#lesson")
    expect(lesson).to_contain_text(right.name)
    expect(lesson).to_contain_text("the card's way")
    assert focused(page) == "lesson-on"
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.keyboard.press("Enter")
    expect(lesson).to_be_hidden()
    page.keyboard.press("1")
    expect(lesson).to_contain_text("Right")


def test_an_answer_that_was_sent_back_is_opened_by_its_link(
    open_page: Open, desk: Project, texts: list[Task], bob: User, rita: User
) -> None:
    said = make.answer_next(desk, bob, desk.labels.all()[0].pk).annotation
    Review.objects.create(
        project=desk, annotation=said, annotator=bob, by=rita, verdict="rejected", reason="Read it again."
    )
    page = open_page(bob, f"{PAGE}?item={said.item_id}")
    expect(page.locator(".sent-back")).to_have_text("Read it again.")
    expect(page.locator("#item-state")).to_contain_text(desk.labels.all()[0].name)
    page.keyboard.press("2")
    wait_text(page, texts[1].item.text)
    saved(page)
    newest = Annotation.objects.order_by("-pk")[0]
    assert (newest.item_id, newest.label) == (said.item_id, desk.labels.all()[1])


def test_paused_people_read_why(open_page: Open, desk: Project, texts: list[Task], bob: User) -> None:
    page = open_page(bob, PAGE)
    Lease.objects.all().delete()
    Membership.objects.filter(user=bob).update(paused_at="2026-01-01T00:00Z", paused_why="Let us talk first.")
    page.reload()
    expect(page.locator("#nothing")).to_contain_text("Let us talk first.")


def test_the_palette_knows_every_action_and_teaches_its_key(
    open_page: Open, desk: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("Control+k")
    dialog = page.locator("dialog.palette")
    options = dialog.get_by_role("option")
    expect(options.filter(has_text="Skip this text")).to_contain_text("S")
    expect(options.filter(has_text="Cannot decide")).to_contain_text("U")
    page.keyboard.type("skip")
    page.keyboard.press("Enter")
    wait_text(page, texts[1].item.text)
    expect(page.locator("#toasts")).to_contain_text("S")
    page.keyboard.press("Control+k")
    page.keyboard.type(desk.labels.all()[2].name[:6])
    page.keyboard.press("Enter")
    wait_text(page, texts[2].item.text)
    saved(page)
    assert Annotation.objects.get().label == desk.labels.all()[2]


@pytest.mark.parametrize(("width", "height"), [(320, 256), (390, 844)])
def test_at_400_per_cent_and_on_a_phone_nothing_is_cut_off(
    width: int, height: int, open_page: Open, desk: Project, texts: list[Task], bob: User
) -> None:
    Label.objects.filter(pk=desk.labels.all()[0].pk).update(name="a label with quite a long name that must be wrapped")
    suggest(desk, *desk.labels.all())
    page = open_page(bob, PAGE, viewport={"width": width, "height": height}, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#do-submit").scroll_into_view_if_needed()
    page.locator("#undecided-box > summary").click()
    box = page.get_by_role("button", name="Too little context").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--motion').trim()") in {
        "0ms",
        "0s",
    }
    page.get_by_role("button", name="Too little context").click()
    wait_text(page, texts[1].item.text)


def test_the_session_ends_with_what_it_came_to(
    open_page: Open, desk: Project, texts: list[Task], bob: User, rita: User
) -> None:
    make.answer_next(desk, rita, desk.labels.all()[0].pk)
    page = open_page(bob, PAGE)
    now = text(page)
    for _ in range(2):
        page.keyboard.press("1")
        expect(page.locator("#item-text")).not_to_have_text(now)
        now = text(page)
    saved(page)
    held = holding(page)
    stop_the_clock(page)  # the page waits three seconds for the last answer, a slow machine needs longer for one
    page.keyboard.press("1")
    page.get_by_role("link", name=re.compile("Finish")).click()
    page.clock.run_for(200)
    let_go(page, held)
    saved(page)
    page.clock.resume()
    page.wait_for_url("**/label/summary/")
    expect(page.locator("h1")).to_have_text("3 texts answered")
    expect(page.locator("table")).to_have_count(0)
    Project.objects.filter(pk=desk.pk).update(ranking_shown=True)
    page.reload()
    expect(page.get_by_role("row", name=re.compile("Bob"))).to_contain_text("3")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
