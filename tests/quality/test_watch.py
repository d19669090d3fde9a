"""Who is through the training, who is paused, and how they are told."""

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Gold
from apps.annotation.services import golds
from apps.common.errors import DomainError
from apps.notices.models import Notice
from apps.projects.models import Membership, Project
from apps.quality import gold_queries as queries
from apps.quality.models import Pause
from apps.quality.services import watch
from tests.annotation import make
from tests.quality.gold import answer_gold

pytestmark = pytest.mark.django_db


def gold(project: Project, by: User, n: int) -> list[Gold]:
    label = project.labels.all()[0]
    return [golds.make_gold(project, item, by, label=label) for item in make.items(project, n)]


def member(project: Project, user: User) -> Membership:
    return Membership.objects.get(project=project, user=user)


def test_a_newcomer_is_through_after_as_many_gold_items_as_the_project_wants(
    project: Project, alice: User, bob: User
) -> None:
    project.training_items = 3
    project.save()
    made = gold(project, alice, 5)
    for one in made[:2]:
        answer_gold(one, bob, right=True)
    watch.look()
    assert member(project, bob).trained_at is None
    answer_gold(made[2], bob, right=False, undecided="too short")  # an honest "cannot decide" is a lesson too
    watch.look()
    assert member(project, bob).trained_at is not None


def test_whoever_has_seen_all_the_gold_there_is_does_not_wait_for_more(
    project: Project, alice: User, bob: User
) -> None:
    project.training_items = 10
    project.save()
    for one in gold(project, alice, 2):
        answer_gold(one, bob, right=True)
    watch.look()
    assert member(project, bob).trained_at is not None


def test_without_any_gold_nobody_is_waved_through(project: Project, alice: User, bob: User) -> None:
    project.training_items = 10
    project.save()
    watch.look()
    assert member(project, bob).trained_at is None
    watch.let_off(project, member(project, bob))
    assert member(project, bob).trained_at is not None


def low(project: Project, alice: User, bob: User, *, right: int, n: int) -> None:
    project.gold_floor = 0.8
    project.save()
    for place, one in enumerate(gold(project, alice, n)):
        answer_gold(one, bob, right=place < right)


def test_somebody_surely_below_the_floor_is_paused_and_both_are_told(project: Project, alice: User, bob: User) -> None:
    low(project, alice, bob, right=4, n=12)
    watch.look()
    paused = member(project, bob)
    assert paused.paused_at is not None
    assert "4 of 12" in paused.paused_why
    pause = Pause.objects.get(user=bob)
    assert (pause.right, pause.answered, pause.by) == (4, 12, None)
    to_bob, to_alice = Notice.objects.get(user=bob), Notice.objects.get(user=alice)
    assert "break" in to_bob.title
    assert "Bob" in to_alice.title
    assert "/gold/" in to_alice.url
    watch.look()
    assert Notice.objects.count() == 2, "told once"


@pytest.mark.parametrize(("right", "n"), [(4, 9), (8, 12)])
def test_few_answers_or_bad_luck_pause_nobody(project: Project, alice: User, bob: User, right: int, n: int) -> None:
    low(project, alice, bob, right=right, n=n)
    watch.look()
    assert member(project, bob).paused_at is None


def test_going_on_begins_the_counting_anew(project: Project, alice: User, bob: User) -> None:
    low(project, alice, bob, right=2, n=12)
    watch.look()
    watch.let_go_on(project, member(project, bob), alice)
    watch.look()
    assert member(project, bob).paused_at is None
    assert bob.pk not in queries.by_person(project)
    assert Notice.objects.filter(user=bob, kind="gold-resumed").count() == 1
    with pytest.raises(DomainError, match="not paused"):
        watch.let_go_on(project, member(project, bob), alice)


def test_a_project_without_a_floor_pauses_nobody(project: Project, alice: User, bob: User) -> None:
    low(project, alice, bob, right=0, n=12)
    project.gold_floor = 0.0
    project.save()
    assert watch.pause_due(project) == 0


def test_a_lead_may_pause_somebody_by_hand(project: Project, alice: User, bob: User) -> None:
    assert watch.pause(project, member(project, bob), by=alice, accuracy=golds.Accuracy(0, 0))
    assert watch.pause(project, member(project, bob), by=alice, accuracy=golds.Accuracy(0, 0)) is None
    assert member(project, bob).paused_at is not None
    assert Notice.objects.filter(user=bob).count() == 1


def test_people_who_left_their_training_long_ago_keep_that_day(project: Project, alice: User, bob: User) -> None:
    day = timezone.now().replace(year=2020)
    Membership.objects.filter(user=bob).update(trained_at=day)
    project.training_items = 1
    project.save()
    answer_gold(gold(project, alice, 1)[0], bob, right=True)
    watch.look()
    assert member(project, bob).trained_at == day
