"""Labelling by keyboard in a real browser."""

import re

import pytest
from playwright.sync_api import Route, expect

from apps.accounts.models import User
from apps.annotation.models import Annotation, Lease, Task
from apps.projects.models import Label, Project
from tests.browser import network
from tests.browser.conftest import Open, suggest
from tests.browser.label_page import PAGE, focused, in_one_breath, only_by_hand, saved, standing, text, wait_text

# --- by keyboard ---


def test_ten_texts_by_keyboard_only(open_page: Open, project: Project, texts: list[Task], bob: User) -> None:
    suggest(project, *project.labels.all())
    page = open_page(bob, PAGE)
    for place in range(10):
        wait_text(page, texts[place].item.text)
        if place >= 5:
            page.wait_for_timeout(450)  # right after a number or an Enter it would mean that one
        page.keyboard.press("2" if place < 5 else "Enter")
        page.wait_for_timeout(30)
        assert focused(page) == "item-heading"
    wait_text(page, texts[10].item.text)
    saved(page)
    labels = [label.name for label in project.labels.all()]
    # few labels keep their places: 2 is always the second, Enter the likeliest, the first
    assert standing() == sorted((texts[place].item.text, labels[1 if place < 5 else 0]) for place in range(10))
    outcomes = set(Annotation.objects.values_list("outcome", flat=True))
    assert outcomes == {"accepted", "corrected"}
    assert not page.evaluate("Object.keys(localStorage).filter((key) => key.includes('unsent')).length")


def test_with_many_labels_numbers_mean_the_likeliest(
    open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    suggest(project, many[40], many[7], many[3])
    page = open_page(bob, PAGE)
    assert page.locator("#likely .answer-name").all_inner_texts() == [many[at].name for at in (40, 7, 3)]
    expect(page.locator("#rest")).to_be_hidden()
    page.keyboard.press("2")
    wait_text(page, texts[1].item.text)
    saved(page)
    assert standing() == [(texts[0].item.text, many[7].name)]


def test_among_many_labels_numbers_mean_nothing_without_a_suggestion(
    open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    expect(page.locator("#rest")).to_be_visible()
    for key in ("1", "Enter", "a"):
        page.keyboard.press(key)
    assert text(page) == texts[0].item.text
    expect(page.locator("#notice")).to_contain_text("Choose a label first")
    page.get_by_text("lost or stolen card", exact=True).click()
    wait_text(page, texts[1].item.text)
    saved(page)
    assert standing() == [(texts[0].item.text, "lost or stolen card")]


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [("lost", "lost or stolen card"), ("cnw", "card not working"), ("余额", "余额不足"), ("exrt", "exchange rate")],
)
def test_any_label_by_a_few_letters(
    typed: str, wanted: str, open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    suggest(project, many[40], many[7])
    page = open_page(bob, PAGE)
    page.keyboard.press("/")
    assert focused(page) == "other-input"
    page.keyboard.insert_text(typed)
    first = page.locator("#other-list [role=option]").first
    expect(first).to_contain_text(wanted)
    assert page.locator("#other-input").get_attribute("aria-activedescendant") == first.get_attribute("id")
    page.keyboard.press("Enter")
    wait_text(page, texts[1].item.text)
    assert focused(page) == "item-heading"
    saved(page)
    assert standing() == [(texts[0].item.text, wanted)]


def test_the_list_of_labels_is_walked_with_arrows_and_left_with_escape(
    open_page: Open, project: Project, many: list[Label], texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("/")
    field = page.locator("#other-input")
    page.keyboard.type("card")
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    assert page.locator("[aria-selected=true]").inner_text() == "card not working"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.locator("[aria-selected=true]").inner_text() == "lost or stolen card"
    page.keyboard.press("Escape")
    expect(field).to_have_value("")
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    assert focused(page) == "item-heading"
    assert not Annotation.objects.exists()


def test_typing_never_answers(open_page: Open, project: Project, texts: list[Task], bob: User) -> None:
    page = open_page(bob, PAGE)
    page.keyboard.press("c")
    assert focused(page) == "note"
    page.keyboard.type("1 skip this, fz?")
    page.keyboard.press("Escape")
    assert focused(page) == "item-heading"
    # an input method is composing: its keys are not ours
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '1', bubbles: true, isComposing: true}))"
    )
    assert text(page) == texts[0].item.text
    page.keyboard.press("f")
    page.keyboard.press("1")
    wait_text(page, texts[1].item.text)
    saved(page)
    said = Annotation.objects.get()
    assert (said.note, said.flagged) == ("1 skip this, fz?", True)
    assert page.locator("#note").input_value() == ""
    assert not page.locator("#flagged").is_checked()


def test_keys_follow_the_persons_keymap_and_can_be_switched_off(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    User.objects.filter(pk=bob.pk).update(keymap={"skip": "w"})
    page = open_page(bob, PAGE)
    page.keyboard.press("s")
    assert text(page) == texts[0].item.text
    page.keyboard.press("w")
    wait_text(page, texts[1].item.text)
    User.objects.filter(pk=bob.pk).update(single_keys=False)
    page.reload()
    now = text(page)
    for key in "1wzjkf":
        page.keyboard.press(key)
    assert text(page) == now
    assert not Annotation.objects.exists()


def test_enter_right_after_a_number_means_the_number(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    suggest(project, *project.labels.all())
    page = open_page(bob, PAGE)
    assert in_one_breath(page, "3", "Enter") == [texts[1].item.text] * 2
    saved(page)
    assert Annotation.objects.count() == 1


def test_choosing_first_and_submitting_after(open_page: Open, project: Project, texts: list[Task], bob: User) -> None:
    page = open_page(bob, PAGE)
    page.get_by_text("How keys work here").click()
    page.locator("#at-once").uncheck()
    page.locator("#item-heading").focus()
    page.keyboard.press("1")
    page.keyboard.press("2")
    assert text(page) == texts[0].item.text
    page.keyboard.press("Enter")
    wait_text(page, texts[1].item.text)
    saved(page)
    assert standing() == [(texts[0].item.text, project.labels.all()[1].name)]


# --- undo and looking back ---


def test_undo_twice_and_once_more_after_a_reload(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    for place in range(4):
        wait_text(page, texts[place].item.text)
        page.keyboard.press("1")
    saved(page)
    for place in (3, 2):
        page.keyboard.press("z")
        wait_text(page, texts[place].item.text)
        assert focused(page) == "item-heading"
    saved(page)
    assert [said for said, _label in standing()] == sorted(task.item.text for task in texts[:2])
    page.reload()
    page.keyboard.press("z")
    wait_text(page, texts[1].item.text)
    assert page.locator("input[name=label]:checked").get_attribute("value") == str(project.labels.all()[0].pk)
    page.keyboard.press("3")
    saved(page)
    third = project.labels.all()[2].name
    assert dict(standing())[texts[1].item.text] == third
    assert Annotation.objects.filter(item=texts[1].item).count() == 3


def test_a_skip_is_taken_back_before_anybody_heard_of_it(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    # a skip is held back for four seconds, which a slow machine may need for two keys
    assert in_one_breath(page, "s", "Control+z") == [texts[1].item.text, texts[0].item.text]
    saved(page)
    assert not Lease.objects.filter(state="skipped").exists()


def test_looking_back_and_changing_an_answer(open_page: Open, project: Project, texts: list[Task], bob: User) -> None:
    page = open_page(bob, PAGE)
    for place in range(3):
        wait_text(page, texts[place].item.text)
        page.keyboard.press("1")
    wait_text(page, texts[3].item.text)
    saved(page)
    page.keyboard.press("k")
    wait_text(page, texts[2].item.text)
    page.keyboard.press("k")
    wait_text(page, texts[1].item.text)
    assert focused(page) == "item-heading"
    page.keyboard.press("j")
    wait_text(page, texts[2].item.text)
    page.keyboard.press("2")
    wait_text(page, texts[3].item.text)
    saved(page)
    assert dict(standing())[texts[2].item.text] == project.labels.all()[1].name
    page.keyboard.press("k")
    wait_text(page, texts[2].item.text)
    page.keyboard.press("Escape")
    wait_text(page, texts[3].item.text)


# --- when the line is cut ---


def test_answers_survive_an_outage_and_a_reload(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)

    network.cut(page, "**/label/submit/")
    page.keyboard.press("1")
    wait_text(page, texts[1].item.text)
    page.keyboard.press("2")
    expect(page.locator("#saved")).to_have_text("2 unsent")
    expect(page.locator("#answer")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#notice")).to_contain_text("kept here")
    page.reload()
    expect(page.locator("#saved")).to_have_text("2 unsent")
    assert not Annotation.objects.exists()
    page.unroute("**/label/submit/")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    wait_text(page, texts[2].item.text)
    saved(page)
    names = [label.name for label in project.labels.all()]
    assert standing() == sorted([(texts[0].item.text, names[0]), (texts[1].item.text, names[1])])


def test_an_answer_whose_receipt_was_lost_is_stored_once(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    lost = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.fetch())
        route.abort()

    network.intercept(page, "**/label/submit/", lose)
    page.keyboard.press("1")
    saved(page)
    assert Annotation.objects.count() == 1


def test_a_refused_answer_comes_back_with_the_reason(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    second = project.labels.all()[1]
    Label.objects.filter(pk=second.pk).update(archived_at="2026-01-01T00:00Z")
    page.keyboard.press("2")
    expect(page.locator("#notice")).to_contain_text("archived")
    wait_text(page, texts[0].item.text)
    page.keyboard.press("1")
    wait_text(page, texts[1].item.text)
    saved(page)
    expect(page.locator("#notice")).to_be_hidden()
    assert Annotation.objects.count() == 1


def test_signed_out_in_between_keeps_the_answers(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    page = open_page(bob, PAGE)
    kept = page.context.cookies()
    page.context.clear_cookies()
    page.keyboard.press("1")
    expect(page.locator("#notice")).to_contain_text("signed out")
    expect(page.locator("#notice a")).to_have_attribute("href", re.compile(r"/accounts/login/\?next="))
    expect(page.locator("#saved")).to_have_text("1 unsent")
    only_by_hand(page)
    page.context.add_cookies(kept)  # type: ignore[arg-type]
    page.locator("#notice button").click()
    saved(page)
    expect(page.locator("#notice")).to_be_hidden()
    assert Annotation.objects.count() == 1


# --- more than one at once ---


def test_two_people_never_get_the_same_text(
    open_page: Open, project: Project, texts: list[Task], bob: User, rita: User
) -> None:
    pages = [open_page(bob, PAGE), open_page(rita, PAGE)]
    seen: list[str] = []
    for _ in range(6):
        for page in pages:
            seen.append(text(page))
            page.keyboard.press("1")
            saved(page)
    assert len(seen) == len(set(seen)) == 12
    assert Annotation.objects.count() == 12


def test_two_tabs_of_one_person_do_not_ask_twice(
    open_page: Open, project: Project, texts: list[Task], bob: User
) -> None:
    first = open_page(bob, PAGE)
    second = open_page(bob, PAGE, context=first.context)
    assert text(first) == text(second) == texts[0].item.text
    first.keyboard.press("1")
    wait_text(second, texts[1].item.text)
    saved(first)
    second.keyboard.press("2")
    wait_text(first, texts[2].item.text)
    saved(second)
    assert Annotation.objects.filter(retracted=False).count() == 2
