"""Undo, many at once, two managers at once, and the same over HTTP."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Task
from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import RegressionCase, Ticket, TicketMove
from apps.feedback.services import tickets
from apps.notices.models import Delivery, Notice, Webhook
from apps.projects.models import Project
from tests.annotation import make
from tests.conftest import ClientOf
from tests.feedback import complaints
from tests.feedback.complaints import label

pytestmark = pytest.mark.django_db
State = Ticket.State
TICKETS = "/api/v1/projects/bank/tickets/"


def fields(ticket: Ticket) -> dict[str, Any]:
    found = dict(Ticket.objects.filter(pk=ticket.pk).values()[0])
    return {name: value for name, value in found.items() if name not in {"state_at", "wording", "vector"}}


# --- one ticket -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("action", ["dismiss", "duplicate", "snooze", "assign", "accept"])
def test_undo_puts_everything_back_and_is_a_move_of_its_own(project: Project, dana: User, action: str) -> None:
    ticket = complaints.ticket(project)
    other = complaints.ticket(project, 2, "other")
    before = fields(ticket)
    values = {
        "dismiss": {"why": "spam", "answer": "thanks"},
        "duplicate": {"of": other},
        "snooze": {"until": timezone.now() + timedelta(days=1), "reach": 3},
        "assign": {"to": dana},
        "accept": {},
    }[action]
    done = tickets.act(ticket, action, dana, **values)
    assert fields(ticket) != before
    undone = tickets.undo(Ticket.objects.get(pk=ticket.pk), dana)
    assert fields(ticket) == before
    assert (undone.action, undone.undoes, undone.after) == ("undo", done, done.before)


def test_an_undone_move_uncovers_the_one_before(project: Project, dana: User) -> None:
    ticket = complaints.ticket(project)
    tickets.assign(ticket, dana, dana)
    tickets.dismiss(ticket, dana, why="spam")
    tickets.undo(ticket, dana)
    tickets.undo(ticket, dana)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.assignee) == (State.NEW, None)
    with pytest.raises(DomainError, match="not been moved"):
        tickets.undo(ticket, dana)


def test_what_the_loop_did_cannot_be_undone(project: Project, dana: User) -> None:
    ticket = complaints.ticket(project, state=State.ACCEPTED)
    tickets.confirm(ticket)
    with pytest.raises(DomainError, match="not taken by a person"):
        tickets.undo(ticket, dana)


def test_a_dismissal_while_people_label_closes_their_task_and_undo_asks_again(project: Project, dana: User) -> None:
    ticket = complaints.ticket(project)
    tickets.accept(ticket, dana)
    tickets.dismiss(ticket, dana, why="out_of_scope")
    assert Task.objects.get().state == Task.State.CLOSED
    tickets.undo(ticket, dana)
    ticket.refresh_from_db()
    assert ticket.task is not None
    assert (ticket.state, ticket.task.state, ticket.task.reason) == (State.ACCEPTED, "open", "feedback")


def test_a_stale_page_moves_nothing(project: Project, dana: User, alice: User) -> None:
    ticket = complaints.ticket(project)
    seen_by_alice = Ticket.objects.get()
    tickets.dismiss(ticket, dana, why="spam")
    with pytest.raises(DomainError, match="dismissed"):
        tickets.snooze(seen_by_alice, alice, reach=3)
    assert Ticket.objects.get().state == State.DISMISSED


@pytest.mark.django_db(transaction=True)
def test_of_two_managers_at_once_one_moves_the_ticket(project: Project, dana: User, alice: User) -> None:
    ticket = complaints.ticket(project)
    barrier, outcomes = threading.Barrier(2), []

    def decide(by: User, action: str, **values: Any) -> None:
        seen = Ticket.objects.select_related("project").get(pk=ticket.pk)
        barrier.wait(60)
        try:
            tickets.act(seen, action, by, **values)
            outcomes.append(action)
        except DomainError:
            outcomes.append("refused")
        finally:
            connection.close()

    both = [
        threading.Thread(target=decide, args=(dana, "accept")),
        threading.Thread(target=decide, args=(alice, "dismiss"), kwargs={"why": "spam"}),
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert sorted(outcomes) in (["accept", "refused"], ["dismiss", "refused"])
    assert TicketMove.objects.count() == 1
    stands = Ticket.objects.get().state
    assert stands == (State.ACCEPTED if "accept" in outcomes else State.DISMISSED)
    assert Task.objects.count() == (1 if "accept" in outcomes else 0)  # what the loser had begun is gone


def test_a_ticket_is_no_duplicate_of_itself_by_any_road(project: Project, dana: User) -> None:
    first, second = complaints.ticket(project), complaints.ticket(project, 2, "other")
    tickets.duplicate(second, first, dana)
    for of in (first, Ticket.objects.get(pk=second.pk)):
        with pytest.raises(InvalidInput):
            tickets.duplicate(first, of, dana)


def test_only_those_who_may_triage_are_assigned_and_they_are_told(
    project: Project, dana: User, alice: User, bob: User
) -> None:
    ticket = complaints.ticket(project)
    with pytest.raises(InvalidInput, match="cannot triage"):
        tickets.assign(ticket, bob, dana)
    tickets.assign(ticket, alice, dana)
    tickets.dismiss(ticket, dana, why="spam")
    tickets.reopen(ticket, alice)
    assert [notice.user for notice in Notice.objects.order_by("pk")] == [alice, alice]


def test_the_first_look_is_noted_once_and_is_no_move_to_undo(project: Project, dana: User, alice: User) -> None:
    ticket = complaints.ticket(project)
    assert tickets.look(ticket, dana) is not None
    assert tickets.look(ticket, alice) is None
    with pytest.raises(DomainError):
        tickets.undo(ticket, dana)


def test_host_products_hear_of_moves(project: Project, dana: User) -> None:
    Webhook.objects.create(project=project, url="https://shop.example.org/hook", events=["ticket.moved"])
    ticket = complaints.ticket(project)
    tickets.assign(ticket, dana, dana)
    tickets.dismiss(ticket, dana, why="spam")
    tickets.undo(ticket, dana)
    told = [(sent.payload["action"], sent.payload["state"]) for sent in Delivery.objects.order_by("pk")]
    assert told == [("dismiss", "dismissed"), ("undo", "new")]


# --- many ------------------------------------------------------------------------------------------------
def test_a_bulk_move_moves_those_that_may_and_names_the_others(project: Project, dana: User) -> None:
    for number in (1, 2):
        complaints.ticket(project, number, f"text {number}")
    complaints.ticket(project, 3, "three", state=State.FIXED)
    done = tickets.bulk(project, [1, 2, 3, 99], "dismiss", dana, why="wont_fix")
    assert sorted(move.ticket.number for move in done.moves) == [1, 2]
    assert [number for number, _why in done.refused] == [3]
    assert set(Ticket.objects.filter(number__lt=3).values_list("state", flat=True)) == {State.DISMISSED}


def test_a_bulk_move_is_undone_whole_but_for_what_moved_on(project: Project, dana: User) -> None:
    for number in (1, 2, 3):
        complaints.ticket(project, number, f"text {number}")
    done = tickets.bulk(project, [1, 2, 3], "dismiss", dana, why="spam")
    tickets.reopen(Ticket.objects.get(number=3), dana)
    tickets.undo_bulk(project, done.bulk, dana)
    assert list(Ticket.objects.order_by("number").values_list("dismissal", flat=True)) == ["", "", ""]
    assert TicketMove.objects.filter(action="undo").count() == 2
    with pytest.raises(DomainError, match="undone already"):
        tickets.undo_bulk(project, done.bulk, dana)


def test_undo_without_a_name_takes_ones_own_newest_move(project: Project, dana: User, alice: User) -> None:
    for number in (1, 2, 3):
        complaints.ticket(project, number, f"text {number}")
    tickets.bulk(project, [1, 2], "snooze", dana, reach=5)
    tickets.dismiss(Ticket.objects.get(number=3), alice, why="spam")
    tickets.undo_latest(project, dana)
    assert list(Ticket.objects.order_by("number").values_list("state", flat=True)) == ["new", "new", "dismissed"]


# --- over HTTP -----------------------------------------------------------------------------------------
@pytest.fixture
def api(dana: User, client_of: ClientOf) -> Client:
    return client_of(dana)


def post(api: Client, path: str, body: dict[str, Any], status: int = 201) -> Any:
    response = api.post(TICKETS + path, body, content_type="application/json")
    assert response.status_code == status, response.content
    return response.json()


def test_the_list_is_by_priority_in_pages_with_filters(project: Project, api: Client) -> None:
    for number in range(1, 6):
        complaints.ticket(project, number, f"text {number}", priority=number % 3, reach=number)
    complaints.ticket(project, 6, "gone", state=State.DISMISSED)
    first = api.get(TICKETS, {"limit": 3}).json()
    second = api.get(TICKETS, {"limit": 3, "after": first["next"]}).json()
    assert [row["number"] for row in first["results"] + second["results"]] == [2, 5, 1, 4, 3]
    assert second["next"] is None

    def numbers(**query: Any) -> list[int]:
        return sorted(row["number"] for row in api.get(TICKETS, query).json()["results"])

    assert numbers(state="dismissed") == [6]
    assert numbers(state="all") == [1, 2, 3, 4, 5, 6]
    assert numbers(q="text 4") == [4]
    assert numbers(q="#3") == [3]
    assert numbers(least_reach=4) == [4, 5]
    assert numbers(predicted=label(project, 2).pk) == []
    assert numbers(wanted=label(project, 1).pk, assignee=0) == [1, 2, 3, 4, 5]
    assert api.get(TICKETS, {"after": "nonsense"}).status_code == 422


def test_a_ticket_says_what_stands_behind_it(project: Project, api: Client) -> None:
    ticket = complaints.ticket(project)
    complaints.signal(project, ticket.text, ticket=ticket, state="grouped", counted=True, confidence=0.9)
    body = api.get(f"{TICKETS}1/").json()
    assert body["ticket"]["actions"] == ["accept", "dismiss", "duplicate", "snooze"]
    assert sum(day["people"] for day in body["days"]) == 1
    assert [row["text"] for row in body["examples"]] == [ticket.text]
    words = " ".join(part["sentence"] for part in body["priority_in_words"])
    assert "1 person" in words
    assert "90 %" in words


def test_moves_undo_and_bulk_over_http(project: Project, api: Client) -> None:
    for number in (1, 2):
        complaints.ticket(project, number, f"text {number}")
    assert post(api, "1/moves/", {"action": "dismiss", "why": "spam"})["after"] == "dismissed"
    assert "detail" in post(api, "1/moves/", {"action": "accept"}, 409)
    assert post(api, "1/undo/", {})["after"] == "new"
    done = post(api, "moves/", {"numbers": [1, 2], "action": "snooze", "reach": 4}, 200)
    assert len(done["moves"]) == 2
    assert len(post(api, "undo/", {"bulk": done["bulk"]}, 200)["moves"]) == 2
    assert [move["action"] for move in api.get(f"{TICKETS}1/moves/").json()] == ["undo", "snooze", "undo", "dismiss"]
    assert api.get(f"{TICKETS}counts/").json()["waiting"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"action": "dismiss"}, "why"),
        ({"action": "duplicate"}, "of"),
        ({"action": "duplicate", "of": 77}, "of"),
        ({"action": "assign"}, "to"),
        ({"action": "assign", "to": 999_999}, "to"),
        ({"action": "snooze"}, "until"),
        ({"action": "accept", "why": "spam"}, "why"),
    ],
)
def test_a_move_that_says_too_little_or_too_much_is_named(
    project: Project, api: Client, body: dict[str, Any], field: str
) -> None:
    complaints.ticket(project)
    assert post(api, "1/moves/", body, 422)["field"] == field


def test_cases_are_pinned_and_retired_over_http(project: Project, api: Client) -> None:
    (item,) = make.items(project, 1)
    case = RegressionCase.objects.create(project=project, item=item, label=label(project, 0))
    url = f"/api/v1/projects/bank/cases/{case.pk}/"
    assert api.patch(url, {"pinned": False}, content_type="application/json").json()["pinned"] is False
    retired = api.patch(url, {"retired": True, "why": "No longer asked"}, content_type="application/json").json()
    assert (retired["why_retired"], retired["retired_at"] is None) == ("No longer asked", False)
    assert api.patch(url, {"retired": True}, content_type="application/json").status_code == 409
    listed = api.get("/api/v1/projects/bank/cases/").json()["results"]
    assert listed == []


def test_annotators_see_no_tickets(project: Project, bob: User, client_of: ClientOf) -> None:
    complaints.ticket(project)
    assert client_of(bob).get(TICKETS).status_code == 403
