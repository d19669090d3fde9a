"""Ten minutes a day are enough for 500 new signals: the queue of a day is emptied by keyboard."""

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.feedback.models import Signal, Ticket
from apps.projects.models import Project
from tests.browser.conftest import Open
from tests.browser.triage_day import WATCH, decide, painted
from tests.browser.triage_page import PAGE, current
from tests.feedback.crowd import crowd

SIGNALS, TEN_MINUTES = 500, 600.0


@pytest.mark.slow
def test_five_hundred_signals_are_triaged_and_the_page_takes_a_small_part_of_ten_minutes(
    open_page: Open, dana: User, project: Project
) -> None:
    made = crowd(project, SIGNALS)
    assert Signal.objects.filter(state="grouped").count() >= SIGNALS * 0.95
    page = open_page(dana, PAGE)
    page.evaluate(WATCH)
    order = []
    for place in range(len(made)):
        page.wait_for_function("count => window.__painted.length >= count", arg=place)
        order.append(current(page))
        decide(page, place)
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    expect(page.locator("#triage-session")).to_have_text(f"{len(made)} decided in this sitting")
    expect(page.locator("#saved")).to_have_attribute("data-state", "saved", timeout=120_000)
    assert order == [ticket.number for ticket in made], "most urgent first, each one once"
    assert not Ticket.objects.filter(state__in=Ticket.WAITING).exists()
    took = painted(page)
    assert sum(took) / 1000 < TEN_MINUTES / 10, f"{sum(took) / 1000:.1f} s of the page for {len(took)} tickets"
