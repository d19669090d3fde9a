"""Gold mixed in quietly, newcomers, pauses, audiences, what is kept back, who is asked first."""

import random
from datetime import timedelta
from unittest import mock
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import queries, services
from apps.annotation.models import Annotation, Audience, Gold, Lease, Resolution, Task
from apps.annotation.services import Answer, TopChoice, changes, golds, sending
from apps.content.models import Item
from apps.projects.models import Label, Membership, Project
from tests.annotation import make
from tests.annotation.test_handout import NONE, violations
from tests.conftest import ClientOf


@pytest.fixture
def label(project: Project) -> Label:
    return project.labels.all()[0]


def gild(project: Project, items: list[Item], by: User) -> None:
    """Gold items as their own service makes them."""
    label = project.labels.all()[0]
    Task.objects.filter(item__in=items, state__in=["open", "full"]).update(state="closed", closed_at=timezone.now())
    for item in items:
        Task.objects.create(project=project, item=item, split="pool", reason="gold", state="gold", rank=Task.LAST)
        Gold.objects.create(project=project, item=item, label=label, by=by)
        Resolution.objects.update_or_create(
            item=item, defaults={"project": project, "split": "pool", "label": label, "how": "gold"}
        )


@pytest.fixture
def mixed(project: Project, alice: User) -> Project:
    """Forty ordinary items and ten gold ones that Alice made."""
    items = make.items(project, 50)
    services.take_in(project)
    gild(project, items[:10], alice)
    return project


def golden(project: Project) -> set[int]:
    return set(Gold.objects.filter(project=project).values_list("item", flat=True))


def work(project: Project, user: User, n: int, label: int) -> list[Annotation]:
    return [make.answer_next(project, user, label).annotation for _ in range(n)]


# --- gold


def test_gold_comes_at_its_share_and_never_twice(mixed: Project, bob: User, label: Label) -> None:
    mixed.gold_share = 0.5
    with mock.patch("apps.annotation.services.handout._dice", random.Random(5)):
        said = work(mixed, bob, 20, label.pk)
    met = [answer.item_id for answer in said]
    assert len(met) == len(set(met))
    share = len(golden(mixed) & set(met)) / 20
    assert 0.15 < share <= 0.5
    work(mixed, bob, 30, label.pk)
    assert services.claim(mixed, bob) == []
    assert Annotation.objects.filter(annotator=bob).values("item").distinct().count() == 50
    assert violations() == NONE


def test_the_draw_is_made_for_every_answer(mixed: Project, bob: User, label: Label) -> None:
    mixed.gold_share = 0.1
    # two draws a time: both places at first, then the second alone, where a pivot is drawn for what was found gold
    dice = [0.5, 0.5, 0.5, 0.05, 0.7, 0.05, 0.5, 0.7]
    with mock.patch("apps.annotation.services.handout._dice.random", side_effect=dice):
        assert not {lease.task.item_id for lease in services.claim(mixed, bob)} & golden(mixed)
        gold = []
        for _ in range(2):
            token = Lease.objects.filter(annotator=bob, state="active").earliest("claimed_at", "pk").token
            following = services.submit(mixed, bob, Answer(token, uuid4(), label.pk)).next
            gold.append(following[-1].task.item_id in golden(mixed))
    assert gold == [True, False]


def test_no_share_no_gold(mixed: Project, bob: User, label: Label) -> None:
    work(mixed, bob, 40, label.pk)
    assert services.claim(mixed, bob) == []
    assert not Annotation.objects.filter(item__in=golden(mixed)).exists()


def test_a_gold_answer_changes_neither_task_nor_truth(mixed: Project, bob: User) -> None:
    mixed.gold_share = 1.0
    other = mixed.labels.all()[1]
    before = list(Task.objects.filter(state="gold").order_by("pk").values())
    lease = services.claim(mixed, bob)[0]
    said = services.submit(mixed, bob, Answer(lease.token, uuid4(), other.pk)).annotation
    assert said.item_id in golden(mixed)
    assert (said.late, said.retracted, said.task_id) == (False, False, lease.task_id)
    assert Resolution.objects.get(item=said.item_id).label_id != other.pk
    services.revise(mixed, bob, said.item_id, uuid4(), label=mixed.labels.all()[2].pk)
    back = services.undo(mixed, bob)
    assert back is not None
    assert (back.state, back.task.reason) == ("active", "random")
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    services.sweep()
    assert list(Task.objects.filter(state="gold").order_by("pk").values()) == before
    assert Resolution.objects.filter(how="gold").count() == 10
    assert violations() == NONE


def test_a_skipped_gold_item_is_gone_for_that_person_only(mixed: Project, bob: User, rita: User) -> None:
    mixed.gold_share = 1.0
    Gold.objects.exclude(item=min(golden(mixed))).update(retired_at=timezone.now())
    Task.objects.filter(state="gold").exclude(item=min(golden(mixed))).update(state="closed")
    lease = next(lease for lease in services.claim(mixed, bob) if lease.task.item_id in golden(mixed))
    following = services.skip(mixed, bob, lease.token)
    assert lease.task_id not in {one.task_id for one in following}
    assert lease.task_id in {one.task_id for one in services.claim(mixed, rita)}
    assert violations() == NONE


def test_nobody_is_measured_by_gold_they_made_or_by_what_they_answered_before(
    project: Project, alice: User, bob: User, rita: User, label: Label
) -> None:
    items = make.items(project, 3)
    services.take_in(project)
    known = {lease.task.item_id for lease in services.claim(project, bob)}
    work(project, bob, 2, label.pk)
    gild(project, items, alice)
    project.gold_share = 1.0
    assert services.claim(project, alice) == []
    assert {lease.task.item_id for lease in services.claim(project, bob)} == {item.pk for item in items} - known
    assert len(services.claim(project, rita)) == 2


def test_the_card_and_the_api_do_not_give_gold_away(mixed: Project, bob: User, rita: User, client_of: ClientOf) -> None:
    mixed.gold_share = 1.0
    mixed.save()
    lease = services.claim(mixed, bob)[0]
    assert lease.task.item_id in golden(mixed)
    assert queries.why(lease.task) == queries.why(Task(reason="random"))
    url = f"/api/v1/projects/{mixed.slug}/"
    claimed = client_of(bob).post(url + "claim/", {}, content_type="application/json").json()["leases"]
    assert {row["reason"] for row in claimed} == {"random"}
    assert client_of(bob).get(url + "tasks/", {"item": lease.task.item_id, "state": "gold"}).json()["results"] == []
    assert client_of(bob).get(url + "tasks/", {"item": lease.task.item_id}).json()["results"][-1]["state"] == "closed"
    assert len(client_of(rita).get(url + "tasks/", {"state": "gold"}).json()["results"]) == 10


# --- newcomers, pauses


def test_newcomers_get_gold_only_until_they_had_their_number(mixed: Project, bob: User, label: Label) -> None:
    mixed.training_items = 4
    assert queries.standing(mixed, bob).training_left == 4
    said = work(mixed, bob, 7, label.pk)
    assert [answer.item_id in golden(mixed) for answer in said] == [True] * 4 + [False] * 3
    assert queries.standing(mixed, bob) == queries.Standing(None, "", 0)


def test_who_was_let_off_begins_at_once_and_too_few_gold_items_hold_nobody_up(
    mixed: Project, bob: User, rita: User, label: Label
) -> None:
    mixed.training_items = 20
    Membership.objects.filter(user=rita).update(trained_at=timezone.now())
    assert work(mixed, rita, 1, label.pk)[0].item_id not in golden(mixed)
    said = work(mixed, bob, 12, label.pk)
    assert [answer.item_id in golden(mixed) for answer in said] == [True] * 10 + [False] * 2


def test_a_paused_member_gets_nothing_and_what_they_send_still_counts(mixed: Project, bob: User, label: Label) -> None:
    lease = services.claim(mixed, bob)[0]
    Membership.objects.filter(user=bob).update(paused_at=timezone.now(), paused_why="gold accuracy")
    assert services.claim(mixed, bob) == []
    standing = queries.standing(mixed, bob)
    assert (standing.paused_at is not None, standing.paused_why) == (True, "gold accuracy")
    done = services.submit(mixed, bob, Answer(lease.token, uuid4(), label.pk))
    assert (done.kept_as, done.next) == ("answer", [])
    Membership.objects.filter(user=bob).update(paused_at=None)
    assert len(services.claim(mixed, bob)) == 2
    assert violations() == NONE


# --- audiences, archived items, the order of things


def test_tasks_for_named_people_go_to_them_alone_and_in_the_order_of_the_queue(
    project: Project, bob: User, rita: User, alice: User, label: Label
) -> None:
    make.items(project, 6)
    services.take_in(project)
    experts = Audience.objects.create(project=project, name="experts")
    experts.people.add(rita)
    elsewhere = Audience.objects.create(
        project=Project.objects.create(slug="other", name="Other", encoder="x"), name="experts"
    )
    elsewhere.people.add(rita)
    ranked = list(Task.objects.order_by("rank"))
    for task in (ranked[0], ranked[2]):
        Task.objects.filter(pk=task.pk).update(audience=experts)
    theirs = [answer.task_id for answer in work(project, rita, 3, label.pk)]
    assert theirs == [task.pk for task in ranked[:3]]
    others = [lease.task_id for lease in services.claim(project, bob, ahead=6)]
    assert others == [ranked[5].pk], "Rita holds the two before"
    experts.delete()
    assert Task.objects.filter(audience=None).count() == 6


def test_archived_items_are_not_handed_out(project: Project, bob: User) -> None:
    items = make.items(project, 3)
    services.take_in(project)
    Item.objects.filter(pk__in=[item.pk for item in items[:2]]).update(archived_at=timezone.now())
    assert [lease.task.item_id for lease in services.claim(project, bob)] == [items[2].pk]
    Item.objects.filter(pk=items[0].pk).update(archived_at=None)
    assert {lease.task.item_id for lease in services.claim(project, bob)} == {items[0].pk, items[2].pk}


# --- overlap and blind shares


def test_the_overlap_share_is_drawn_when_items_arrive(project: Project) -> None:
    project.overlap_share, project.overlap_wanted = 0.25, 3
    project.save()
    make.items(project, 2000)
    services.take_in(project)
    several = Task.objects.filter(wanted=3).count()
    assert Task.objects.filter(wanted=1).count() == 2000 - several
    assert 370 < several < 630
    early = Task.objects.order_by("rank")[:1000]
    assert 160 < sum(task.wanted == 3 for task in early) < 340, "the draw has nothing to do with the order"


def test_a_share_that_is_raised_later_holds_for_tasks_that_nobody_has_taken(
    project: Project, bob: User, label: Label
) -> None:
    make.items(project, 30)
    services.take_in(project)
    done = work(project, bob, 3, label.pk)
    project.overlap_share, project.overlap_wanted = 1.0, 2
    work(project, bob, 5, label.pk)
    wanted = dict(Task.objects.values_list("item", "wanted"))
    assert {wanted[answer.item_id] for answer in done} == {1}
    assert sorted(wanted.values()).count(2) == 5
    assert violations() == NONE


def test_a_blind_share_hides_suggestions_and_keeps_them_for_the_measure(
    project: Project, bob: User, rita: User, label: Label
) -> None:
    project.blind_share, project.wanted, project.holdout_share = 0.4, 2, 0.0
    project.save()
    items = make.items(project, 120)
    services.take_in(project)
    shown = {"head": 2, "labels": [label.pk], "probabilities": [0.9]}
    services.set_top(project, [TopChoice(item.pk, "uncertain", 0.1, shown) for item in items])
    said = work(project, bob, 110, label.pk)
    hidden = [answer for answer in said if answer.hidden is not None]
    assert 0.12 < len(hidden) / 110 < 0.72
    assert all(answer.shown is None and answer.hidden == shown and answer.outcome == "scratch" for answer in hidden)
    assert all((answer.shown, answer.outcome) == (shown, "accepted") for answer in said if answer.hidden is None)
    theirs = {answer.item_id: answer.hidden is None for answer in work(project, rita, 110, label.pk)}
    mine = {answer.item_id: answer.hidden is None for answer in said}
    same = [theirs[item] == seen for item, seen in mine.items() if item in theirs]
    assert 0.2 < sum(same) / len(same) < 0.84, "drawn for each person"


def test_looking_again_does_not_show_what_was_hidden(project: Project, bob: User, label: Label) -> None:
    project.blind_share, project.holdout_share = 0.5, 0.0
    project.save()
    items = make.items(project, 40)
    services.take_in(project)
    services.set_top(
        project,
        [TopChoice(i.pk, "random", None, {"head": 1, "labels": [label.pk], "probabilities": [1]}) for i in items],
    )
    first = {lease.task_id: lease.shown for lease in services.claim(project, bob, ahead=40)}
    assert {shown is None for shown in first.values()} == {True, False}
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    services.sweep()
    assert {lease.task_id: lease.shown for lease in services.claim(project, bob, ahead=40)} == first


# --- the same item, and who is asked again


def test_the_database_refuses_the_same_item_to_one_person_through_two_tasks(
    project: Project, bob: User, label: Label
) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    work(project, bob, 1, label.pk)
    second = Task.objects.create(project=project, item=item, split="pool", reason="random", rank=5)
    assert services.claim(project, bob) == []
    with pytest.raises(IntegrityError), transaction.atomic():
        Lease.objects.create(task=second, annotator=bob, expires_at=timezone.now())
    Task.objects.filter(pk=second.pk).update(reason="suspect")
    (lease,) = services.claim(project, bob)
    stored = Lease.objects.get(pk=lease.pk)
    assert (stored.item_id, stored.again) == (item.pk, True)


def test_who_has_not_answered_yet_is_asked_first_when_others_are_at_work(
    project: Project, bob: User, rita: User, label: Label
) -> None:
    items = make.items(project, 8)
    services.take_in(project)
    mine = work(project, bob, 1, label.pk)[0].item_id
    work(project, rita, 1, label.pk)
    for user in (bob, rita):
        for lease in services.claim(project, user):
            services.skip(project, user, lease.token)
    task = services.ask(project, Item.objects.get(pk=mine), reason=Task.Reason.FEEDBACK)
    assert task.others_until is not None
    assert task.pk not in {lease.task_id for lease in services.claim(project, bob, ahead=8)}
    Task.objects.filter(pk=task.pk).update(others_until=timezone.now() - timedelta(hours=1))
    assert task.pk in {lease.task_id for lease in services.claim(project, bob, ahead=9)}, "after a day, anybody"
    assert items


def test_what_is_sent_to_the_queue_also_goes_to_others_first(
    project: Project, bob: User, rita: User, label: Label
) -> None:
    items = make.items(project, 40)
    services.take_in(project)
    mine = work(project, bob, 1, label.pk)[0].item_id
    work(project, rita, 1, label.pk)
    for user in (bob, rita):
        for lease in services.claim(project, user):
            services.skip(project, user, lease.token)
    untouched = next(item for item in items if not item.tasks.get().leases.exists())
    sent = sending.send(project, rita, [mine, untouched.pk], front=True)
    task, fresh = (Task.objects.get(item=pk, state="open") for pk in (mine, untouched.pk))
    assert task.others_until is not None
    assert fresh.others_until is None, "nobody has answered it"
    assert task.pk not in {lease.task_id for lease in services.claim(project, bob, ahead=8)}
    assert task.pk in {lease.task_id for lease in services.claim(project, rita, ahead=8)}
    again = sending.send(project, rita, [mine], audience=Audience.objects.create(project=project))
    assert Task.objects.get(pk=task.pk).others_until is None, "of this group nobody else is there"
    changes.take_back(again, rita)
    assert Task.objects.get(pk=task.pk).others_until == task.others_until
    changes.take_back(sent, rita)


def test_alone_one_is_asked_again_oneself(project: Project, bob: User, rita: User, label: Label) -> None:
    make.items(project, 4)
    services.take_in(project)
    mine = work(project, bob, 1, label.pk)[0].item_id
    task = services.ask(project, Item.objects.get(pk=mine), reason=Task.Reason.FLIP)
    assert task.others_until is None, "Rita never answered anything"
    services.skip(project, bob, services.claim(project, bob)[0].token)
    assert task.pk in {lease.task_id for lease in services.claim(project, bob)}


def test_asked_for_by_hand_the_number_of_people_and_who_they_are_are_kept(
    project: Project, bob: User, rita: User, label: Label
) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    experts = Audience.objects.create(project=project)
    experts.people.add(rita)
    task = services.ask(project, item, reason=Task.Reason.CHOSEN, people=2, audience=experts)
    assert (task.wanted, task.audience, task.reason) == (2, experts, "chosen")
    assert services.claim(project, bob) == []
    assert len(services.claim(project, rita)) == 1
    project.overlap_share = 1.0
    assert Task.objects.get().wanted == 2


def test_the_api_does_not_tell_annotators_which_items_are_gold(
    project: Project, alice: User, bob: User, client_of: ClientOf
) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    golds.make_gold(project, item, alice, label=project.labels.all()[0])
    for path, key in (("resolutions/", "results"), (f"items/{item.pk}/history/", "resolution")):
        for user, how in ((bob, "adjudicated"), (alice, "gold")):
            told = client_of(user).get(f"/api/v1/projects/bank/{path}").json()[key]
            assert (told[0] if isinstance(told, list) else told)["how"] == how
    told = client_of(bob).get(f"/api/v1/projects/bank/items/{item.pk}/history/").json()["tasks"]
    assert "gold" not in {task["reason"] for task in told}
    seen = client_of(alice).get(f"/api/v1/projects/bank/items/{item.pk}/history/").json()["tasks"]
    assert "gold" in {task["reason"] for task in seen}
