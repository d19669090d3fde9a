from unittest import mock
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Annotation, Lease, Resolution, Task
from apps.annotation.services import Answer, TopChoice
from apps.common.errors import DomainError
from apps.projects.models import Label, Project
from tests.annotation import make


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.all())


@pytest.fixture
def queue(project: Project) -> Project:
    make.items(project, 6)
    assert services.take_in(project) == 6
    return project


def truth() -> list[tuple[int, int | None, str]]:
    return list(Resolution.objects.order_by("item").values_list("item", "label", "how"))


def test_an_answer_becomes_the_truth_and_the_next_item_comes_with_it(
    queue: Project, bob: User, labels: list[Label]
) -> None:
    first, second = services.claim(queue, bob)
    done = make.answer_next(queue, bob, labels[0].pk)
    assert done.kept_as == "answer"
    assert [lease.pk for lease in done.next][:1] == [second.pk]
    assert len(done.next) == 2
    assert truth() == [(first.task.item_id, labels[0].pk, "single")]
    assert Resolution.objects.get().by == bob
    task = Task.objects.get(pk=first.task_id)
    assert (task.state, task.taken, task.closed_at is not None) == ("done", 1, True)
    assert Lease.objects.get(pk=first.pk).state == "answered"


def test_sending_an_answer_again_changes_nothing(queue: Project, bob: User, labels: list[Label]) -> None:
    lease = services.claim(queue, bob)[0]
    answer = Answer(lease.token, uuid4(), labels[0].pk, note="clear", seconds=1.5)
    first = services.submit(queue, bob, answer)
    again = services.submit(queue, bob, answer)
    assert (again.kept_as, again.annotation.pk) == ("repeat", first.annotation.pk)
    assert [lease.pk for lease in again.next] == [lease.pk for lease in first.next]
    assert Annotation.objects.count() == 1


@pytest.mark.parametrize("change", [{"label": 1}, {"note": "other"}, {"flagged": True}])
def test_a_key_used_for_another_answer_is_refused_and_the_first_one_stands(
    queue: Project, bob: User, labels: list[Label], change: dict[str, object]
) -> None:
    lease, other = services.claim(queue, bob)
    key = uuid4()
    services.submit(queue, bob, Answer(lease.token, key, labels[0].pk))
    changed = {"label": labels[0].pk, "note": "", "flagged": False} | change
    if "label" in change:
        changed["label"] = labels[1].pk
    with pytest.raises(DomainError) as refusal:
        services.submit(queue, bob, Answer(other.token, key, **changed))  # type: ignore[arg-type]
    assert refusal.value.status == 409
    assert Annotation.objects.get().label_id == labels[0].pk


def test_a_crash_before_the_commit_leaves_nothing_and_the_retry_stores_it_once(
    queue: Project, bob: User, labels: list[Label]
) -> None:
    lease = services.claim(queue, bob)[0]
    answer = Answer(lease.token, uuid4(), labels[0].pk)
    with (
        mock.patch("apps.annotation.services.answers.claim_within", side_effect=RuntimeError("killed")),
        pytest.raises(RuntimeError),
    ):
        services.submit(queue, bob, answer)
    assert not Annotation.objects.exists()
    assert Lease.objects.get(pk=lease.pk).state == "active"
    assert services.submit(queue, bob, answer).kept_as == "answer"
    assert Annotation.objects.count() == 1


def test_an_annotation_remembers_what_was_shown_and_what_became_of_it(
    queue: Project, bob: User, labels: list[Label]
) -> None:
    suggestion = {"head": 3, "labels": [labels[1].pk, labels[0].pk], "probabilities": [0.7, 0.2]}
    items = list(queue.items.all())[:2]
    services.set_top(queue, [TopChoice(item.pk, "uncertain", 0.5, suggestion) for item in items])
    taken = make.answer_next(queue, bob, labels[1].pk).annotation
    mended = make.answer_next(queue, bob, labels[2].pk).annotation
    plain = make.answer_next(queue, bob, labels[2].pk).annotation
    assert (taken.outcome, taken.shown) == ("accepted", suggestion)
    assert (mended.outcome, mended.shown) == ("corrected", suggestion)
    assert (plain.outcome, plain.shown) == ("scratch", None)
    assert Annotation.objects.get(pk=mended.pk).shown == suggestion


def test_a_new_suggestion_does_not_rewrite_what_is_on_the_page(
    project: Project, bob: User, labels: list[Label]
) -> None:
    project.wanted = 2
    project.save()
    (item,) = make.items(project, 1)
    services.take_in(project)
    old = {"head": 1, "labels": [labels[0].pk], "probabilities": [0.6]}
    services.set_top(project, [TopChoice(item.pk, "uncertain", 0.1, old)])
    (lease,) = services.claim(project, bob)
    services.set_top(project, [TopChoice(item.pk, "uncertain", 0.1, old | {"head": 2, "labels": [labels[1].pk]})])
    assert lease.task.suggestion == services.claim(project, bob)[0].task.suggestion == old
    said = services.submit(project, bob, Answer(lease.token, uuid4(), labels[0].pk)).annotation
    assert (said.outcome, said.shown) == ("accepted", old)


def test_most_people_decide_and_a_tie_asks_one_more(
    project: Project, bob: User, rita: User, alice: User, labels: list[Label]
) -> None:
    project.wanted = 2
    project.save()
    (item,) = make.items(project, 1)
    services.take_in(project)
    make.answer_next(project, bob, labels[0].pk)
    assert truth() == []
    make.answer_next(project, rita, labels[1].pk)
    task = Task.objects.get()
    assert (truth(), task.state, task.wanted) == ([], "open", 3)
    make.answer_next(project, alice, labels[1].pk)
    assert truth() == [(item.pk, labels[1].pk, "consensus")]
    services.revise(project, alice, item.pk, uuid4(), label=labels[0].pk)
    assert truth() == [(item.pk, labels[0].pk, "consensus")]


def test_undo_gives_the_item_back_and_takes_its_truth_away(queue: Project, bob: User, labels: list[Label]) -> None:
    done = make.answer_next(queue, bob, labels[0].pk)
    lease = services.undo(queue, bob)
    assert lease is not None
    assert (lease.task.item_id, lease.state) == (done.annotation.item_id, "active")
    assert truth() == []
    assert Task.objects.get(pk=lease.task_id).state == "full"
    assert [a.retracted for a in Annotation.objects.order_by("revision")] == [False, True]
    assert services.claim(queue, bob)[0].pk == lease.pk
    assert services.undo(queue, bob) is None
    again = make.answer_next(queue, bob, labels[1].pk)
    assert again.annotation.revision == 3
    assert truth() == [(done.annotation.item_id, labels[1].pk, "single")]


def test_undo_reaches_back_over_many_items_and_asking_twice_takes_one_back(
    queue: Project, bob: User, labels: list[Label]
) -> None:
    said = [make.answer_next(queue, bob, labels[0].pk).annotation for _ in range(4)]
    assert services.undo(queue, bob, of=said[3].key) is not None
    assert services.undo(queue, bob, of=said[3].key) is None
    assert services.undo(queue, bob, of=UUID(int=1)) is None
    back = [services.undo(queue, bob) for _ in range(3)]
    assert [lease.task.item_id for lease in back if lease] == [a.item_id for a in reversed(said[:3])]
    assert truth() == []
    assert len(services.claim(queue, bob)) >= 4
    for _ in range(4):
        make.answer_next(queue, bob, labels[1].pk)
    assert {label for _, label, _ in truth()} == {labels[1].pk}


def test_undo_takes_back_only_ones_own(queue: Project, bob: User, rita: User, labels: list[Label]) -> None:
    make.answer_next(queue, bob, labels[0].pk)
    assert services.undo(queue, rita) is None
    assert len(truth()) == 1


def test_a_late_copy_of_an_undone_answer_does_not_redo_it(queue: Project, bob: User, labels: list[Label]) -> None:
    lease = services.claim(queue, bob)[0]
    answer = Answer(lease.token, uuid4(), labels[0].pk)
    services.submit(queue, bob, answer)
    services.undo(queue, bob)
    repeated = services.submit(queue, bob, answer)
    assert (repeated.kept_as, truth()) == ("repeat", [])


def test_changing_an_earlier_answer_adds_a_revision(queue: Project, bob: User, labels: list[Label]) -> None:
    said = make.answer_next(queue, bob, labels[0].pk).annotation
    key = uuid4()
    changed = services.revise(queue, bob, said.item_id, key, label=labels[1].pk)
    assert services.revise(queue, bob, said.item_id, key, label=labels[1].pk).pk == changed.pk
    assert (changed.revision, Annotation.objects.count()) == (2, 2)
    assert truth() == [(said.item_id, labels[1].pk, "single")]
    with pytest.raises(DomainError):
        services.revise(queue, bob, queue.items.exclude(pk=said.item_id)[0].pk, uuid4(), label=labels[1].pk)


def test_what_a_reviewer_decided_stands_against_later_answers(queue: Project, bob: User, labels: list[Label]) -> None:
    said = make.answer_next(queue, bob, labels[0].pk).annotation
    Resolution.objects.update(how="adjudicated", label=labels[2])
    services.revise(queue, bob, said.item_id, uuid4(), label=labels[1].pk)
    services.undo(queue, bob)
    assert truth() == [(said.item_id, labels[2].pk, "adjudicated")]


def test_the_database_refuses_to_change_an_annotation(queue: Project, bob: User, labels: list[Label]) -> None:
    make.answer_next(queue, bob, labels[0].pk)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE annotation_annotation SET label_id = %s", [labels[1].pk])
    assert Annotation.objects.get().label_id == labels[0].pk
