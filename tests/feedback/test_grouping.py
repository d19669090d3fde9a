"""Signals become tickets."""

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.feedback.models import FeedbackPolicy, Signal, Ticket
from apps.feedback.services import grouping, suspicion, tickets
from apps.notices.models import Delivery, Notice, Webhook
from apps.projects.models import Project
from apps.serving.models import Served
from tests.feedback import complaints
from tests.feedback.complaints import label, version

pytestmark = pytest.mark.django_db
State = Signal.State


def complain(project: Project, text: str, wanted: int | None = 1, **given: Any) -> Signal:
    said = {"predicted": label(project, 0), "wanted": None if wanted is None else label(project, wanted)}
    return complaints.signal(project, text, **said | given)


def places(project: Project) -> dict[int, tuple[str, int | None]]:
    return {signal.pk: (signal.state, signal.ticket_id) for signal in Signal.objects.filter(project=project)}


def numbers(project: Project) -> list[list[str]]:
    """The texts of each ticket, in the order of the tickets."""
    return [
        sorted(ticket.signals.values_list("text", flat=True))
        for ticket in Ticket.objects.filter(project=project).order_by("number")
    ]


def test_behaviour_and_praise_are_counted_and_open_no_ticket(project: Project) -> None:
    complaints.signal(project, kind=Signal.Kind.SHOWN, polarity=0)
    complaints.signal(project, "Where is my card?", polarity=1)
    assert grouping.group(project) == 2
    assert {state for state, _ticket in places(project).values()} == {State.KEPT}
    assert not Ticket.objects.exists()


def test_nearly_the_same_text_with_the_same_pair_is_one_ticket(project: Project) -> None:
    complain(project, "I still have not received my new card, it should be here by now")
    complain(project, "i still have not recieved my new card, it should be here by now!")
    complain(project, "I still have not received my new card, it should be here by now", wanted=2)
    complain(project, "Why was I charged a fee for the exchange?")
    grouping.group(project)
    first, second, third = Ticket.objects.order_by("number")
    assert [len(found) for found in numbers(project)] == [2, 1, 1]
    assert (first.number, second.number, third.number) == (1, 2, 3)
    assert (first.predicted, first.wanted, second.wanted) == (label(project, 0), label(project, 1), label(project, 2))
    assert first.reach == 2


def test_a_thumb_without_a_wish_joins_the_pair_of_the_same_answer(project: Project) -> None:
    thumb = complain(project, "Where is my new card now?", wanted=None)
    named = complain(project, "where is my new card now", wanted=1)
    grouping.group(project)
    assert Ticket.objects.get().wanted == label(project, 1)
    later = complain(project, "Where is my new card now??", wanted=None)
    grouping.group(project)
    assert len({places(project)[signal.pk] for signal in (thumb, named, later)}) == 1


def test_a_ticket_without_a_wish_takes_the_first_one(project: Project) -> None:
    complain(project, "Where is my new card now?", wanted=None)
    grouping.group(project)
    complain(project, "Where is my new card now?", wanted=2)
    grouping.group(project)
    complain(project, "Where is my new card now?", wanted=1)
    grouping.group(project)
    assert [ticket.wanted for ticket in Ticket.objects.order_by("number")] == [label(project, 2), label(project, 1)]


def test_what_is_about_one_prediction_is_one_ticket_and_words_follow_the_thumb(project: Project) -> None:
    served = Served.objects.create(
        project=project, version=version(project), text_hash=b"h" * 32, confidence=0.9, label=label(project)
    )
    thumb = complain(project, "", served=served, wanted=None, text_hash=b"h" * 32)
    grouping.group(project)
    wish = complain(project, "", served=served, wanted=1, text_hash=b"h" * 32)
    words = complaints.signal(project, kind=Signal.Kind.COMMENT, polarity=0, served=served, comment="No, my card!")
    alone = complaints.signal(project, kind=Signal.Kind.COMMENT, polarity=0, comment="Nice page otherwise")
    grouping.group(project)
    found = places(project)
    assert found[thumb.pk] == found[wish.pk] == found[words.pk]
    assert found[alone.pk] == (State.KEPT, None)
    assert Ticket.objects.get().wanted == label(project, 1)


def test_without_a_text_the_hash_groups(project: Project) -> None:
    complain(project, "", text_hash=b"a" * 32)
    complain(project, "", text_hash=b"a" * 32)
    complain(project, "", text_hash=b"b" * 32)
    grouping.group(project)
    assert [ticket.signals.count() for ticket in Ticket.objects.order_by("number")] == [2, 1]
    assert not Ticket.objects.exclude(text="").exists()


def test_grouping_twice_changes_nothing(project: Project) -> None:
    for text in ("Where is my card?", "Where is my card??", "What is the exchange rate?"):
        complain(project, text)
    assert grouping.group(project) == 3
    before, tickets_before = places(project), list(Ticket.objects.order_by("pk").values())
    assert grouping.group(project) == 0
    assert places(project) == before
    assert list(Ticket.objects.order_by("pk").values()) == tickets_before


def test_the_order_within_a_slice_does_not_matter(project: Project) -> None:
    texts = [f"{start} I wait for my card since {days} days" for start in ("", "Hello,") for days in range(8)]
    texts += ["What is the exchange rate today?", "what is the exchange rate today", "Top up failed again"]

    def grouped(order: list[str]) -> set[frozenset[str]]:
        Signal.objects.all().delete()
        Ticket.objects.all().delete()
        for text in order:
            complain(project, text)
        grouping.group(project)
        return {frozenset(found) for found in numbers(project)}

    shuffled = list(np.random.default_rng(0).permutation(texts))
    assert grouped(texts) == grouped(texts[::-1]) == grouped([str(text) for text in shuffled])


def test_slices_find_the_tickets_of_the_slices_before(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "SLICE", 2)
    for n in range(7):
        complain(project, "Where is my card?" if n % 2 else "What is the exchange rate?")
    assert grouping.group(project) == 7
    assert [len(found) for found in numbers(project)] == [4, 3]


def test_a_slice_that_fails_leaves_nothing_behind(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    complain(project, "Where is my card?")

    def broken(*given: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(grouping.reach, "refresh", broken)
        with pytest.raises(RuntimeError):
            grouping.group(project)
    assert set(places(project).values()) == {(State.NEW, None)}
    assert not Ticket.objects.exists()
    assert grouping.group(project) == 1


def test_reach_counts_people_and_not_clicks(project: Project) -> None:
    for _ in range(5):
        complain(project, "Where is my card?", subject="angry")
    complain(project, "Where is my card?", subject="calm")
    complain(project, "Where is my card?", subject="", address="here")
    complain(project, "Where is my card?", subject="", address="here")
    grouping.group(project)
    assert Ticket.objects.get().reach == 3


def test_one_angry_person_counts_for_no_more_than_the_cap(project: Project) -> None:
    FeedbackPolicy.objects.create(project=project, person_cap=2)
    for text in ("Where is my card?", "What is the exchange rate?", "Why did the top up fail?", "How do I close it?"):
        complain(project, text, subject="angry")
    grouping.group(project)
    complain(project, "Is there a branch in town?", subject="angry")
    complain(project, "Is there a branch in town?", subject="calm")
    grouping.group(project)
    assert list(Ticket.objects.order_by("number").values_list("reach", flat=True)) == [1, 1, 0, 0, 1]


def test_the_cap_is_of_a_day(project: Project) -> None:
    FeedbackPolicy.objects.create(project=project, person_cap=1)
    complain(project, "Where is my card?", subject="angry", received_at=timezone.now() - timedelta(days=2))
    complain(project, "What is the exchange rate?", subject="angry")
    grouping.group(project)
    assert list(Ticket.objects.values_list("reach", flat=True)) == [1, 1]


def test_a_flood_of_one_person_is_set_aside_in_words_and_comes_back_on_demand(project: Project) -> None:
    flood = [complain(project, f"Question number {n}", subject="bot") for n in range(suspicion.PERSON + 5)]
    complain(project, "Where is my card?")
    grouping.group(project)
    aside = Signal.objects.filter(state=State.ASIDE)
    assert set(aside.values_list("pk", flat=True)) == {signal.pk for signal in flood[suspicion.PERSON :]}
    assert "one person" in aside[0].why_aside
    aside.update(state=State.NEW)  # what bringing back does; the reason stays
    grouping.group(project)
    assert not Signal.objects.filter(state=State.ASIDE).exists()


def test_a_flood_goes_on_over_the_border_of_two_rounds(project: Project) -> None:
    for n in range(suspicion.PERSON):
        complain(project, f"Question number {n}", subject="bot")
    grouping.group(project)
    more = complain(project, "One more", subject="bot")
    later = complain(project, "Later", subject="bot", received_at=timezone.now() + timedelta(hours=1))
    grouping.group(project)
    assert places(project)[more.pk][0] == State.ASIDE
    assert places(project)[later.pk][0] == State.GROUPED


def test_one_comment_from_many_people_within_a_minute_is_set_aside(project: Project) -> None:
    for _ in range(suspicion.ECHO):
        complain(project, "Where is my card?", comment="this product is a fraud")
    slow = [
        complain(
            project,
            "Where is my card?",
            comment="it never works for me",
            received_at=timezone.now() - timedelta(minutes=3 * n),
        )
        for n in range(suspicion.ECHO)
    ]
    grouping.group(project)
    assert Signal.objects.filter(state=State.ASIDE).count() == suspicion.ECHO
    assert {places(project)[signal.pk][0] for signal in slow} == {State.GROUPED}


@pytest.mark.parametrize(
    ("comment", "spam"),
    [
        ("http://buy.example.org", True),
        ("www.a.example https://b.example !!", True),
        ("see https://b.example", False),
        ("…", False),
    ],
)
def test_a_comment_of_nothing_but_links_is_spam(comment: str, spam: bool) -> None:
    assert suspicion.only_links(comment) is spam


def test_a_server_that_sends_for_many_is_no_flood(project: Project) -> None:
    from apps.feedback.models import IntakeKey

    key = IntakeKey.objects.create(project=project, name="server", kind="secret", prefix="s", digest="d")
    for n in range(suspicion.CROWD + 5):
        complain(project, f"Question {n % 7}", address="server", key=key)
    grouping.group(project)
    assert not Signal.objects.filter(state=State.ASIDE).exists()


# --- tickets that are there already ---------------------------------------------------------------------
@pytest.fixture
def fixed(project: Project, dana: User) -> Ticket:
    complain(project, "Where is my card?", version=version(project, 1))
    grouping.group(project)
    ticket = Ticket.objects.get()
    Ticket.objects.filter(pk=ticket.pk).update(state=Ticket.State.CONFIRMED, assignee=dana)
    tickets.fix(Ticket.objects.get(), version(project, 3))
    return Ticket.objects.get()


@pytest.mark.parametrize(("number", "state"), [(2, "fixed"), (None, "fixed"), (3, "regressed"), (4, "regressed")])
def test_a_complaint_about_the_fixing_version_or_a_later_one_brings_a_ticket_back(
    project: Project, fixed: Ticket, number: int | None, state: str
) -> None:
    complain(project, "Where is my card?", version=version(project, number) if number else None)
    grouping.group(project)
    fixed.refresh_from_db()
    assert fixed.state == state
    assert fixed.reach == 2
    assert Notice.objects.filter(kind="regressed").exists() is (state == "regressed")


def test_a_dismissed_ticket_goes_on_counting_and_stays_dismissed(project: Project, dana: User) -> None:
    complain(project, "Where is my card?")
    grouping.group(project)
    tickets.dismiss(Ticket.objects.get(), dana, why="wont_fix")
    complain(project, "Where is my card?")
    grouping.group(project)
    ticket = Ticket.objects.get()
    assert (ticket.state, ticket.reach) == (Ticket.State.DISMISSED, 2)


def test_a_snoozed_ticket_wakes_when_enough_people_join(project: Project, dana: User) -> None:
    complain(project, "Where is my card?")
    grouping.group(project)
    tickets.snooze(Ticket.objects.get(), dana, reach=2)
    for state in (Ticket.State.SNOOZED, Ticket.State.NEW):
        complain(project, "Where is my card?")
        grouping.group(project)
        assert Ticket.objects.get().state == state


def test_complaints_of_a_duplicate_count_for_what_it_duplicates(project: Project, dana: User) -> None:
    complain(project, "Where is my card?")
    complain(project, "My plastic has not turned up at all")
    grouping.group(project)
    first, second = Ticket.objects.order_by("number")
    tickets.duplicate(second, first, dana)
    complain(project, "My plastic has not turned up at all!")
    grouping.group(project)
    first.refresh_from_db()
    assert (first.reach, Ticket.objects.count()) == (3, 2)


def test_host_products_hear_of_a_new_ticket_once(project: Project) -> None:
    Webhook.objects.create(project=project, url="https://shop.example.org/hook", events=["ticket.opened"])
    complain(project, "Where is my card?")
    grouping.group(project)
    complain(project, "Where is my card?")
    grouping.group(project)
    sent = Delivery.objects.get()
    assert sent.event == "ticket.opened"
    assert (sent.payload["number"], sent.payload["predicted"]) == (1, label(project, 0).name)
    assert "text" not in sent.payload
