"""Triage with others at it, over a bad line, without scripts, for everybody's eyes."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import transaction
from playwright.sync_api import Page, Route, expect

from apps.accounts.models import User
from apps.feedback.models import Signal, Ticket
from apps.feedback.services import tickets as service
from apps.projects.models import Project
from tests.browser import network
from tests.browser.conftest import Open
from tests.browser.triage_page import PAGE, at, fetched, focused, numbers, press, saved, states
from tests.feedback.triage import ticket, tickets

MOVE = "**/triage/move/"


@pytest.fixture
def four(project: Project) -> list[Ticket]:
    return tickets(project, 4)


def deaf(page: Page) -> None:
    """The page hears nothing of others. An aborted poll would be an error in the console, now and then."""
    network.intercept(page, "**/triage/pulse/**", lambda route: route.fulfill(status=204))


# --- two at once --------------------------------------------------------------------------------------


def test_a_colleagues_move_shows_and_nothing_jumps(
    open_page: Open, dana: User, alice: User, four: list[Ticket]
) -> None:
    page = open_page(dana, PAGE)
    with transaction.atomic():  # one look of the page finds both
        service.dismiss(four[0], alice, why="spam")
        service.dismiss(four[2], alice, why="spam")
    expect(page.locator("#row-3[data-left]")).to_contain_text("Alice: dismissed (spam)")
    at(page, 1)
    assert numbers(page) == [1, 2, 3, 4]
    expect(page.locator("#toasts")).to_contain_text("Ticket 1. Alice: dismissed (spam)")
    expect(page.locator("#ticket .badge").first).to_have_text("dismissed")
    expect(page.locator("#triage-counts")).to_contain_text("2 wait")
    press(page, "j")
    at(page, 2)
    assert numbers(page) == [2, 4]


def test_a_stale_decision_is_refused_in_words_and_nothing_is_lost(
    open_page: Open, dana: User, alice: User, four: list[Ticket]
) -> None:
    page = open_page(dana, PAGE)
    deaf(page)
    service.snooze(four[0], alice, reach=5)
    press(page, "1")
    at(page, 2)
    expect(page.locator("#toasts")).to_contain_text("Alice has moved ticket 1 to “snoozed” in the meantime")
    press(page, "3", "1")
    at(page, 3)
    saved(page)
    assert states() == {1: "snoozed", 2: "dismissed", 3: "new", 4: "new"}
    press(page, "z")
    at(page, 2)
    saved(page)
    assert states() == {1: "snoozed", 2: "new", 3: "new", 4: "new"}


def test_of_many_those_that_moved_are_refused_and_the_others_go(
    open_page: Open, dana: User, alice: User, four: list[Ticket]
) -> None:
    page = open_page(dana, PAGE)
    deaf(page)
    service.accept(four[1], alice)
    press(page, "a", "3", "1")
    expect(page.locator("#toasts")).to_contain_text("Alice has moved ticket 2 to “accepted” in the meantime")
    saved(page)
    assert states() == {1: "dismissed", 2: "accepted", 3: "dismissed", 4: "dismissed"}


def test_new_tickets_are_announced_and_shown_when_asked_for(
    open_page: Open, dana: User, project: Project, four: list[Ticket]
) -> None:
    page = open_page(dana, PAGE)
    press(page, "j")
    tickets(project, 3)
    expect(page.locator("#triage-fresh")).to_contain_text("3 new")
    expect(page.locator("#announce")).to_contain_text("3 new tickets")
    assert numbers(page) == [1, 2, 3, 4]
    press(page, "n")
    expect(page.locator("#row-7")).to_be_visible()
    assert numbers(page) == [1, 2, 3, 4, 5, 6, 7]
    at(page, 2)
    expect(page.locator("#triage-fresh")).to_be_hidden()


def test_a_list_that_does_not_come_leaves_the_one_that_is_there(
    open_page: Open, dana: User, project: Project, four: list[Ticket]
) -> None:
    page = open_page(dana, PAGE)
    tickets(project, 3)
    fresh = page.locator("#triage-fresh")
    expect(fresh).to_contain_text("3 new")
    network.intercept(page, f"**{PAGE}", lambda route: route.fulfill(status=502, body="bad gateway"))
    fresh.focus()
    press(page, "Enter")
    expect(page.locator("#announce")).to_have_text(page.evaluate("Marginalia.words.offline"))
    expect(fresh).to_be_focused()
    expect(fresh).to_contain_text("3 new")
    assert numbers(page) == [1, 2, 3, 4]
    page.unroute(f"**{PAGE}")
    press(page, "Enter")
    expect(page.locator("#row-7")).to_be_visible()
    assert numbers(page) == [1, 2, 3, 4, 5, 6, 7]


def test_an_empty_list_fills_by_itself(open_page: Open, dana: User, project: Project) -> None:
    tickets(project, 1)
    page = open_page(dana, PAGE)
    press(page, "3", "1")
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    saved(page)
    tickets(project, 1)
    at(page, 2)
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_hidden()


# --- over a bad line ----------------------------------------------------------------------------------


def test_a_dead_line_stops_nobody_and_loses_nothing(open_page: Open, dana: User, four: list[Ticket]) -> None:
    page = open_page(dana, PAGE)
    deaf(page)
    fetched(page, 4)
    network.go_offline(page)
    press(page, "1")
    at(page, 2)
    press(page, "3", "1")
    at(page, 3)
    expect(page.locator("#saved")).to_have_text("2 unsent")
    expect(page.locator("#triage-notice")).to_contain_text("What you decided is kept here")
    press(page, "h", "1", "z")
    at(page, 3)
    page.context.set_offline(False)
    saved(page)
    assert states() == {1: "accepted", 2: "dismissed", 3: "new", 4: "new"}


def test_unsent_decisions_outlive_the_page(open_page: Open, dana: User, four: list[Ticket]) -> None:
    page = open_page(dana, PAGE)
    network.cut(page, MOVE)
    press(page, "1")
    expect(page.locator("#saved")).to_have_text("1 unsent")
    page.reload()
    expect(page.locator("#row-2")).to_be_visible()
    assert numbers(page) == [2, 3, 4]
    page.unroute(MOVE)
    page.evaluate("Marginalia.triage.desk.outbox.flush(true)")
    saved(page)
    assert states()[1] == "accepted"


def test_an_answer_lost_on_its_way_back_is_no_second_move(open_page: Open, dana: User, four: list[Ticket]) -> None:
    page = open_page(dana, PAGE)

    def lose(route: Route) -> None:
        if "action=dismiss" in (route.request.post_data or ""):
            route.fetch()
            route.abort()
        else:
            route.continue_()

    network.intercept(page, MOVE, lose)
    press(page, "3", "1")
    at(page, 2)
    expect(page.locator("#saved")).to_have_text("1 unsent")
    page.unroute(MOVE)
    saved(page)
    assert states()[1] == "dismissed"
    assert four[0].moves.filter(action="dismiss").count() == 1
    assert page.locator("#toasts .toast").count() == 0


def test_the_next_ticket_is_there_while_the_server_still_thinks(
    open_page: Open, dana: User, four: list[Ticket]
) -> None:
    page = open_page(dana, PAGE)
    fetched(page, 2)
    with transaction.atomic():
        Ticket.objects.select_for_update().get(number=1)  # the server's move waits for this row
        press(page, "1")
        assert page.locator("#ticket").get_attribute("data-number") == "2"
        assert not page.locator("#ticket").evaluate("ticket => ticket.classList.contains('sketch')")
        expect(page.locator("#saved")).to_have_text("saving …")
        assert states()[1] == "new"
    saved(page)
    assert states()[1] == "accepted"


# --- for everybody ------------------------------------------------------------------------------------


def test_without_javascript(open_page: Open, dana: User, four: list[Ticket]) -> None:
    page = open_page(dana, PAGE, java_script_enabled=False)
    page.locator("#ticket").get_by_role("button", name="Accept").click()
    at(page, 2)
    page.locator("#ticket").get_by_role("button", name="Dismiss").click()
    page.get_by_role("button", name="spam").click()
    at(page, 3)
    page.get_by_label("Select ticket 3").check()
    page.get_by_label("Select ticket 4").check()
    page.locator("#triage-bulk").get_by_role("button", name="Snooze").click()
    page.get_by_role("button", name="until tomorrow").click()
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    assert states() == {1: "accepted", 2: "dismissed", 3: "snoozed", 4: "snoozed"}


def examined(page: Page, where: str) -> None:
    found = Axe().run(page).response["violations"]
    assert not found, f"{where}: {[(one['id'], [node['target'] for node in one['nodes']]) for one in found]}"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("dark", 390)])
def test_axe_finds_nothing(
    open_page: Open, dana: User, project: Project, four: list[Ticket], scheme: str, width: int
) -> None:
    ticket(project, "这张卡什么时候到？", people=3, language="zh", comment="未收到卡")
    service.dismiss(four[3], dana, why="model_right", answer="It was right.")
    Signal.objects.filter(ticket=four[1]).update(state="aside", why_aside="a burst")
    page = open_page(dana, PAGE, color_scheme=scheme, viewport={"width": width, "height": 844})
    examined(page, "the list")
    for key in ("x", "2", "3", "h", "e"):
        press(page, key)
        page.wait_for_timeout(250)
        examined(page, f"after {key}")
        press(page, "Escape")
    for path in (f"{PAGE}4/", "/p/bank/signals/", "/p/bank/cases/", f"{PAGE}?state=fixed", f"{PAGE}?said=x"):
        page.goto(path)
        examined(page, path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{path} is wider than the screen"


def test_the_focus_survives_what_the_server_says_later(open_page: Open, dana: User, four: list[Ticket]) -> None:
    page = open_page(dana, PAGE)
    page.locator("#ticket button[value=assign]").focus()
    press(page, "Enter")
    press(page, "1")
    expect(page.locator(".ticket-head")).to_contain_text("with Dana")
    assert page.evaluate("document.activeElement.value") == "assign" or focused(page) == "ticket-heading"
