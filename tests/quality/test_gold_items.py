"""Gold items: their truth, their answers, what newcomers are told."""

from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation, Gold, PastTruth, Resolution, Task
from apps.annotation.services import claim, golds
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.projects.models import Label, Membership, Project
from tests.annotation import make
from tests.quality.gold import answer_gold

pytestmark = pytest.mark.django_db


def gold(project: Project, by: User, *, label: int = 0, n: int = 1) -> list[Gold]:
    labels = list(project.labels.all())
    return [golds.make_gold(project, item, by, label=labels[label]) for item in make.items(project, n)]


def test_a_gold_item_leaves_the_queue_and_has_its_truth_for_good(project: Project, alice: User, bob: User) -> None:
    item = make.items(project, 1)[0]
    task = Task.objects.create(project=project, item=item, split="pool", rank=Task.TOP)
    right = project.labels.all()[1]
    made = golds.make_gold(project, item, alice, label=right, explanation=" A rate, not a fee. ")
    task.refresh_from_db()
    assert task.state == Task.State.CLOSED
    assert Resolution.objects.get(item=item).how == "gold"
    assert Resolution.objects.get(item=item).label == right
    assert Task.objects.get(item=item, reason="gold").state == Task.State.GOLD
    assert made.explanation == "A rate, not a fee."


def test_gold_said_again_replaces_truth_and_explanation(project: Project, alice: User) -> None:
    first, second = project.labels.all()[:2]
    item = make.items(project, 1)[0]
    golds.make_gold(project, item, alice, label=first, explanation="old")
    golds.make_gold(project, item, alice, label=second, explanation="new")
    made = Gold.objects.get(item=item)
    assert (made.label, made.explanation) == (second, "new")
    assert Task.objects.filter(item=item, reason="gold").count() == 1


def test_a_held_out_or_archived_item_is_no_gold(project: Project, alice: User) -> None:
    label = project.labels.all()[0]
    held_out = make.items(project, 1, split="holdout")[0]
    with pytest.raises(DomainError, match="held out"):
        golds.make_gold(project, held_out, alice, label=label)
    shelved = make.items(project, 1)[0]
    Item.objects.filter(pk=shelved.pk).update(archived_at=timezone.now())
    shelved.refresh_from_db()
    with pytest.raises(DomainError, match="archived"):
        golds.make_gold(project, shelved, alice, label=label)


def test_gold_needs_a_label_of_this_project_that_is_in_use(project: Project, alice: User) -> None:
    item = make.items(project, 1)[0]
    label = project.labels.all()[0]
    label.archived_at = timezone.now()
    with pytest.raises(InvalidInput):
        golds.make_gold(project, item, alice, label=label)
    with pytest.raises(InvalidInput):
        golds.make_gold(project, item, alice)


def test_a_retired_gold_item_measures_nobody_and_keeps_its_truth(project: Project, alice: User, bob: User) -> None:
    made = gold(project, alice)[0]
    answer_gold(made, bob, right=False)
    assert golds.accuracy(project, bob).n == 1
    golds.retire(made, alice)
    assert golds.accuracy(project, bob).n == 0
    assert Resolution.objects.get(item=made.item).how == "adjudicated"
    assert Task.objects.get(item=made.item, reason="gold").state == Task.State.CLOSED
    assert PastTruth.objects.filter(item=made.item, how="gold").count() == 1


def test_accuracy_counts_the_newest_answer_of_each_item_with_its_interval(
    project: Project, alice: User, bob: User
) -> None:
    for place, made in enumerate(gold(project, alice, n=10)):
        answer_gold(made, bob, right=place < 8)
    last = Annotation.objects.filter(annotator=bob).latest("pk")
    answer_gold(last.item.gold, bob, right=True)  # corrected in a second revision
    found = golds.accuracy(project, bob)
    assert (found.right, found.n) == (9, 10)
    assert (round(found.low, 3), round(found.high, 3)) == (0.596, 0.982)  # Wilson, by hand


def test_undecided_and_taken_back_answers_do_not_count(project: Project, alice: User, bob: User) -> None:
    first, second = gold(project, alice, n=2)
    answer_gold(first, bob, right=False, undecided="too little to go by")
    answer_gold(second, bob, right=False)
    answer_gold(second, bob, right=False, retracted=True)
    assert golds.accuracy(project, bob).n == 0


def test_sets_of_labels_and_spans_are_compared_as_such() -> None:
    labels = Gold(value={"labels": [1, 2]})
    assert golds.is_right(labels, None, {"labels": [2, 1]})
    assert not golds.is_right(labels, None, {"labels": [1]})
    assert golds.is_right(Gold(value={"labels": []}), None, {"labels": []})
    spans = Gold(value={"spans": [{"start": 0, "end": 4, "label": 1, "quote": "Rome"}]})
    assert golds.is_right(spans, None, {"spans": [{"start": 0, "end": 4, "label": 1}], "text_hash": "x"})
    assert not golds.is_right(spans, None, {"spans": [{"start": 0, "end": 3, "label": 1}]})
    assert not golds.is_right(spans, None, None)


def test_only_newcomers_are_taught(project: Project, alice: User, bob: User) -> None:
    made = golds.make_gold(
        project, make.items(project, 1)[0], alice, label=project.labels.all()[0], explanation="It asks when."
    )
    wrong = answer_gold(made, bob, right=False)
    assert golds.lesson(project, bob, wrong) is None, "nobody is in training"
    project.training_items = 5
    told = golds.lesson(project, bob, wrong)
    assert told is not None
    assert (told.right, told.label, told.explanation) == (False, made.label, "It asks when.")
    Membership.objects.filter(user=bob).update(trained_at=timezone.now())
    assert golds.lesson(project, bob, wrong) is None, "he is through"


def test_an_ordinary_answer_is_no_lesson(project: Project, bob: User) -> None:
    project.training_items = 5
    item = make.items(project, 1)[0]
    task = Task.objects.create(project=project, item=item, split="pool", rank=Task.TOP)
    label: Label = project.labels.all()[0]
    said = Annotation.objects.create(
        project=project, item=item, task=task, annotator=bob, key=uuid4(), label=label, outcome="scratch"
    )
    assert golds.lesson(project, bob, said) is None
    assert claim(project, bob)
