"""The bench of overlap, small: many people at once, and no promise of the hand-out broken."""

from collections import Counter
from unittest import mock

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.annotation import queries, services, tasks
from apps.annotation.models import Arrival, Lease, Task
from apps.annotation.services import changes, sending
from apps.annotation.services import overlap as waiting
from apps.projects.models import Project
from tests.annotation import make
from tests.bench import overlap


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_nobody_gets_an_item_twice_and_nothing_is_overbooked(share: float) -> None:
    project = overlap.prepare(120, share=share, people=3, gold=6)
    figures = overlap.work(project, overlap.crowd(project, 16), 16)
    assert {name: figures[name] for name in overlap.VIOLATIONS} == dict.fromkeys(overlap.VIOLATIONS, 0)
    assert (figures["violations"], figures["errors"]) == (0, 0)
    assert figures["answers"] >= 114
    assert figures["several_people"] >= 114 if share == 1 else figures["several_people"] < 40


def test_the_database_itself_holds_these_promises(project: Project, bob: User) -> None:
    """Should a statement ever go wrong, no row remains."""
    make.items(project, 1)
    services.take_in(project)
    (lease,) = services.claim(project, bob)
    task = Task.objects.get()
    broken = [
        ("task_not_overbooked", "UPDATE annotation_task SET taken = 2"),
        (
            "lease_once_per_person",
            "INSERT INTO annotation_lease (task_id, annotator_id, token, state, claimed_at, expires_at)"
            " SELECT task_id, annotator_id, gen_random_uuid(), 'active', now(), now() FROM annotation_lease",
        ),
        (
            "task_one_live_per_item",
            "INSERT INTO annotation_task (project_id, item_id, split, reason, rank, wanted, taken, state, created_at)"
            " SELECT project_id, item_id, split, reason, rank, 1, 0, 'open', now() FROM annotation_task",
        ),
    ]
    for name, sql in broken:
        with pytest.raises(IntegrityError, match=name), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
    Task.objects.filter(pk=task.pk).update(state="done")
    second = Task.objects.create(project=project, item=task.item, split="pool", reason="uncertain", rank=1)
    with pytest.raises(IntegrityError, match="lease_item_once_per_person"), transaction.atomic():
        Lease.objects.create(task=second, annotator=bob, expires_at=lease.expires_at)


# --- a share that changes while tasks wait


@pytest.fixture
def shared(project: Project) -> Project:
    project.overlap_share, project.overlap_wanted, project.holdout_share = 1.0, 3, 0.0
    project.save()
    return project


def change(project: Project, share: float, people: int = 3) -> None:
    """As the settings page does, and beat after it."""
    project.overlap_share, project.overlap_wanted = share, people
    project.save()
    tasks.follow_overlap_due()


def wanted() -> Counter[int]:
    return Counter(Task.objects.values_list("wanted", flat=True))


def test_a_smaller_share_holds_for_tasks_that_nobody_has_taken(shared: Project, bob: User) -> None:
    make.items(shared, 400)
    services.take_in(shared)
    taken = {lease.task_id for lease in services.claim(shared, bob)}
    with mock.patch.object(waiting, "SLICE", 150):
        change(shared, 0.25)
    several = set(Task.objects.filter(wanted=3).values_list("pk", flat=True))
    assert wanted().keys() == {1, 3}
    assert 45 < len(several) < 160
    assert taken < several, "what somebody holds stays for three"
    change(shared, 0.0)
    assert set(Task.objects.filter(wanted=3).values_list("pk", flat=True)) == taken
    assert queries.projects_with_another_overlap() == []


def test_a_smaller_share_keeps_to_the_draw_that_arrivals_keep_to(shared: Project) -> None:
    make.items(shared, 200)
    services.take_in(shared)
    change(shared, 0.3)
    lowered = dict(Task.objects.values_list("item", "wanted"))
    Task.objects.all().delete()
    Arrival.objects.update(last_item=0)
    services.take_in(shared)
    assert dict(Task.objects.values_list("item", "wanted")) == lowered


def test_fewer_people_for_those_holds_too(shared: Project) -> None:
    make.items(shared, 20)
    services.take_in(shared)
    change(shared, 1.0, 2)
    assert wanted() == {2: 20}
    shared.wanted = 2
    change(shared, 0.0, 5)
    assert wanted() == {2: 20}, "ordinarily two"


def test_what_was_sent_on_purpose_keeps_its_number(shared: Project, rita: User, bob: User) -> None:
    items, held = make.items(shared, 8), make.items(shared, 3, split="holdout")
    services.take_in(shared)
    sent = sending.send(shared, rita, [item.pk for item in (*items[:2], held[0])], wanted=2)
    sending.send(shared, rita, [items[2].pk, held[1].pk], wanted=3, front=True)
    services.ask(shared, items[3], reason=Task.Reason.FEEDBACK, people=4)
    change(shared, 0.0)
    numbers = dict(Task.objects.values_list("item", "wanted"))
    asked = [*items[:4], held[0], held[1]]
    assert [numbers.pop(item.pk) for item in asked] == [2, 2, 3, 4, 2, 3]
    assert set(numbers.values()) == {1}
    changes.take_back(sent, rita)
    change(shared, 1.0)
    change(shared, 0.0)
    numbers = dict(Task.objects.values_list("item", "wanted"))
    assert [numbers[item.pk] for item in asked] == [1, 1, 3, 4, 1, 3], "taken back, it is a text like any other"


def test_a_larger_share_asks_no_more_people_than_somebody_said(project: Project, rita: User, bob: User) -> None:
    (item,) = make.items(project, 1)
    services.take_in(project)
    sending.send(project, rita, [item.pk], wanted=1)
    change(project, 1.0)
    services.claim(project, bob)
    assert wanted() == {1: 1}


def test_what_arrives_under_a_share_that_is_gone_again_is_found(project: Project) -> None:
    """Raised, filled and lowered before anybody looked."""
    make.items(project, 1)
    services.take_in(project)
    tasks.follow_overlap_due()
    project.overlap_share = 1.0
    make.items(project, 5)
    services.take_in(project)
    assert wanted() == {1: 1, 3: 5}
    tasks.follow_overlap_due()
    assert wanted() == {1: 6}


def test_only_one_process_goes_through_the_queue(shared: Project) -> None:
    make.items(shared, 3)
    services.take_in(shared)
    shared.overlap_share = 0.0
    shared.save()
    with connection.copy().cursor() as other:
        other.execute("SELECT pg_advisory_lock(%s, %s)", [waiting._LOCK, shared.pk])
        assert services.follow_overlap(shared) == 0
        other.execute("SELECT pg_advisory_unlock(%s, %s)", [waiting._LOCK, shared.pk])
        other.connection.close()
    assert services.follow_overlap(shared) == 3
