"""Accept → people are asked → the ticket follows the truth that they give."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Lease, Prediction, Resolution, Task
from apps.annotation.services import Answer, TopChoice, claim, set_top, submit, take_in, undo
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.feedback.models import RegressionCase, Ticket
from apps.feedback.services import cases, loop, tickets
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.conftest import ClientOf
from tests.feedback import complaints
from tests.feedback.complaints import label, version

pytestmark = pytest.mark.django_db
State = Ticket.State


def answer(project: Project, user: User, said: Label) -> Task:
    lease = claim(project, user, ahead=1)[0]
    submit(project, user, Answer(token=lease.token, key=uuid4(), label=said.pk))
    return lease.task


def accepted(project: Project, by: User, **given: object) -> Ticket:
    ticket = complaints.ticket(project, **given)  # type: ignore[arg-type]
    complaints.signal(
        project,
        ticket.text,
        ticket=ticket,
        state="grouped",
        counted=True,
        version=version(project, 1),
        predicted=ticket.predicted,
    )
    tickets.accept(ticket, by)
    return ticket


def state_of(ticket: Ticket) -> str:
    return str(Ticket.objects.values_list("state", flat=True).get(pk=ticket.pk))


def test_accepting_makes_the_text_an_item_of_the_pool_and_asks_at_the_very_front(
    project: Project, dana: User, bob: User
) -> None:
    project.holdout_fraction = 0.5
    project.save()
    make.items(project, 3)
    ticket = accepted(project, dana)
    item = Item.objects.get(external_id="ticket-1")
    assert (item.text, item.split) == (ticket.text, "pool")
    lease = claim(project, bob, ahead=1)[0]
    assert (lease.task.pk, lease.task.reason, lease.shown) == (ticket.task_id, Task.Reason.FEEDBACK, None)


def test_a_text_that_is_an_item_already_is_asked_again_with_its_truth_unseen(
    project: Project, dana: User, bob: User
) -> None:
    (item,) = make.items(project, 1)
    Resolution.objects.create(item=item, project=project, split="pool", label=label(project, 0), how="single")
    ticket = accepted(project, dana, text=item.text)
    assert (ticket.item_id, Item.objects.count()) == (item.pk, 1)
    assert claim(project, bob, ahead=1)[0].shown is None


def test_a_hold_out_item_stays_blind_and_held_out(project: Project, dana: User, bob: User) -> None:
    (item,) = make.items(project, 1, split="holdout")
    ticket = accepted(project, dana, text=item.text)
    task = claim(project, bob, ahead=1)[0].task
    assert (task.pk, task.reason, task.split) == (ticket.task_id, Task.Reason.HOLDOUT, "holdout")
    lease = claim(project, bob, ahead=1)[0]
    submit(project, bob, Answer(token=lease.token, key=uuid4(), label=label(project, 1).pk))
    loop.follow(project)
    assert RegressionCase.objects.get().item.split == "holdout"
    assert state_of(ticket) == State.CONFIRMED


def test_the_live_head_does_not_displace_what_was_asked_out_of_turn(project: Project, dana: User, bob: User) -> None:
    items = make.items(project, 3)
    for item in items:
        Task.objects.create(project=project, item=item, split="pool", rank=Task.TOP + item.pk)
    first = accepted(project, dana, text=items[1].text)
    set_top(
        project,
        [TopChoice(item.pk, "uncertain", 0.1, {"head": 1, "labels": [], "probabilities": []}) for item in items],
    )
    set_top(project, [TopChoice(items[2].pk, "uncertain", 0.1, None)])
    task = Task.objects.get(pk=first.task_id)
    assert (task.reason, task.suggestion) == ("feedback", None)
    assert claim(project, bob, ahead=1)[0].task.pk == task.pk


def test_who_was_asked_first_is_answered_first(project: Project, dana: User, bob: User) -> None:
    first = accepted(project, dana, number=1, text="one")
    second = accepted(project, dana, number=2, text="two")
    assert [lease.task.pk for lease in claim(project, bob, ahead=2)] == [first.task_id, second.task_id]


def test_without_a_text_there_is_nothing_to_accept(project: Project, dana: User) -> None:
    with pytest.raises(DomainError, match="no text"):
        tickets.accept(complaints.ticket(project, text=""), dana)


def test_a_complaint_that_was_right_becomes_a_case_once(project: Project, dana: User, bob: User) -> None:
    ticket = accepted(project, dana)
    wrong, right = version(project, 1), version(project, 2)
    for one, said in ((wrong, label(project, 0)), (right, label(project, 2))):
        Prediction.objects.create(
            item_id=ticket.item_id, version=one, label=said, confidence=0.8, margin=0.5, probabilities=[0.1, 0.1, 0.8]
        )
    loop.follow(project)
    assert state_of(ticket) == State.ACCEPTED
    claim(project, bob, ahead=1)
    loop.follow(project)
    assert state_of(ticket) == State.LABELLING
    answer(project, bob, label(project, 2))
    assert loop.follow(project) == 1
    assert state_of(ticket) == State.CONFIRMED
    case = RegressionCase.objects.get()
    assert (case.ticket, case.item_id, case.label, case.pinned) == (ticket, ticket.item_id, label(project, 2), True)
    assert list(case.failed.all()) == [wrong]
    assert loop.follow(project) == 0
    cases.give_birth(Ticket.objects.get())
    assert RegressionCase.objects.count() == 1


def test_what_was_answered_before_it_arrived_in_the_queue_is_not_asked_again(
    project: Project, dana: User, bob: User
) -> None:
    accepted(project, dana)
    answer(project, bob, label(project, 1))
    take_in(project)
    assert Task.objects.count() == 1


def test_a_complaint_that_was_wrong_is_dismissed_with_an_answer_to_send(
    project: Project, dana: User, bob: User
) -> None:
    ticket = accepted(project, dana)
    answer(project, bob, label(project, 0))
    loop.follow(project)
    ticket.refresh_from_db()
    assert (ticket.state, ticket.dismissal) == (State.DISMISSED, Ticket.Dismissal.MODEL_RIGHT)
    assert label(project, 0).name in ticket.answer
    assert ticket.text in ticket.answer
    assert not RegressionCase.objects.exists()


def test_while_people_are_undecided_the_ticket_waits(project: Project, dana: User, bob: User, rita: User) -> None:
    project.wanted = 2
    project.save()
    ticket = accepted(project, dana)
    answer(project, bob, label(project, 1))
    loop.follow(project)
    assert state_of(ticket) == State.LABELLING
    answer(project, rita, label(project, 1))
    loop.follow(project)
    assert state_of(ticket) == State.CONFIRMED


def test_an_old_truth_decides_nothing(project: Project, dana: User) -> None:
    (item,) = make.items(project, 1)
    Resolution.objects.create(item=item, project=project, split="pool", label=label(project, 1), how="single")
    ticket = accepted(project, dana, text=item.text)
    loop.follow(project)
    assert state_of(ticket) == State.ACCEPTED


def test_a_reviewers_truth_stands_and_decides_once_people_have_answered(
    project: Project, dana: User, bob: User
) -> None:
    (item,) = make.items(project, 1)
    Resolution.objects.create(item=item, project=project, split="pool", label=label(project, 1), how="adjudicated")
    ticket = accepted(project, dana, text=item.text)
    answer(project, bob, label(project, 0))
    loop.follow(project)
    assert state_of(ticket) == State.CONFIRMED
    assert RegressionCase.objects.get().label == label(project, 1)


def test_a_second_ticket_about_the_same_text_becomes_its_duplicate(project: Project, dana: User, bob: User) -> None:
    first = accepted(project, dana)
    second = accepted(project, dana, number=2, wanted=label(project, 2))
    assert first.task_id == second.task_id
    answer(project, bob, label(project, 1))
    loop.follow(project)
    assert (state_of(first), state_of(second)) == (State.CONFIRMED, State.DUPLICATE)
    assert RegressionCase.objects.count() == 1


def test_a_truth_that_changes_takes_its_case_along(project: Project, dana: User, bob: User) -> None:
    ticket = accepted(project, dana)
    answer(project, bob, label(project, 1))
    loop.follow(project)
    Resolution.objects.update(label=label(project, 2), changed_at=timezone.now())
    loop.follow(project)
    old, new = RegressionCase.objects.order_by("pk")
    assert old.retired_at is not None
    assert (new.label, new.retired_at, state_of(ticket)) == (label(project, 2), None, State.CONFIRMED)
    Resolution.objects.update(label=label(project, 0), changed_at=timezone.now())
    loop.follow(project)
    assert state_of(ticket) == State.DISMISSED
    assert not RegressionCase.objects.filter(retired_at=None).exists()


def test_whole_answers_are_compared_where_there_are_several_labels(project: Project, dana: User) -> None:
    project.task_kind = Project.TaskKind.MULTI
    project.save()
    a, b, c = (found.pk for found in project.labels.order_by("position"))
    right = accepted(project, dana, number=1, text="one", predicted=None, wanted=None, said={"labels": [b, a]})
    wrong = accepted(project, dana, number=2, text="two", predicted=None, wanted=None, said={"labels": [a]})
    for ticket, truth in ((right, [a, b]), (wrong, [a, c])):
        Resolution.objects.create(
            item_id=ticket.item_id, project=project, split="pool", value={"labels": truth}, how="adjudicated"
        )
    loop.follow(project)
    assert (state_of(right), state_of(wrong)) == (State.DISMISSED, State.CONFIRMED)
    assert RegressionCase.objects.get().value == {"labels": [a, c]}


def test_spans_are_compared_with_their_borders(project: Project, dana: User) -> None:
    project.task_kind = Project.TaskKind.SPANS
    project.save()
    (a,) = [found.pk for found in project.labels.order_by("position")][:1]
    said = {"spans": [{"start": 0, "end": 3, "label": a, "score": 0.9}]}
    ticket = accepted(project, dana, text="one two", predicted=None, wanted=None, said=said)
    truth = {"spans": [{"start": 0, "end": 3, "label": a, "quote": "one"}]}
    Resolution.objects.create(item_id=ticket.item_id, project=project, split="pool", value=truth, how="single")
    loop.follow(project)
    assert state_of(ticket) == State.DISMISSED


# --- undo ----------------------------------------------------------------------------------------------------
def test_undoing_an_accept_closes_the_task_that_it_made(project: Project, dana: User) -> None:
    ticket = accepted(project, dana)
    task = ticket.task_id
    tickets.undo(Ticket.objects.get(), dana)
    assert Task.objects.get(pk=task).state == Task.State.CLOSED
    ticket.refresh_from_db()
    assert (ticket.state, ticket.task_id) == (State.NEW, None)


def test_undoing_an_accept_puts_an_older_task_back_into_the_queue(project: Project, dana: User) -> None:
    (item,) = make.items(project, 1)
    task = Task.objects.create(project=project, item=item, split="pool", rank=Task.TOP + 5)
    accepted(project, dana, text=item.text)
    tickets.undo(Ticket.objects.get(), dana)
    task.refresh_from_db()
    assert (task.state, task.reason) == (Task.State.OPEN, Task.Reason.RANDOM)
    assert task.rank >= Task.TOP


def test_an_accept_that_somebody_has_answered_is_not_undone(project: Project, dana: User, bob: User) -> None:
    accepted(project, dana)
    answer(project, bob, label(project, 1))
    with pytest.raises(DomainError, match="answered"):
        tickets.undo(Ticket.objects.get(), dana)


def test_an_answer_taken_back_may_be_given_anew(project: Project, dana: User, bob: User) -> None:
    ticket = accepted(project, dana)
    answer(project, bob, label(project, 0))
    undo(project, bob)
    loop.follow(project)
    assert state_of(ticket) == State.LABELLING
    answer(project, bob, label(project, 1))
    loop.follow(project)
    assert state_of(ticket) == State.CONFIRMED


# --- the calendar --------------------------------------------------------------------------------------------
def test_snoozed_tickets_wake_on_their_day(project: Project, dana: User) -> None:
    ticket = complaints.ticket(project)
    tickets.snooze(ticket, dana, until=timezone.now() + timedelta(hours=1))
    assert loop.wake_due(project) == 0
    Ticket.objects.update(snoozed_until=timezone.now() - timedelta(hours=1))
    assert loop.wake_due(project) == 1
    ticket.refresh_from_db()
    assert (ticket.state, ticket.snoozed_until) == (State.NEW, None)


def test_priority_grows_with_the_days_without_new_signals(project: Project) -> None:
    ticket = complaints.ticket(project)
    loop.age(project)
    ticket.refresh_from_db()
    young = ticket.priority
    Ticket.objects.update(created_at=timezone.now() - timedelta(days=3))
    loop.age(project)
    assert Ticket.objects.get().priority == young  # once an hour is enough
    loop.cache.clear()
    loop.age(project)
    assert Ticket.objects.get().priority == pytest.approx(young + 3, abs=0.01)


# --- both ways -----------------------------------------------------------------------------------------------
def test_the_item_shows_its_tickets_to_those_who_triage_and_the_label_page_says_why(
    project: Project, dana: User, alice: User, bob: User, client_of: ClientOf
) -> None:
    ticket = accepted(project, dana)
    page = f"/p/bank/items/{ticket.item_id}/"
    link = f"/p/bank/triage/{ticket.number}/"
    assert link in client_of(dana).get(page).content.decode()
    assert link not in client_of(bob).get(page).content.decode()
    assert link in client_of(alice).get("/p/bank/label/").content.decode()
    Lease.objects.all().delete()
    Task.objects.update(taken=0, state="open")
    seen = client_of(bob).get("/p/bank/label/").content.decode()
    assert "Users complained" in seen
    assert link not in seen
