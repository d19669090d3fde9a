"""Triage by keyboard in a real browser."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from apps.accounts.models import User
from apps.feedback.models import Ticket
from apps.feedback.services import tickets as service
from apps.projects.models import Project
from tests.browser import network
from tests.browser.conftest import Open
from tests.browser.triage_page import PAGE, at, current, focused, numbers, press, saved, states
from tests.feedback.triage import ticket, tickets


@pytest.fixture
def six(project: Project) -> list[Ticket]:
    return tickets(project, 6)


@pytest.fixture
def page(open_page: Open, dana: User, six: list[Ticket]) -> Page:
    return open_page(dana, PAGE)


# --- every outcome ------------------------------------------------------------------------------------


def test_every_outcome_by_keyboard_only_and_the_focus_goes_with_it(page: Page, dana: User) -> None:
    at(page, 1)
    press(page, "1")
    at(page, 2)
    assert focused(page) == "ticket-heading"
    press(page, "3", "4")
    at(page, 3)
    assert focused(page) == "ticket-heading"
    press(page, "2")
    expect(page.locator("#duplicate-list [aria-selected=true]")).to_be_visible()
    page.keyboard.type("6")
    expect(page.locator("#option-6[aria-selected=true]")).to_be_visible()
    press(page, "Enter")
    at(page, 4)
    assert focused(page) == "ticket-heading"
    press(page, "h", "2")
    at(page, 5)
    press(page, "e", "Enter")
    at(page, 5)
    expect(page.locator(".ticket-head")).to_contain_text("with Dana")
    saved(page)
    assert states() == {1: "accepted", 2: "dismissed", 3: "duplicate", 4: "snoozed", 5: "new", 6: "new"}
    assert Ticket.objects.get(number=2).dismissal == "spam"
    assert Ticket.objects.get(number=3).duplicate_of == Ticket.objects.get(number=6)
    assert Ticket.objects.get(number=5).assignee == dana
    assert numbers(page) == [5, 6]


def test_a_number_that_is_typed_and_entered_at_once_is_the_ticket_that_was_meant(page: Page) -> None:
    press(page, "2")
    expect(page.locator("#duplicate-list [aria-selected=true]")).to_be_visible()
    expect(page.locator("#option-6[aria-selected=true]")).to_have_count(0)
    page.keyboard.type("6")
    press(page, "Enter")
    at(page, 2)
    saved(page)
    assert Ticket.objects.get(number=1).duplicate_of == Ticket.objects.get(number=6)


def test_z_takes_one_decision_after_the_other_back(page: Page) -> None:
    press(page, "1", "3", "1")
    at(page, 3)
    saved(page)
    press(page, "z")
    at(page, 2)
    assert focused(page) == "ticket-heading"
    press(page, "u")
    at(page, 1)
    saved(page)
    assert set(states().values()) == {"new"}
    assert numbers(page) == [1, 2, 3, 4, 5, 6]
    press(page, "3", "1")
    at(page, 2)
    saved(page)
    assert states()[1] == "dismissed"


def test_z_takes_back_what_an_earlier_sitting_decided(page: Page, six: list[Ticket]) -> None:
    press(page, "3", "1")
    saved(page)
    page.reload()
    at(page, 2)
    press(page, "z")
    at(page, 1)
    saved(page)
    assert states()[1] == "new"


def test_an_answer_is_written_before_the_reason_and_can_be_copied_later(page: Page) -> None:
    press(page, "3", "t")
    page.keyboard.type("1 2 3: thank you, h z x!")
    press(page, "Escape", "1")
    at(page, 2)
    saved(page)
    assert Ticket.objects.get(number=1).answer == "1 2 3: thank you, h z x!"
    page.goto(f"{PAGE}1/")
    expect(page.locator("#ticket-answer")).to_have_text("1 2 3: thank you, h z x!")
    expect(page.get_by_role("button", name="Copy the answer")).to_be_visible()


def test_a_ticket_sleeps_until_a_date_or_until_so_many_more_people(page: Page) -> None:
    press(page, "h", "5")
    assert focused(page) == "snooze-reach"
    page.keyboard.press("Control+a")
    page.keyboard.type("7")
    press(page, "Enter")
    at(page, 2)
    press(page, "h", "4")
    page.fill("#snooze-date", "2200-01-01")
    press(page, "Enter")
    at(page, 3)
    saved(page)
    assert Ticket.objects.get(number=1).snoozed_reach == Ticket.objects.get(number=1).reach + 7
    until = Ticket.objects.get(number=2).snoozed_until
    assert until is not None
    assert until.year == 2200


def test_escape_leaves_every_question_without_an_answer(page: Page) -> None:
    for key in ("2", "3", "h", "e"):
        press(page, key)
        expect(page.locator("dialog[open]")).to_be_visible()
        press(page, "Escape")
        expect(page.locator("dialog[open]")).to_have_count(0)
    at(page, 1)
    assert set(states().values()) == {"new"}


# --- moving and selecting -----------------------------------------------------------------------------


def test_j_k_and_arrows_move_and_say_where_the_list_ends(page: Page) -> None:
    press(page, "j", "ArrowDown", "j")
    at(page, 4)
    press(page, "k", "ArrowUp")
    at(page, 2)
    press(page, "k", "k")
    expect(page.locator("#announce")).to_have_text("This is the first ticket in the list.")
    assert focused(page) == "ticket-heading"


def test_many_are_selected_and_decided_at_once_and_taken_back_at_once(page: Page) -> None:
    press(page, "x", "j", "j", "x")
    expect(page.locator("#triage-selected")).to_have_text("2 selected")
    press(page, "Escape")
    expect(page.locator("#triage-selected")).to_have_text("")
    press(page, "k", "Shift+J", "Shift+J")
    expect(page.locator("#triage-selected")).to_have_text("3 selected")
    press(page, "3")
    expect(page.locator("#dismiss-title")).to_have_text("Dismiss 3 tickets: why?")
    press(page, "5")
    at(page, 5)
    saved(page)
    assert numbers(page) == [1, 5, 6]
    assert [number for number, state in states().items() if state == "dismissed"] == [2, 3, 4]
    press(page, "z")
    saved(page)
    assert numbers(page) == [1, 2, 3, 4, 5, 6]
    assert set(states().values()) == {"new"}


@pytest.mark.parametrize("key", ["a", "Control+a"])
def test_all_that_are_shown_are_selected_and_the_list_empties_kindly(page: Page, key: str) -> None:
    press(page, key)
    expect(page.locator("#triage-selected")).to_have_text("6 selected")
    press(page, "1")
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    assert focused(page) == "empty-heading"
    saved(page)
    assert set(states().values()) == {"accepted"}
    press(page, "z")
    at(page, 1)
    saved(page)
    assert set(states().values()) == {"new"}


def test_a_list_that_was_asked_for_before_z_takes_nothing_away(page: Page) -> None:
    asked: list[Route] = []

    def hold_the_first(route: Route) -> None:
        asked.append(route)
        if len(asked) > 1:
            route.continue_()

    def wait_for(n: int) -> None:
        for _ in range(1_200):
            if len(asked) >= n:
                break
            page.wait_for_timeout(50)
        assert len(asked) >= n, f"the list was asked for {len(asked)} times"

    network.intercept(page, f"**{PAGE}", hold_the_first)
    press(page, "a", "1")
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    saved(page)
    wait_for(1)  # an empty list looks again by itself
    answer = asked[0].fetch()
    press(page, "z")
    at(page, 1)
    asked[0].fulfill(response=answer)
    wait_for(2)
    saved(page)
    expect(page.locator(".ticket-row")).to_have_count(6)
    assert numbers(page) == [1, 2, 3, 4, 5, 6]


def test_typing_never_decides(page: Page) -> None:
    press(page, "/")
    assert focused(page) == "by-q"
    page.keyboard.type("123hexaz")
    press(page, "Escape")
    page.evaluate(
        "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '1', bubbles: true, isComposing: true}))"
    )
    at(page, 1)
    assert set(states().values()) == {"new"}


def test_keys_follow_the_persons_keymap_and_can_be_switched_off(page: Page, dana: User) -> None:
    User.objects.filter(pk=dana.pk).update(keymap={"triage_accept": "y"})
    page.reload()
    expect(page.locator("#ticket button[value=accept] kbd")).to_have_text("Y")
    press(page, "1")
    at(page, 1)
    press(page, "y")
    at(page, 2)
    User.objects.filter(pk=dana.pk).update(single_keys=False)
    saved(page)
    page.reload()
    for key in "123hexajkyz":
        press(page, key)
    at(page, 2)
    assert sum(state == "new" for state in states().values()) == 5


def test_the_help_lists_the_keys_of_this_page(page: Page) -> None:
    press(page, "?")
    for words in ("Dismiss, with a reason", "Select all that are shown", "Take the last decision back"):
        expect(page.locator("#keys-help")).to_contain_text(words)


def test_a_filter_is_a_sentence_and_an_address_and_a_queue(page: Page, six: list[Ticket], dana: User) -> None:
    service.assign(six[3], dana, dana)
    page.select_option("#by-assignee", "me")
    page.wait_for_url("**assignee=me**")
    assert numbers(page) == [4]
    page.locator(".triage-queues summary").click()
    page.fill("#queue-name", "mine")
    press(page, "Enter")
    page.wait_for_url("**/triage/?assignee=me")
    page.goto(PAGE)
    page.locator(".triage-queues summary").click()
    page.get_by_role("link", name="mine").click()
    page.wait_for_url("**/triage/?assignee=me")


# --- on a phone ---------------------------------------------------------------------------------------


def test_on_a_phone_the_list_and_the_ticket_are_two_pages(open_page: Open, dana: User, six: list[Ticket]) -> None:
    page = open_page(dana, PAGE, viewport={"width": 390, "height": 844}, has_touch=True)
    expect(page.locator("#ticket-pane")).to_be_hidden()
    page.locator("#row-2 a").tap()
    expect(page.locator("#tickets")).to_be_hidden()
    at(page, 2)
    expect(page).to_have_url(re.compile("/triage/2/$"))
    page.get_by_role("button", name="Accept").tap()
    at(page, 3)
    page.get_by_role("link", name="Tickets").first.tap()
    expect(page.locator("#tickets")).to_be_visible()
    saved(page)
    assert numbers(page) == [1, 3, 4, 5, 6]
    assert states()[2] == "accepted"
    page.goto(f"{PAGE}4/")
    expect(page.locator("#tickets")).to_be_hidden()
    at(page, 4)


# --- a long list --------------------------------------------------------------------------------------


def test_a_list_longer_than_a_page_is_emptied_to_its_end(open_page: Open, dana: User, project: Project) -> None:
    tickets(project, 70)
    page = open_page(dana, PAGE)
    for place in range(70):
        if place < 69:
            at(page, place + 1)
        press(page, "3", "1")
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    saved(page, seconds=120)  # the keys are quicker than the 70 answers
    assert set(states().values()) == {"dismissed"}


def test_a_long_text_and_other_scripts_stay_in_their_column(open_page: Open, dana: User, project: Project) -> None:
    for text in ("unbreakable" * 300, "我的新卡什么时候能到？", "أين بطاقتي؟", "👨‍👩‍👧‍👦 😡" * 40, "word " * 3_000):
        ticket(project, text)
    for width in (1400, 390):
        page = open_page(dana, PAGE, viewport={"width": width, "height": 844})
        for number in range(1, 6):
            page.goto(f"{PAGE}{number}/")
            assert current(page) == number
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
