"""The head's choices on top, hold-out tasks among them at the exact share."""

import pytest

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Resolution, Task
from apps.annotation.services import TopChoice
from apps.annotation.services.top import interleave
from apps.content.models import Item
from apps.projects.models import Project
from tests.annotation import make


def choices(items: list[Item]) -> list[TopChoice]:
    return [
        TopChoice(item.pk, "uncertain", place / 100, {"head": 1, "labels": [1], "probabilities": [0.5]})
        for place, item in enumerate(items)
    ]


def top() -> list[Task]:
    return list(Task.objects.filter(rank__lt=Task.TOP).order_by("rank"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.2, 1 / 3, 0.5, 0.9, 1.0])
def test_every_prefix_keeps_the_share_exactly(share: float) -> None:
    pool = [TopChoice(n, "uncertain", None, None) for n in range(100)]
    held = [TopChoice(-n - 1, "holdout", None, None) for n in range(1000)]
    mixed = interleave(pool, held, share)
    while_both_last = mixed[: 100 if share else 0]
    for n in range(1, len(while_both_last) + 1):
        seen = sum(1 for choice in mixed[:n] if choice.reason == "holdout")
        if sum(1 for choice in mixed[:n] if choice.reason != "holdout") < 100:
            assert seen == int(n * share + 1e-9)
    assert [choice.item_id for choice in mixed if choice.reason != "holdout"] == list(range(100))


def test_choices_come_first_in_their_order_with_holdout_between(project: Project, bob: User) -> None:
    pool = make.items(project, 40)
    make.items(project, 20, split="holdout")
    services.take_in(project)
    assert services.set_top(project, choices(pool[:16])) == 20
    placed = top()
    assert [task.rank for task in placed] == list(range(20))
    assert [task.split for task in placed].count("holdout") == 4
    assert [task.split for task in placed][4::5] == ["holdout"] * 4
    assert [task.item_id for task in placed if task.split == "pool"] == [item.pk for item in pool[:16]]
    assert all(task.suggestion is None and task.reason == "holdout" for task in placed if task.split == "holdout")
    assert services.claim(project, bob)[0].task_id == placed[0].pk


def test_older_choices_fall_back_to_where_they_came_from(project: Project) -> None:
    project.holdout_share = 0
    project.save()
    pool = make.items(project, 10)
    services.take_in(project)
    before = dict(Task.objects.values_list("item", "rank"))
    services.set_top(project, choices(pool[:5]))
    services.set_top(project, choices(pool[4:6]))
    assert [task.item_id for task in top()] == [pool[4].pk, pool[5].pk]
    fallen = Task.objects.filter(item__in=pool[:4])
    assert {task.item_id: task.rank for task in fallen} == {item.pk: before[item.pk] for item in pool[:4]}
    assert {(task.reason, task.score) for task in fallen} == {("random", None)}
    assert services.set_top(project, []) == 0
    assert top() == []


def test_what_is_handed_out_or_done_is_left_alone(project: Project, bob: User) -> None:
    project.holdout_share = 0
    project.save()
    pool = make.items(project, 6)
    services.take_in(project)
    services.set_top(project, choices(pool))
    label = project.labels.first()
    assert label is not None
    done = make.answer_next(project, bob, label.pk).annotation.item_id
    leased = {lease.task.item_id for lease in services.claim(project, bob)}
    new = [TopChoice(item.pk, "cold_start", None, {"head": 2, "labels": [2]}) for item in reversed(pool)]
    assert services.set_top(project, new) == 3
    assert {task.item_id for task in Task.objects.filter(reason="cold_start")} == {
        item.pk for item in pool
    } - leased - {done}
    assert {task.suggestion["head"] for task in Task.objects.exclude(reason="cold_start")} == {1}


def test_beyond_the_target_holdout_tasks_sink_to_the_end(project: Project, bob: User) -> None:
    project.holdout_target = 3
    project.save()
    pool = make.items(project, 30)
    held = make.items(project, 10, split="holdout")
    services.take_in(project)
    services.set_top(project, choices(pool[:20]))
    assert [task.split for task in top()].count("holdout") == 3
    label = project.labels.first()
    assert label is not None
    for item in held[:3]:
        Resolution.objects.create(item=item, project=project, split="holdout", label=label, how="single")
    services.set_top(project, choices(pool[:20]))
    assert [task.split for task in top()] == ["pool"] * 20
    last = Task.objects.order_by("-rank").values_list("split", flat=True)[:10]
    assert set(last) == {"holdout"}


def test_another_projects_items_are_not_ranked(project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    foreign = make.items(other, 2)
    services.take_in(other)
    assert services.set_top(project, choices(foreign)) == 0
    assert top() == []
