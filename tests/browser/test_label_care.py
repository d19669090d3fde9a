"""What must not go wrong when hands are quick, windows are two, people change places or a letter is half typed."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Task
from apps.notices.models import Notice
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.browser import network
from tests.browser.conftest import Open, suggest
from tests.browser.label_page import (
    PAGE,
    focused,
    holding,
    in_one_breath,
    let_go,
    only_by_hand,
    saved,
    standing,
    stop_the_clock,
    text,
    wait_text,
)
from tests.conftest import ClientOf

DRAFTS = "() => Object.keys(localStorage).filter((place) => place.includes('draft')).length"


def test_a_double_click_answers_one_text(open_page: Open, project: Project, texts: list[Task], bob: User) -> None:
    suggest(project, *project.labels.all())
    page = open_page(bob, PAGE)
    page.locator(".answer").nth(1).dblclick()
    wait_text(page, texts[1].item.text)
    page.wait_for_timeout(450)
    page.locator("#do-submit").dblclick()
    wait_text(page, texts[2].item.text)
    saved(page)
    assert Annotation.objects.count() == 2


def test_enter_twice_in_a_flash_answers_one_text(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    suggest(project, *project.labels.all())
    page = open_page(bob, PAGE)
    page.locator("#item-heading").focus()
    assert in_one_breath(page, "Enter", "Enter") == [texts[1].item.text] * 2
    saved(page)
    assert Annotation.objects.count() == 1


def test_letters_of_an_input_method_do_nothing_else(
    open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    """What an input method is still putting together, and the Enter that ends it, belong to the field alone."""
    suggest(project, many[40], many[7])
    page = open_page(bob, PAGE)
    composing = page.context.new_cdp_session(page)

    def enter_of_the_method() -> None:
        key = {"key": "Process", "code": "Enter", "windowsVirtualKeyCode": 229, "nativeVirtualKeyCode": 229}
        composing.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", **key})
        page.evaluate(
            """() => {
              const event = new KeyboardEvent("keydown", { key: "Enter", keyCode: 229, bubbles: true, cancelable: true });
              document.activeElement.dispatchEvent(event);
            }"""
        )

    page.keyboard.press("/")
    composing.send("Input.imeSetComposition", {"text": "余e", "selectionStart": 2, "selectionEnd": 2})
    enter_of_the_method()
    assert text(page) == texts[0].item.text
    composing.send("Input.insertText", {"text": "余额"})
    page.keyboard.press("Enter")
    wait_text(page, texts[1].item.text)
    page.keyboard.press("c")
    composing.send("Input.imeSetComposition", {"text": "bu'z", "selectionStart": 4, "selectionEnd": 4})
    enter_of_the_method()
    composing.send("Input.insertText", {"text": "不知道"})
    expect(page.locator("#note")).to_have_value("不知道")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("skip")
    enter_of_the_method()
    expect(page.locator("dialog.palette")).to_be_visible()
    page.keyboard.press("Escape")
    assert text(page) == texts[1].item.text
    saved(page)
    assert standing() == [(texts[0].item.text, "余额不足")]


# --- two windows ---


def test_what_was_begun_here_stays_when_another_tab_answers(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    first = open_page(bob, PAGE)
    second = open_page(bob, PAGE, context=first.context)
    second.keyboard.press("c")
    second.keyboard.type("a long thought")
    first.bring_to_front()
    first.keyboard.press("1")
    wait_text(first, texts[1].item.text)
    expect(second.locator("#notice")).to_contain_text("another tab")
    assert text(second) == texts[0].item.text
    saved(first)
    second.bring_to_front()
    second.keyboard.press("Escape")
    second.keyboard.press("2")
    dialog = second.locator("dialog.conflict")
    expect(dialog).to_contain_text("a long thought")
    second.keyboard.press("Escape")
    second.keyboard.press("Escape")  # a browser closes a dialog at the second one
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Keep mine").click()
    saved(second)
    newest = Annotation.objects.order_by("-pk")[0]
    assert (newest.item, newest.note, newest.label) == (texts[0].item, "a long thought", project.labels.all()[1])


def test_each_window_takes_back_its_own_last_answer(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    first, second = open_page(bob, PAGE), open_page(bob, PAGE)  # two profiles: they hear nothing of each other
    first.keyboard.press("1")
    saved(first)
    second.reload()
    wait_text(second, texts[1].item.text)
    second.keyboard.press("1")
    saved(second)
    first.keyboard.press("z")
    wait_text(first, texts[0].item.text)
    saved(first)
    assert [said for said, _label in standing()] == [texts[1].item.text]


def test_an_old_draft_does_not_overwrite_what_was_changed_elsewhere(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    labels = list(project.labels.all())
    said = make.answer_next(project, bob, labels[0].pk).annotation
    page = open_page(bob, f"{PAGE}?item={said.item_id}")
    page.keyboard.press("c")
    page.keyboard.type("half a note")
    page.wait_for_function(DRAFTS)
    page.keyboard.press("Escape")
    services.revise(project, bob, said.item_id, uuid4(), label=labels[1].pk, base=1)
    page.reload()
    expect(page.locator("#note")).to_have_value("half a note")
    page.keyboard.press("3")
    dialog = page.locator("dialog.conflict")
    expect(dialog).to_contain_text(labels[1].name)
    expect(dialog).to_contain_text(labels[2].name)
    dialog.get_by_role("button", name="Keep mine").click()
    saved(page)
    assert Annotation.objects.order_by("-pk")[0].label == labels[2]


# --- what comes late does not disturb what is being done ---


def test_a_late_refusal_waits_behind_what_is_being_written(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    second = project.labels.all()[1]
    held = holding(page)
    page.keyboard.press("2")
    wait_text(page, texts[1].item.text)
    page.keyboard.press("c")
    page.keyboard.type("I was ")
    Label.objects.filter(pk=second.pk).update(archived_at="2026-01-01T00:00Z")
    let_go(page, held)
    expect(page.locator("#notice")).to_contain_text("archived")
    expect(page.locator("#notice")).to_contain_text(texts[0].item.text)
    page.keyboard.type("writing 1s2")
    assert text(page) == texts[1].item.text
    expect(page.locator("#note")).to_have_value("I was writing 1s2")
    page.keyboard.press("Escape")
    page.keyboard.press("1")
    wait_text(page, texts[0].item.text)  # what was refused comes next
    page.keyboard.press("1")
    saved(page)
    assert Annotation.objects.filter(note="I was writing 1s2").get().item == texts[1].item


def test_two_wishes_to_undo_right_after_a_reload(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    for place in range(3):
        wait_text(page, texts[place].item.text)
        page.keyboard.press("1")
    saved(page)
    page.reload()
    page.keyboard.press("z")
    page.keyboard.press("z")
    wait_text(page, texts[1].item.text)
    saved(page)
    assert [said for said, _label in standing()] == [texts[0].item.text]


def test_looking_back_right_after_an_answer_finds_it(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    held = holding(page)
    stop_the_clock(page)  # the page waits a second and a half for an answer, a slow machine needs longer for one
    page.keyboard.press("1")
    page.keyboard.press("k")
    page.clock.run_for(200)
    assert text(page) == texts[1].item.text
    let_go(page, held)
    saved(page)
    page.clock.resume()
    expect(page.locator("#do-present")).to_be_visible()
    assert text(page) == texts[0].item.text


def test_a_comment_that_was_not_sent_is_kept_with_its_text(
    open_page: Open, project: Project, texts: list[Task], bob: User, rita: User
) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("t")
    page.keyboard.type("What about")
    page.locator(".answer").first.click()
    wait_text(page, texts[1].item.text)
    expect(page.locator("#toasts")).to_contain_text("not sent")
    page.keyboard.press("z")
    wait_text(page, texts[0].item.text)
    field = page.locator("#comment-text")
    expect(field).to_have_value("What about")
    saved(page)  # or the page that comes was asked for before the text was handed out again
    page.reload()
    expect(field).to_have_value("What about")
    page.keyboard.press("t")
    page.keyboard.press("End")
    page.keyboard.type(" this, @Rita?")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".comment-text")).to_have_text("What about this, @Rita?")
    expect(field).to_have_value("")
    assert Notice.objects.get().user == rita
    assert not page.evaluate("Object.keys(localStorage).filter((place) => place.includes('thread')).length")


# --- other people at the same machine ---


def test_the_way_back_in_stays_in_sight_while_one_goes_on(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    kept = page.context.cookies()
    page.context.clear_cookies()
    page.keyboard.press("1")
    expect(page.locator("#notice")).to_contain_text("signed out")
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_have_text("2 unsent")
    expect(page.locator("#notice a")).to_have_attribute("href", re.compile("login"))
    only_by_hand(page)
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.locator("#notice button").click()
    saved(page)
    assert [said.label for said in Annotation.objects.order_by("pk")] == list(project.labels.all()[:2])


def test_unsent_answers_are_not_given_in_somebody_elses_name(
    open_page: Open, project: Project, texts: list[Task], bob: User, rita: User, client_of: ClientOf
) -> None:
    page = open_page(bob, PAGE)
    mine = page.context.cookies()
    page.context.clear_cookies()
    other = client_of(rita).cookies[settings.SESSION_COOKIE_NAME]
    page.context.add_cookies([{"name": other.key, "value": other.value, "url": page.url}])
    page.keyboard.press("1")
    expect(page.locator("#notice")).to_contain_text("signed out")
    assert not Annotation.objects.exists()
    only_by_hand(page)
    page.context.clear_cookies()
    page.context.add_cookies(mine)  # type: ignore[arg-type]
    page.locator("#notice button").click()
    saved(page)
    assert Annotation.objects.get().annotator == bob


def test_the_count_of_a_sitting_is_this_projects(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("1")
    expect(page.locator("#session")).to_contain_text("1 answered")
    saved(page)
    page.reload()
    expect(page.locator("#session")).to_contain_text("1 answered")
    page.evaluate("""Object.keys(sessionStorage).filter((name) => name.includes("session")).forEach((name) =>
        sessionStorage.setItem(name, JSON.stringify({ count: 1, at: Date.now() - 3_600_000 })))""")
    page.reload()
    expect(page.locator("#session")).to_be_hidden()


# --- screen readers ---


@pytest.mark.parametrize("waiting", [False, True], ids=["texts left", "none left"])
def test_a_cut_line_is_read_out_once(
    waiting: bool, open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    page.evaluate(
        """() => {
          window.__said = [];
          for (const id of ["announce", "notice"]) {
            new MutationObserver((changes) => {
              const told = document.getElementById(id).textContent;
              if (told.includes("does not answer") && changes.some(({ addedNodes }) => addedNodes.length)) window.__said.push(id);
            }).observe(document.getElementById(id), { childList: true });
          }
        }"""
    )
    network.cut(page, "**/label/submit/")
    page.keyboard.press("1")
    if waiting:
        page.keyboard.press("1")
    page.wait_for_function("() => Marginalia.label.desk.outbox.failures > 2")
    said: Any = page.evaluate("window.__said")
    assert said.count("announce") <= 1
    assert said.count("notice") == int(waiting)
    assert focused(page) == "item-heading"


def test_where_several_fit_the_list_says_which_are_taken(
    open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind=Project.TaskKind.MULTI)
    page = open_page(bob, PAGE)
    page.keyboard.press("/")
    page.keyboard.type("lost")
    page.keyboard.press("Enter")
    taken: list[str] = page.locator("#other-list [aria-selected=true]").all_inner_texts()
    assert taken == ["lost or stolen card"]
    page.keyboard.press("ArrowDown")
    assert page.locator("#other-list [aria-selected=true]").count() == 1
    active = page.locator("#other-input").get_attribute("aria-activedescendant")
    assert page.locator("#other-list .active").get_attribute("id") == active
