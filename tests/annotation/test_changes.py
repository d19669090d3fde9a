"""Acts on many truths: what they touch, what they leave alone, and the way back."""

from uuid import uuid4

import pytest

from apps.accounts.models import User
from apps.annotation import opinion_table, services
from apps.annotation.models import Annotation, Change, Gold, PastTruth, Resolution, Task
from apps.annotation.services import Answer, changes
from apps.common.errors import DomainError, InvalidInput
from apps.projects.models import Project
from tests.annotation import make
from tests.conftest import ClientOf


def truths() -> dict[int, tuple[int | None, str]]:
    return {item: (label, how) for item, label, how in Resolution.objects.values_list("item_id", "label_id", "how")}


def test_labels_set_by_hand_are_answers_truths_and_the_end_of_the_tasks(project: Project, rita: User) -> None:
    items = make.items(project, 3)
    services.take_in(project)
    label = project.labels.all()[0]
    change = changes.set_truth(project, rita, [items[0].pk, items[2].pk], label=label.pk)
    assert change.n == 2
    assert truths() == {items[0].pk: (label.pk, "adjudicated"), items[2].pk: (label.pk, "adjudicated")}
    assert {said.item_id for said in Annotation.objects.filter(annotator=rita, label=label)} == set(truths())
    assert dict(Task.objects.values_list("item_id", "state")) == {
        items[0].pk: "done",
        items[1].pk: "open",
        items[2].pk: "done",
    }


def test_taking_it_back_brings_back_what_was_there_and_only_that(project: Project, rita: User, bob: User) -> None:
    items = make.items(project, 3)
    services.take_in(project)
    first, second, third = project.labels.all()
    said = make.answer_next(project, bob, first.pk).annotation
    change = changes.set_truth(project, rita, [item.pk for item in items], label=second.pk)
    others = [item.pk for item in items if item.pk != said.item_id]
    # somebody decides one of them anew: that stands
    later = changes.set_truth(project, rita, others[:1], label=third.pk)
    undo = changes.take_back(change, rita)
    assert undo.n == 2
    assert truths() == {said.item_id: (first.pk, "single"), others[0]: (third.pk, "adjudicated")}
    assert Task.objects.get(item=others[1]).state in {"open", "full"}  # Bob may hold it
    assert Task.objects.get(item=said.item_id).state == "done"
    assert Task.objects.get(item=others[0]).state == "done"  # decided: nobody is asked about it again
    newest = Annotation.objects.filter(item=others[1], annotator=rita).latest("revision")
    assert newest.retracted
    with pytest.raises(DomainError, match="taken back already"):
        changes.take_back(change, rita)
    changes.take_back(later, rita)
    assert truths()[others[0]] == (second.pk, "adjudicated")


def test_every_truth_that_changes_leaves_its_past(project: Project, rita: User, bob: User) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    first, second, _third = project.labels.all()
    make.answer_next(project, bob, first.pk)
    change = changes.set_truth(project, rita, [item.pk], label=second.pk)
    past = PastTruth.objects.get(item=item)
    assert (past.label_id, past.how, past.by_id, past.change_id) == (first.pk, "single", bob.pk, change.pk)
    Resolution.objects.filter(item=item).update(label=first)
    assert PastTruth.objects.filter(item=item, change=None, label=second).count() == 1


def test_holdout_and_gold_stay_out_and_are_counted(project: Project, rita: User) -> None:
    items = make.items(project, 2) + make.items(project, 1, split="holdout")
    services.take_in(project)
    label = project.labels.all()[0]
    Gold.objects.create(item=items[0], project=project, label=label)
    change = changes.set_truth(project, rita, [item.pk for item in items], label=label.pk)
    assert change.what["left_out"] == {"gold": 1, "holdout": 1}
    assert list(truths()) == [items[1].pk]


def test_a_sweep_over_neighbours_leaves_what_is_others(project: Project, bob: User, rita: User) -> None:
    items = make.items(project, 4)
    services.take_in(project)
    first, second, _third = project.labels.all()
    labelled = make.answer_next(project, rita, first.pk).annotation.item_id
    held = {lease.task.item_id for lease in services.claim(project, rita, ahead=1)}
    several = next(item.pk for item in items if item.pk not in {labelled, *held})
    Task.objects.filter(item=several).update(wanted=2)
    change = changes.set_truth(project, bob, [item.pk for item in items], label=second.pk, kind=Change.Kind.SIMILAR)
    assert change.what["left_out"] == {"labelled": 1, "held": len(held), "several": 1}
    assert [how for label, how in truths().values() if label == second.pk] == ["single"] * (2 - len(held))


def test_items_of_another_project_are_out_of_reach(project: Project, rita: User) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder=project.encoder)
    (item,) = make.items(other, 1)
    assert changes.set_truth(project, rita, [item.pk], label=project.labels.all()[0].pk).n == 0
    assert not Resolution.objects.exists()


def test_a_label_that_is_not_there_is_refused(project: Project, rita: User) -> None:
    (item,) = make.items(project, 1)
    with pytest.raises(InvalidInput, match="no such label"):
        changes.set_truth(project, rita, [item.pk], label=10**9)
    with pytest.raises(InvalidInput, match="mark each text by itself"):
        changes.set_truth(project, rita, [item.pk], value={"labels": []})


def test_several_labels_at_once_and_back(project: Project, rita: User) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    project.refresh_from_db()
    (item,) = make.items(project, 1)
    services.take_in(project)
    labels = [label.pk for label in project.labels.all()]
    change = changes.set_truth(project, rita, [item.pk], value={"labels": [labels[2], labels[0]]})
    assert Resolution.objects.get().value == {"labels": [labels[0], labels[2]]}
    changes.take_back(change, rita)
    assert not Resolution.objects.exists()
    assert Task.objects.get().state == "open"


def test_an_answer_after_it_was_taken_back_counts(project: Project, rita: User, bob: User) -> None:
    make.items(project, 1)
    services.take_in(project)
    first, second, _third = project.labels.all()
    (lease,) = services.claim(project, bob)
    change = changes.set_truth(project, rita, [lease.task.item_id], label=second.pk)
    changes.take_back(change, rita)
    assert services.submit(project, bob, Answer(lease.token, uuid4(), first.pk)).kept_as == "answer"
    assert Resolution.objects.get().label_id == first.pk


def test_acts_are_taken_back_one_after_the_other(project: Project, rita: User, bob: User) -> None:
    items = make.items(project, 3)
    services.take_in(project)
    first, second, third = project.labels.all()
    said = make.answer_next(project, bob, first.pk).annotation
    before, every = truths(), [item.pk for item in items]
    acts = [changes.set_truth(project, rita, every, label=label.pk) for label in (second, third, first)]
    for act in reversed(acts):
        undo = changes.take_back(act, rita)
        assert (undo.n, undo.what["left"]) == (3, 0)
    assert truths() == before == {said.item_id: (first.pk, "single")}


def test_taking_back_says_how_many_were_left(project: Project, rita: User, bob: User, client_of: ClientOf) -> None:
    items = make.items(project, 3)
    first, second, _third = project.labels.all()
    change = changes.set_truth(project, rita, [item.pk for item in items], label=first.pk)
    changes.set_truth(project, rita, [items[0].pk], label=second.pk)
    client = client_of(rita)
    page = client.post(f"/p/bank/changes/{change.pk}/undo/", follow=True).content.decode()
    assert "Taken back: 2 items are as they were. 1 was left: somebody has decided or answered it since." in page
    assert page.count("1 was left") == 2  # the message, and the line of the undo in the list
    assert truths() == {items[0].pk: (second.pk, "adjudicated")}
    newest = client.get("/api/v1/projects/bank/changes/").json()["results"][0]
    assert (newest["kind"], newest["n"], newest["left"]) == ("undo", 2, 1)


def test_what_already_had_the_label_still_has_it_afterwards(project: Project, rita: User, alice: User) -> None:
    one, other = make.items(project, 2)
    label = project.labels.all()[0]
    changes.set_truth(project, rita, [one.pk], label=label.pk)
    change = changes.set_truth(project, alice, [one.pk, other.pk], label=label.pk)
    assert (change.n, change.what["left_out"]) == (1, {"same": 1})
    changes.take_back(change, alice)
    assert truths() == {one.pk: (label.pk, "adjudicated")}
    assert Resolution.objects.get().by == rita


def test_ones_own_answer_from_before_stands_again(project: Project, rita: User) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    first, second, _third = project.labels.all()
    mine = make.answer_next(project, rita, first.pk).annotation
    change = changes.set_truth(project, rita, [item.pk], label=second.pk)
    assert not len(opinion_table.table(project))  # set by hand on many: no opinion
    changes.take_back(change, rita)
    newest = Annotation.objects.filter(item=item, annotator=rita).latest("revision")
    assert (newest.label_id, newest.task_id, newest.retracted, newest.seconds) == (first.pk, mine.task_id, False, None)
    assert opinion_table.table(project).annotations.tolist() == [newest.pk]


def test_an_answer_that_came_in_between_gets_its_say(project: Project, rita: User, bob: User) -> None:
    project.holdout_share = 0
    project.save()
    make.items(project, 1)
    services.take_in(project)
    first, second, _third = project.labels.all()
    (lease,) = services.claim(project, bob)
    item = lease.task.item_id
    change = changes.set_truth(project, rita, [item], label=second.pk)
    services.submit(project, bob, Answer(lease.token, uuid4(), first.pk))
    assert truths() == {item: (second.pk, "adjudicated")}
    changes.take_back(change, rita)
    assert truths() == {item: (first.pk, "single")}
    assert Task.objects.get().state == "done"


def test_where_more_answers_are_wanted_the_task_is_open_again(
    project: Project, rita: User, bob: User, alice: User
) -> None:
    project.wanted, project.holdout_share = 3, 0
    project.save()
    make.items(project, 1)
    services.take_in(project)
    first, second, _third = project.labels.all()
    (lease,) = services.claim(project, bob)
    change = changes.set_truth(project, rita, [lease.task.item_id], label=second.pk)
    services.submit(project, bob, Answer(lease.token, uuid4(), first.pk))
    changes.take_back(change, rita)
    task = Task.objects.get()
    assert (task.state, task.taken, task.wanted, truths()) == ("open", 1, 3, {})
    for person in (alice, rita):
        make.answer_next(project, person, first.pk)
    assert truths() == {lease.task.item_id: (first.pk, "consensus")}


def test_how_far_people_agreed_comes_back_too(project: Project, rita: User) -> None:
    (item,) = make.items(project, 1)
    first, second, _third = project.labels.all()
    Resolution.objects.create(
        item=item, project=project, split="pool", label=first, how="consensus", agreement=0.75, certainty=0.9
    )
    change = changes.set_truth(project, rita, [item.pk], label=second.pk)
    assert Resolution.objects.get().agreement is None
    changes.take_back(change, rita)
    truth = Resolution.objects.get()
    assert (truth.label, truth.how, truth.agreement, truth.certainty) == (first, "consensus", 0.75, 0.9)
