"""Items become tasks once, hold-out items blind; imported labels become truths."""

import threading
import time
from unittest import mock

import pytest
from django.db import IntegrityError, connection, connections, transaction

from apps.accounts.models import User
from apps.annotation import queries, services
from apps.annotation.models import Arrival, Resolution, Task
from apps.annotation.tasks import take_in_due
from apps.content.models import Item
from apps.projects.models import Project
from tests.annotation import make


def test_items_become_tasks_once_and_given_labels_become_truths(project: Project) -> None:
    given = make.items(project, 3, labels=["card arrival", "", "no such label"])
    assert services.take_in(project) == 2
    assert services.take_in(project) == 0
    assert list(Resolution.objects.values_list("item", "label__name", "how")) == [
        (given[0].pk, "card arrival", "imported")
    ]
    assert set(Task.objects.values_list("item", flat=True)) == {given[1].pk, given[2].pk}
    more = make.items(project, 2)
    assert queries.projects_with_arrivals() == [project.pk]
    take_in_due()
    assert set(Task.objects.filter(item__in=more).values_list("reason", "state", "wanted")) == {("random", "open", 1)}
    assert queries.projects_with_arrivals() == []


def test_many_items_are_taken_in_slice_by_slice(project: Project) -> None:
    make.items(project, 50)
    with mock.patch("apps.annotation.services.intake.SLICE", 7):
        assert services.take_in(project) == 50
    assert Task.objects.count() == 50
    assert Arrival.objects.get().last_item == max(Task.objects.values_list("item", flat=True))


def test_the_order_of_arrival_is_a_random_draw_that_the_seed_repeats(project: Project) -> None:
    make.items(project, 200)
    services.take_in(project)
    order = list(Task.objects.order_by("rank").values_list("item", flat=True))
    assert order != sorted(order)
    first_half = sum(1 for item in order[:100] if item in sorted(order)[:100])
    assert 25 <= first_half <= 75
    Task.objects.all().delete()
    Arrival.objects.all().delete()
    services.take_in(project)
    assert list(Task.objects.order_by("rank").values_list("item", flat=True)) == order


def test_holdout_tasks_stand_in_the_queue_at_their_share_and_beyond_the_target_at_its_end(project: Project) -> None:
    project.holdout_target = 60
    project.save()
    make.items(project, 1000)
    make.items(project, 90, split="holdout")
    services.take_in(project)
    order = list(Task.objects.order_by("rank").values_list("split", flat=True))
    assert abs(order[:200].count("holdout") - 40) <= 17
    assert order[:600].count("holdout") == 60
    assert order[-30:] == ["holdout"] * 30


def test_a_holdout_task_can_neither_pose_as_another_nor_carry_a_suggestion(project: Project) -> None:
    (held,) = make.items(project, 1, split="holdout")
    services.take_in(project)
    task = Task.objects.get()
    assert (task.reason, task.suggestion) == ("holdout", None)
    for change in ({"reason": "random"}, {"suggestion": {"labels": [1]}}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Task.objects.update(**change)
    services.set_top(project, [services.TopChoice(held.pk, "uncertain", 0.1, {"labels": [1]})])
    assert Task.objects.get().suggestion is None


def test_the_split_of_a_task_is_the_split_of_its_item(project: Project) -> None:
    make.items(project, 1, split="holdout")
    services.take_in(project)
    Task.objects.update(split="pool", reason="random")
    with pytest.raises(IntegrityError):
        connection.check_constraints()  # what a commit does


@pytest.mark.django_db(transaction=True)
def test_items_that_a_slow_import_commits_late_are_not_passed_over(project: Project) -> None:
    inserted, go_on = threading.Event(), threading.Event()

    def slow_import() -> None:
        with transaction.atomic():
            make.items(project, 3)
            inserted.set()
            go_on.wait(60)
        connections.close_all()

    slow = threading.Thread(target=slow_import)
    slow.start()
    assert inserted.wait(60)
    with mock.patch("apps.annotation.services.intake.PATIENCE", 0.2):
        # its id lies above those of the slow import, and is visible already
        Item.objects.create(project=project, external_id="quick", text="quick", text_hash=b"q", split="pool")
        assert services.take_in(project) == 0
    go_on.set()
    slow.join()
    assert services.take_in(project) == 4


@pytest.mark.django_db(transaction=True)
def test_two_intakes_at_once_open_every_task_once(project: Project) -> None:
    make.items(project, 300)

    def run() -> None:
        services.take_in(project)
        connections.close_all()

    with mock.patch("apps.annotation.services.intake.SLICE", 20):
        both = [threading.Thread(target=run) for _ in range(2)]
        for one in both:
            one.start()
        for one in both:
            one.join()
        deadline = time.monotonic() + 5
        while queries.projects_with_arrivals() and time.monotonic() < deadline:
            services.take_in(project)
    assert Task.objects.count() == 300


def test_progress_counts_to_a_limit_and_says_about_beyond_it(project: Project, bob: User) -> None:
    make.items(project, 30)
    make.items(project, 4, split="holdout", labels=["card arrival"] * 4)
    services.take_in(project)
    label = project.labels.first()
    assert label is not None
    for _ in range(3):
        make.answer_next(project, bob, label.pk)
    exact = queries.count_progress(project)
    assert (exact.items.n, exact.labelled.n, exact.items.about) == (34, 7, False)
    assert exact.holdout_labelled >= 4
    with mock.patch("apps.annotation.queries.COUNT_TO", 5):
        roughly = queries.count_progress(project)
    assert roughly.items.about
    assert roughly.items.n >= 5
    assert roughly.holdout_labelled == exact.holdout_labelled
