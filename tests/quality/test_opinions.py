"""The table of opinions, and the word of a reviewer that ends the asking."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.annotation import opinion_table
from apps.annotation.models import Annotation, Lease, Resolution, Task
from apps.annotation.services import Answer, claim, submit, take_in
from apps.annotation.services.deciding import decide_by_hand
from apps.common.errors import DomainError, InvalidInput
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.quality.said import opinion


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.order_by("pk"))


def test_an_opinion_is_the_newest_answer_that_stands(
    project: Project, bob: User, rita: User, alice: User, dana: User, labels: list[Label]
) -> None:
    one, two = make.items(project, 2)
    opinion(one, bob, labels[0])
    opinion(one, bob, labels[1], revision=2)
    opinion(one, rita, labels[1])
    opinion(one, alice, labels[2], late=True)
    opinion(one, dana, undecided="too short")
    opinion(two, bob, labels[0])
    opinion(two, rita, labels[0])
    opinion(two, rita, labels[0], revision=2, retracted=True)
    opinion(two, alice, labels[0], reason=Task.Reason.GOLD)
    Annotation.objects.create(
        project=project, item=two, annotator=dana, key=uuid4(), label=labels[0], outcome="scratch"
    )  # by hand, on many at once

    found = opinion_table.table(project)

    assert found.items.tolist() == [one.pk, one.pk, two.pk]
    assert found.annotators.tolist() == [*sorted([bob.pk, rita.pk]), bob.pk]
    assert [found.label_order[code] for code in found.codes] == [labels[1].pk, labels[1].pk, labels[0].pk]
    assert found.shared().items.tolist() == [one.pk, one.pk]


def test_answers_with_a_label_that_was_merged_mean_the_label_it_went_into(
    project: Project, bob: User, rita: User, labels: list[Label]
) -> None:
    (item,) = make.items(project, 1)
    opinion(item, bob, labels[0])
    opinion(item, rita, labels[1])
    Label.objects.filter(pk=labels[0].pk).update(merged_into=labels[1])

    found = opinion_table.table(project)

    assert len(set(found.codes)) == 1
    assert labels[0].pk not in found.label_order
    assert found.agreement_with(labels[1].pk) == 1


def test_the_table_knows_how_things_stood_at_an_earlier_time(project: Project, bob: User, labels: list[Label]) -> None:
    (item,) = make.items(project, 1)
    first = opinion(item, bob, labels[0])
    second = opinion(item, bob, labels[1], revision=2)

    before = opinion_table.table(project, until=second.created_at)
    since = opinion_table.table(project, since=second.created_at)

    assert before.annotations.tolist() == [first.pk]
    assert since.annotations.tolist() == [second.pk]


def test_a_reviewers_word_is_the_truth_and_ends_the_asking(
    project: Project, bob: User, rita: User, alice: User, labels: list[Label]
) -> None:
    Project.objects.filter(pk=project.pk).update(wanted=3)
    project.refresh_from_db()
    (item,) = make.items(project, 1)
    take_in(project)
    make.answer_next(project, bob, labels[0].pk)
    held = claim(project, alice)[0]

    truth = decide_by_hand(project, item, rita, label=labels[1])

    assert (truth.how, truth.label, truth.by) == (Resolution.How.ADJUDICATED, labels[1], rita)
    task = Task.objects.get(item=item)
    assert (task.state, task.taken) == (Task.State.DONE, 1)
    assert Lease.objects.get(pk=held.pk).state == Lease.State.EXPIRED
    late = submit(project, alice, Answer(token=held.token, key=uuid4(), label=labels[0].pk))
    assert late.kept_as == "late"
    assert Resolution.objects.get(item=item).label == labels[1]
    assert Task.objects.get(item=item).state == Task.State.DONE


def test_a_decision_says_how_many_said_the_same(
    project: Project, bob: User, rita: User, alice: User, labels: list[Label]
) -> None:
    (item,) = make.items(project, 1)
    for user, label in ((bob, 0), (rita, 1), (alice, 1)):
        opinion(item, user, labels[label])
    assert decide_by_hand(project, item, rita, label=labels[1]).agreement == pytest.approx(2 / 3)


def test_a_decision_must_name_a_label_in_use_and_leaves_gold_alone(
    project: Project, rita: User, labels: list[Label]
) -> None:
    (item,) = make.items(project, 1)
    with pytest.raises(InvalidInput):
        decide_by_hand(project, item, rita)
    Resolution.objects.create(item=item, project=project, split=item.split, label=labels[0], how="gold")
    with pytest.raises(DomainError, match="gold"):
        decide_by_hand(project, item, rita, label=labels[1])
