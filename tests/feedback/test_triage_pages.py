"""The triage page without a browser: the list by its address, moves as plain posts, what a poll hears."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.feedback.models import SavedQueue, Signal, Ticket
from apps.feedback.services import tickets as service
from apps.projects.models import Project
from tests.conftest import ClientOf
from tests.feedback import make
from tests.feedback.triage import ticket, tickets

PAGE = "/p/bank/triage/"


@pytest.fixture
def browser(dana: User, client_of: ClientOf) -> Client:
    return client_of(dana)


def page(client: Client, address: str = PAGE, **more: str) -> str:
    response = client.get(address, headers=more)
    assert response.status_code == 200, response.content.decode()[:2000]
    return response.content.decode()


def shown(client: Client, query: str) -> list[int]:
    """Numbers of the tickets that an address lists, in their order."""
    content = page(client, f"{PAGE}?{query}", **{"HX-Request": "true"})
    return [int(part.split('"')[0]) for part in content.split('id="row-')[1:]]


# --- the list -----------------------------------------------------------------------------------------


def test_without_tickets_the_page_says_what_it_is_for(browser: Client, project: Project) -> None:
    assert "No tickets yet" in page(browser)


def test_the_most_urgent_ticket_is_open_beside_the_list(browser: Client, project: Project) -> None:
    tickets(project, 3)
    Ticket.objects.filter(number=2).update(priority=90)
    content = page(browser)
    assert 'data-number="2"' in content.split('id="ticket-pane"')[1].split(">")[1]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3]),
        ("state=waiting", [1, 2, 3]),
        ("state=all", [1, 2, 3, 4]),
        ("state=dismissed", [4]),
        ("assignee=me", [2]),
        ("assignee=none", [1, 3]),
        ("q=complaint+3", [3]),
        ("q=%232", [2]),
        ("q=nowhere", []),
        ("sort=newest", [3, 2, 1]),
        ("sort=oldest", [1, 2, 3]),
        ("reach=2", [3]),
        ("language=zh", []),
        ("since=2001-01-01", [1, 2, 3]),
        ("since=0d", []),
    ],
)
def test_the_address_says_what_is_listed(
    browser: Client, dana: User, project: Project, query: str, numbers: list[int]
) -> None:
    made = tickets(project, 4)
    now = timezone.now()
    for place, one in enumerate(made):
        at = now - timedelta(hours=9 - place)
        Ticket.objects.filter(pk=one.pk).update(created_at=at, state_at=at, last_signal_at=at)
    Ticket.objects.filter(number=2).update(assignee=dana)
    Ticket.objects.filter(number=3).update(reach=5)
    Ticket.objects.filter(number=4).update(state="dismissed", dismissal="spam")
    assert shown(browser, query) == numbers


def test_labels_on_either_side_and_versions_are_filters(browser: Client, project: Project) -> None:
    one, two, three = project.labels.all()
    ticket(project, predicted=one, wanted=two)
    ticket(project, predicted=two, wanted=three)
    assert shown(browser, f"label={two.pk}") == [1, 2]
    assert shown(browser, f"said={two.pk}") == [2]
    assert shown(browser, f"wanted={two.pk}") == [1]
    assert shown(browser, "version=1") == [1, 2]
    assert shown(browser, "kind=label") == [1, 2]
    assert shown(browser, "kind=thumb") == []


@pytest.mark.parametrize("query", ["state=never", "assignee=77", "version=9", "since=yesterday", "reach=-1", "label=x"])
def test_a_filter_that_does_not_fit_is_said_in_words(browser: Client, project: Project, query: str) -> None:
    tickets(project, 1)
    response = browser.get(f"{PAGE}?{query}")
    assert response.status_code == 422
    assert "Nothing is shown" in response.content.decode()


@pytest.mark.parametrize("sort", ["", "reach", "newest", "oldest"])
def test_the_following_page_begins_where_the_one_before_ended(browser: Client, project: Project, sort: str) -> None:
    tickets(project, 60)
    first = shown(browser, f"sort={sort}")
    rest = shown(browser, f"sort={sort}&after={first[-1]}")
    assert len(first) == 50
    assert sorted(first + rest) == list(range(1, 61))


def test_a_viewer_does_not_triage(vic: User, client_of: ClientOf, project: Project) -> None:
    assert client_of(vic).get(PAGE).status_code == 403


def test_what_strangers_wrote_is_shown_as_text(browser: Client, project: Project) -> None:
    ticket(project, text="<img src=x onerror=alert(1)>", comment="<script>alert(2)</script>")
    content = page(browser)
    assert "<img src=x" not in content
    assert "<script>alert" not in content
    assert "&lt;img src=x" in content


# --- moves as plain posts -----------------------------------------------------------------------------


def move(client: Client, action: str, numbers: str, **values: str) -> str:
    response = client.post("/p/bank/triage/move/", {"action": action, "numbers": numbers, **values}, follow=True)
    return response.content.decode()


def test_every_outcome_is_a_plain_post(browser: Client, dana: User, project: Project) -> None:
    tickets(project, 6)
    move(browser, "accept", "1")
    move(browser, "dismiss", "2", why="spam", answer="Thank you.")
    move(browser, "duplicate", "3", of="#4")
    move(browser, "snooze", "4", until="reach", reach="10")
    move(browser, "assign", "5", to="me")
    states = dict(Ticket.objects.values_list("number", "state"))
    assert states == {1: "accepted", 2: "dismissed", 3: "duplicate", 4: "snoozed", 5: "new", 6: "new"}
    assert Ticket.objects.get(number=2).answer == "Thank you."
    assert Ticket.objects.get(number=3).duplicate_of == Ticket.objects.get(number=4)
    assert Ticket.objects.get(number=5).assignee == dana
    assert "taken back" in move(browser, "undo", "2")
    assert Ticket.objects.get(number=2).state == "new"


def test_a_date_puts_a_ticket_to_sleep_until_that_morning(browser: Client, project: Project) -> None:
    tickets(project, 2)
    day = timezone.localdate() + timedelta(days=3)
    move(browser, "snooze", "1", until="date", date=day.isoformat())
    until = Ticket.objects.get(number=1).snoozed_until
    assert until is not None
    assert timezone.localtime(until).date() == day
    assert "still to come" in move(browser, "snooze", "2", until="date", date="2001-01-01")
    assert Ticket.objects.get(number=2).state == "new"


@pytest.mark.parametrize("action", ["dismiss", "duplicate", "snooze", "assign"])
def test_what_an_outcome_needs_is_asked_for(browser: Client, project: Project, action: str) -> None:
    tickets(project, 2)
    content = move(browser, action, "1,2")
    dialog = content.split(f'id="do-{action}"')[1].split("</dialog>")[0]
    assert " open" in dialog.split(">")[0]
    assert 'name="numbers" value="1,2"' in dialog
    assert set(Ticket.objects.values_list("state", flat=True)) == {"new"}


def test_many_move_together(browser: Client, project: Project) -> None:
    tickets(project, 3)
    browser.post("/p/bank/triage/move/", {"action": "dismiss", "numbers": ["1", "2", "3"], "why": "spam"})
    assert set(Ticket.objects.values_list("state", flat=True)) == {"dismissed"}
    assert "Nothing waits" in page(browser)


def test_a_colleagues_decision_is_not_overruled_unawares(
    browser: Client, project: Project, alice: User, client_of: ClientOf
) -> None:
    one, _other = tickets(project, 2)
    service.dismiss(one, alice, why="spam")
    response = browser.post(
        "/p/bank/triage/move/",
        {"action": "reopen", "numbers": "1,2", "seen": "0,0"},
        headers={"HX-Request": "true"},
    )
    refused = {row["number"]: row["sentence"] for row in response.json()["refused"]}
    assert refused[1] == "Alice has moved ticket 1 to “dismissed” in the meantime. Look again before you decide."
    assert Ticket.objects.get(number=1).state == "dismissed"


def test_an_answer_that_was_lost_on_the_way_is_not_a_second_move(browser: Client, project: Project) -> None:
    tickets(project, 1)
    for again in ("", "on"):
        sent = {"action": "dismiss", "why": "spam", "numbers": "1", "seen": "0", "again": again}
        response = browser.post("/p/bank/triage/move/", sent, headers={"HX-Request": "true"})
        assert response.json()["refused"] == []
        assert response.json()["done"][0]["state"] == "dismissed"
    assert Ticket.objects.get(number=1).moves.count() == 1


def test_the_first_look_stops_the_clock(browser: Client, project: Project) -> None:
    tickets(project, 1)
    assert "nobody has looked yet" in page(browser)
    browser.post("/p/bank/triage/move/", {"action": "look", "numbers": "1"}, headers={"HX-Request": "true"})
    assert "looked at after" in page(browser)


def test_a_ticket_of_another_project_is_out_of_reach(browser: Client, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder=project.encoder)
    theirs = Ticket.objects.create(project=other, number=7)
    assert browser.get(f"{PAGE}7/").status_code == 404
    browser.post("/p/bank/triage/move/", {"action": "dismiss", "why": "spam", "numbers": "7"})
    theirs.refresh_from_db()
    assert theirs.state == "new"


# --- what is new --------------------------------------------------------------------------------------


def pulse(client: Client, signature: str) -> tuple[int, str]:
    response = client.get(f"{PAGE}pulse/?signature={signature}")
    return response.status_code, response.content.decode()


def test_a_poll_hears_nothing_until_something_happens(browser: Client, project: Project, alice: User) -> None:
    one, _two = tickets(project, 2)
    signature = page(browser).split("signature=")[1].split('"')[0]
    assert pulse(browser, signature)[0] == 204
    service.dismiss(one, alice, why="spam")
    status, piece = pulse(browser, signature)
    assert status == 200
    assert "Alice: dismissed (spam)" in piece
    assert pulse(browser, piece.split("signature=")[1].split('"')[0])[0] == 204
    tickets(project, 1)
    assert pulse(browser, piece.split("signature=")[1].split('"')[0])[0] == 200


def test_a_poll_that_hears_nothing_is_cheap(
    browser: Client, project: Project, django_assert_max_num_queries: object
) -> None:
    tickets(project, 2)
    signature = page(browser).split("signature=")[1].split('"')[0]
    with django_assert_max_num_queries(4):  # type: ignore[operator]
        pulse(browser, signature)


# --- the picker and the queues ------------------------------------------------------------------------


def test_the_picker_finds_by_words_and_by_number(browser: Client, project: Project) -> None:
    tickets(project, 12)
    assert 'id="option-7"' in page(browser, f"{PAGE}find/?ticket=1&q=7")
    assert 'id="option-1"' not in page(browser, f"{PAGE}find/?ticket=1&q=complaint")
    assert 'id="option-' in page(browser, f"{PAGE}find/?ticket=1")


def test_queues_are_saved_for_oneself_or_for_everybody(
    browser: Client, project: Project, alice: User, client_of: ClientOf
) -> None:
    tickets(project, 1)
    browser.post(f"{PAGE}queues/", {"name": "urgent", "query": "reach=10"})
    browser.post(f"{PAGE}queues/", {"name": "urgent", "query": "reach=20"})
    browser.post(f"{PAGE}queues/", {"name": "ours", "query": "assignee=none", "everybody": "on"})
    assert sorted(SavedQueue.objects.values_list("name", "query")) == [
        ("ours", "assignee=none"),
        ("urgent", "reach=20"),
    ]
    others = page(client_of(alice))
    assert "ours" in others
    assert ">urgent<" not in others
    ours = SavedQueue.objects.get(name="ours")
    assert browser.post(f"{PAGE}queues/{ours.pk}/delete/").status_code == 409
    assert client_of(alice).post(f"{PAGE}queues/{ours.pk}/delete/").status_code == 302


# --- signals ------------------------------------------------------------------------------------------


def test_signals_are_filtered_and_brought_back(browser: Client, project: Project) -> None:
    label = project.labels.all()[0]
    spam = make.complaint(project, label, text="buy now", comment="=1+1")
    make.complaint(project, label, text="where is it")
    Signal.objects.filter(pk=spam.pk).update(state="aside", why_aside="the same words too often")
    content = page(browser, "/p/bank/signals/?state=aside")
    assert "buy now" in content
    assert "the same words too often" in content
    assert "where is it" not in content
    browser.post("/p/bank/signals/back/", {"signal": [str(spam.pk)]})
    spam.refresh_from_db()
    assert (spam.state, spam.why_aside) == ("new", "the same words too often")
    assert browser.post("/p/bank/signals/back/", {"signal": [str(spam.pk)]}).status_code == 409


def test_the_export_holds_what_the_filter_shows_and_no_formulas(browser: Client, project: Project) -> None:
    label = project.labels.all()[0]
    make.complaint(project, label, text="first", comment="=HYPERLINK(1)")
    make.complaint(project, label, text="second")
    response = browser.get("/p/bank/signals/export/?q=first")
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert "'=HYPERLINK(1)" in lines[1]
