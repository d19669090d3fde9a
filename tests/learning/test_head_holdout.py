"""Every way a hold-out item might get into training, sampling or a suggestion; all of them must fail."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from django.db import IntegrityError, InternalError, connection, transaction

from apps.annotation import services as annotation
from apps.annotation.models import Resolution, Task
from apps.content.models import Item, Split
from apps.learning import vectors
from apps.learning.models import Snapshot, SnapshotRow, Trainable
from apps.projects.models import Label, Project
from tests.learning import rows

REFUSED = (IntegrityError, InternalError)


@contextmanager
def refused() -> Iterator[None]:
    """By the database, at the latest when it would be committed."""

    with pytest.raises(REFUSED), transaction.atomic():  # noqa: PT012
        yield
        rows.committed()


@pytest.fixture
def held(project: Project) -> Item:
    (item,) = rows.items(project, ["held out"], holdout_every=1)
    return item


@pytest.fixture
def label(project: Project) -> Label:
    return project.labels.all()[0]


def _task(held: Item, **fields: object) -> Task:
    values = {"project": held.project, "item": held, "split": "holdout", "reason": "holdout", "rank": 1}
    return Task(**(values | fields))  # type: ignore[arg-type]


@pytest.mark.parametrize("split", ["holdout", "pool"])
def test_a_snapshot_takes_it_under_no_split(held: Item, label: Label, split: str) -> None:
    snapshot = Snapshot.objects.create(project=held.project, hash="h", n_items=1)
    with refused():
        SnapshotRow.objects.create(snapshot=snapshot, item=held, split=split, label=label)


@pytest.mark.parametrize("reason", ["uncertain", "random", "cold_start"])
@pytest.mark.parametrize("split", ["holdout", "pool"])
def test_no_task_hands_it_out_for_another_reason(held: Item, reason: str, split: str) -> None:
    with refused():
        _task(held, reason=reason, split=split).save()


def test_a_task_for_it_never_carries_a_suggestion(held: Item) -> None:
    with refused():
        _task(held, suggestion={"head": 1, "labels": [1], "probabilities": [1.0]}).save()
    task = _task(held)
    task.save()
    with refused():
        Task.objects.filter(pk=task.pk).update(suggestion={"head": 1})


def test_a_pool_item_cannot_be_declared_held_out_and_its_truth_cannot_change_sides(
    project: Project, label: Label, held: Item
) -> None:
    for change in ("pool", "holdout"):
        item = held if change == "pool" else rows.items(project, ["in the pool"], prefix="p")[0]
        with refused():
            Item.objects.filter(pk=item.pk).update(split=change)
    with refused():
        Resolution.objects.create(item=held, project=project, split="pool", label=label, how="single")


def test_the_view_of_what_may_be_learned_does_not_show_it(project: Project, label: Label, held: Item) -> None:
    pool = rows.items(project, ["in the pool"], prefix="p")[0]
    for item in (held, pool):
        rows.resolve(item, label)
    assert [row.item_id for row in Trainable.objects.filter(project=project)] == [pool.pk]
    rows.committed()
    # even with the walls of the resolution taken down
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE annotation_resolution DROP CONSTRAINT resolution_split_is_the_items")
        cursor.execute("UPDATE annotation_resolution SET split = 'pool'")
    assert [row.item_id for row in Trainable.objects.filter(project=project)] == [pool.pk]


def test_the_view_cannot_be_written_to(project: Project, label: Label, held: Item) -> None:
    with pytest.raises(Exception, match="view"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO learning_trainable (item_id, project_id, label_id) VALUES (%s, %s, %s)",
            [held.pk, project.pk, label.pk],
        )


def test_vectors_for_scoring_do_not_contain_it(project: Project, held: Item) -> None:
    rows.vectors_for([held], np.ones((1, 4), dtype=np.float32))
    try:
        assert len(vectors.pool(project.pk, rows.DIGEST, held.pk)) == 0
    finally:
        vectors.forget(project.pk)


def test_the_head_cannot_put_it_on_top(project: Project, held: Item) -> None:
    rows.open_tasks(project, [held])
    project.holdout_share = 0
    choice = annotation.TopChoice(held.pk, "uncertain", 0.1, {"head": 1, "labels": [], "probabilities": []})
    assert annotation.set_top(project, [choice]) == 0
    task = Task.objects.get(item=held)
    assert (task.reason, task.suggestion, task.split) == ("holdout", None, Split.HOLDOUT)
    assert task.rank >= Task.TOP
