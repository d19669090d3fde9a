"""The ledger of points: by rule, once, capped, taken back for spam, never rewritten, and told to the host."""

import csv
import io
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import InvalidInput
from apps.content.models import Item
from apps.feedback import reward_queries as queries
from apps.feedback.models import RegressionCase, RewardEntry, RewardRule, Signal, Ticket
from apps.feedback.services import rewards
from apps.feedback.services.rewards import Worth
from apps.notices.models import Delivery, Webhook
from apps.projects.models import Label, Project
from apps.projects.subjects import pseudonym
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
_n = count(1)
AGO = timedelta(minutes=30)


@pytest.fixture
def on(project: Project) -> Project:
    rewards.switch(project, True)
    RewardRule.objects.filter(project=project).update(since=timezone.now() - timedelta(days=10))
    return project


def _signal(project: Project, kind: str = "label", subject: str = "s", **fields: Any) -> Signal:
    n = next(_n)
    values = {"state": "grouped", "polarity": -1, "received_at": timezone.now() - AGO} | fields
    return Signal.objects.create(project=project, event=f"e{n}", kind=kind, subject=subject, **values)


def _ticket(project: Project, state: str, *, ago: timedelta = AGO, **fields: Any) -> Ticket:
    return Ticket.objects.create(project=project, number=next(_n), state=state, state_at=timezone.now() - ago, **fields)


def _credit(project: Project, now: datetime | None = None) -> list[tuple[str, int]]:
    """What this run adds."""
    before = set(RewardEntry.objects.values_list("pk", flat=True))
    rewards.credit(project, now)
    new = RewardEntry.objects.exclude(pk__in=before).order_by("pk")
    return list(new.values_list("outcome", "points"))


def test_nothing_is_given_unless_somebody_switched_it_on(project: Project) -> None:
    _signal(project)
    assert _credit(project) == []
    assert rewards.projects_with_rewards() == []


def test_switching_on_offers_rules_by_which_being_right_is_worth_more(project: Project) -> None:
    rewards.switch(project, True)
    label = rewards.worth(project)["label"]
    assert label.fixed > label.right > label.sent > 0
    assert rewards.projects_with_rewards() == [project.pk]


def test_a_contribution_earns_once_for_each_outcome(on: Project) -> None:
    signal = _signal(on, ticket=_ticket(on, "new"))
    assert _credit(on) == [("sent", 2)]
    assert _credit(on) == []
    Ticket.objects.update(state="confirmed")
    assert _credit(on) == [("right", 10)]
    Ticket.objects.update(state="fixed")
    assert _credit(on) == [("fixed", 20)]
    assert _credit(on) == []
    assert queries.balance(on, signal.subject).balance == 32


@pytest.mark.parametrize(
    "fields",
    [
        {"subject": ""},
        {"state": "new"},
        {"state": "aside"},
        {"kind": "shown", "polarity": 0, "state": "kept"},
        {"received_at": timezone.now() - timedelta(days=11)},
    ],
    ids=["nobody known", "not grouped yet", "set aside", "mere behaviour", "before the rule"],
)
def test_what_earns_nothing(on: Project, fields: dict[str, Any]) -> None:
    _signal(on, **fields)
    assert _credit(on) == []


def test_a_decision_that_may_still_be_undone_earns_nothing_yet(on: Project) -> None:
    _signal(on, ticket=_ticket(on, "confirmed", ago=timedelta(0)))
    assert _credit(on) == [("sent", 2)]
    assert _credit(on, timezone.now() + timedelta(minutes=11)) == [("right", 10)]


def test_who_wanted_another_label_than_the_truth_was_not_right(on: Project) -> None:
    ticket = _ticket(on, "confirmed")
    truth, other = Label.objects.filter(project=on)[:2]
    item = Item.objects.create(project=on, external_id="x", text="x", text_hash=b"x" * 32, split="pool")
    RegressionCase.objects.create(project=on, ticket=ticket, item=item, label=truth)
    _signal(on, subject="wrong", ticket=ticket, wanted=other)
    _signal(on, subject="right", ticket=ticket, wanted=truth)
    _signal(on, subject="unsaid", kind="thumb", ticket=ticket)
    rewards.credit(on)
    right = RewardEntry.objects.filter(outcome="right").order_by("subject")
    assert [entry.subject for entry in right] == ["right", "unsaid"]


def test_a_duplicate_shares_the_fate_of_the_ticket_it_repeats(on: Project) -> None:
    first = _ticket(on, "confirmed")
    _signal(on, ticket=_ticket(on, "duplicate", duplicate_of=first))
    assert _credit(on) == [("right", 10), ("sent", 2)]


def test_a_day_has_a_cap_for_each_person_however_it_is_reached(on: Project) -> None:
    rewards.set_rules(on, {"label": Worth(sent=1, right=5, fixed=0, per_day=2)})
    noon = timezone.now().replace(hour=12, minute=0, second=0) - timedelta(days=2)
    tickets = [_ticket(on, "new") for _ in range(4)]
    for ticket in tickets:
        _signal(on, received_at=noon, ticket=ticket)
    _signal(on, received_at=noon + timedelta(days=1))
    _signal(on, received_at=noon, subject="other")
    assert _credit(on) == [("sent", 1)] * 4  # two of the first day, one of the next, one of another person
    assert _credit(on) == []
    # proved right one after another, the last first: still two of that day
    given = []
    for ticket in reversed(tickets):
        Ticket.objects.filter(pk=ticket.pk).update(state="confirmed")
        given += _credit(on)
    assert given == [("right", 5)] * 2


def test_spam_is_taken_back_once_and_earns_no_more(on: Project) -> None:
    signal = _signal(on, ticket=_ticket(on, "new"))
    _credit(on)
    Ticket.objects.update(state="dismissed", dismissal="spam")
    assert _credit(on) == [("sent", -2)]
    assert _credit(on) == []
    balance = queries.balance(on, signal.subject)
    assert (balance.balance, balance.granted, balance.taken_back) == (0, 2, 2)


def test_a_flood_that_is_set_aside_later_is_taken_back_too(on: Project) -> None:
    signal = _signal(on, kind="comment")
    _credit(on)
    Signal.objects.filter(pk=signal.pk).update(state="aside")
    assert _credit(on) == [("sent", -1)]


def test_being_dismissed_for_another_reason_takes_nothing_back(on: Project) -> None:
    _signal(on, ticket=_ticket(on, "dismissed", dismissal="model_right"))
    assert _credit(on) == [("sent", 2)]
    assert _credit(on) == []


def test_the_database_lets_nobody_rewrite_the_ledger(on: Project) -> None:
    _signal(on)
    rewards.credit(on)
    with pytest.raises(IntegrityError), transaction.atomic():
        RewardEntry.objects.update(points=1000)
    with pytest.raises(IntegrityError), transaction.atomic():
        _delete_all()


def _delete_all() -> None:
    RewardEntry.objects.all().delete()
    _commit()


def _commit() -> None:
    """What is looked at when a transaction ends is looked at now."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_what_it_was_for_may_be_forgotten(on: Project) -> None:
    _signal(on)
    rewards.credit(on)
    Signal.objects.all().delete()
    entry = RewardEntry.objects.get()
    assert (entry.signal, entry.points) == (None, 2)
    assert _credit(on) == []


def test_the_ledger_goes_with_its_project(on: Project) -> None:
    _signal(on)
    rewards.credit(on)
    Signal.objects.all().delete()
    Label.objects.all().delete()
    on.delete()
    _commit()
    assert not RewardEntry.objects.exists()


def test_the_host_is_told_of_every_entry_by_its_own_event(on: Project, alice: User) -> None:
    Webhook.objects.create(project=on, url="https://shop.example.org/hook", events=["reward.granted"], by=alice)
    signal = _signal(on)
    rewards.credit(on)
    payload = Delivery.objects.get().payload
    wanted = {"event": signal.event, "subject": "s", "kind": "label", "outcome": "sent", "points": 2, "balance": 2}
    assert wanted.items() <= payload.items()


@pytest.mark.parametrize(
    ("kind", "worth"),
    [
        ("shown", Worth(1, 0, 0, 1)),
        ("answer", Worth(1, 5, 0, 1)),
        ("label", Worth(-1, 0, 0, 1)),
        ("label", Worth(1, 0, 0, 0)),
    ],
)
def test_rules_that_make_no_sense_are_refused(on: Project, kind: str, worth: Worth) -> None:
    with pytest.raises(InvalidInput):
        rewards.set_rules(on, {kind: worth})


# --- pages and API --------------------------------------------------------------------------------------------


def _table(**changed: str) -> dict[str, str]:
    table = {
        f"{kind}-{name}": str(value)
        for kind, worth in rewards.DEFAULTS.items()
        for name, value in zip(("sent", "right", "fixed", "per_day"), worth, strict=True)
    }
    return table | changed


def test_an_administrator_switches_on_and_sets_rules(project: Project, alice: User, client_of: ClientOf) -> None:
    client = client_of(alice)
    client.post(f"/p/{project.slug}/rewards/rules/", {"switch": "on"})
    table = _table(**{"label-right": "50", "thumb-sent": "0"})
    assert client.post(f"/p/{project.slug}/rewards/rules/", table).status_code == 302
    assert rewards.worth(project)["label"].right == 50
    assert not RewardRule.objects.filter(kind="thumb", outcome="sent").exists()
    wrong = client.post(f"/p/{project.slug}/rewards/rules/", _table(**{"label-right": "many"}))
    assert wrong.status_code == 422
    client.post(f"/p/{project.slug}/rewards/rules/", {"switch": "off"})
    assert rewards.projects_with_rewards() == []


def test_a_product_manager_reads_the_ledger_and_changes_no_rule(on: Project, dana: User, client_of: ClientOf) -> None:
    person = pseudonym(on, "user-17")
    _signal(on, subject=person)
    _signal(on, subject=pseudonym(on, "user-18"))
    rewards.credit(on)
    client = client_of(dana)
    page = client.get(f"/p/{on.slug}/rewards/").content.decode()
    assert person[:12] in page
    assert "Save the rules" not in page
    one = client.get(f"/p/{on.slug}/rewards/?who=user-17").content.decode()
    assert person[:12] in one
    assert pseudonym(on, "user-18")[:12] not in one
    assert client.post(f"/p/{on.slug}/rewards/rules/", {"switch": "off"}).status_code == 403


def test_the_export_holds_every_entry(on: Project, dana: User, client_of: ClientOf) -> None:
    signal = _signal(on, ticket=_ticket(on, "confirmed"))
    rewards.credit(on)
    text = client_of(dana).get(f"/p/{on.slug}/rewards/export/").getvalue().decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["outcome"], row["points"], row["event"]) for row in rows] == [
        ("right", "10", signal.event),
        ("sent", "2", signal.event),
    ]


def test_the_host_asks_for_a_balance_by_its_own_key(on: Project, dana: User, bob: User, client_of: ClientOf) -> None:
    person = pseudonym(on, "shop/user 17")
    _signal(on, subject=person)
    rewards.credit(on)
    url = f"/api/v1/projects/{on.slug}/rewards/shop%2Fuser%2017/"
    body = client_of(dana).get(url).json()
    assert (body["subject"], body["balance"], len(body["newest"])) == (person, 2, 1)
    nobody = client_of(dana).get(f"/api/v1/projects/{on.slug}/rewards/user-99/").json()
    assert (nobody["balance"], nobody["newest"]) == (0, [])
    assert client_of(bob).get(url).status_code == 403
    assert client_of(dana).get(f"/api/v1/projects/{on.slug}/rewards/").json()["results"][0]["points"] == 2
