"""The bench of overlap, small: many people at once, and no promise of the hand-out broken."""

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Lease, Task
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
