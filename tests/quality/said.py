"""What people said, written straight into the tables: agreement and consensus start from there."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from apps.accounts.models import User
from apps.annotation.models import Annotation, Task
from apps.content.models import Item
from apps.projects.models import Label, Project


def opinion(
    item: Item,
    user: User,
    label: Label | None = None,
    *,
    value: Mapping[str, Any] | None = None,
    reason: str = Task.Reason.RANDOM,
    revision: int = 1,
    **more: Any,
) -> Annotation:
    task = task_of(item, reason)
    return Annotation.objects.create(
        project=item.project,
        item=item,
        task=task,
        annotator=user,
        key=uuid4(),
        revision=revision,
        label=label,
        value=value,
        outcome=more.pop("outcome", Annotation.Outcome.SCRATCH),
        **more,
    )


def task_of(item: Item, reason: str = Task.Reason.RANDOM) -> Task:
    gold = reason == Task.Reason.GOLD
    task, _made = Task.objects.get_or_create(
        project=item.project,
        item=item,
        reason=reason,
        defaults={
            "split": item.split,
            "rank": Task.TOP + item.pk,
            "state": Task.State.GOLD if gold else Task.State.DONE,
        },
    )
    return task


def opinions(project: Project, items: Sequence[Item], people: Sequence[User], said: Sequence[Sequence[Any]]) -> None:
    """One row an item, one column a person: a label, a value, or None for nothing."""
    tasks = {item.pk: task_of(item) for item in items}
    Annotation.objects.bulk_create(
        Annotation(
            project=project,
            item=item,
            task=tasks[item.pk],
            annotator=user,
            key=uuid4(),
            label=one if isinstance(one, Label) else None,
            value=None if isinstance(one, Label) else one,
            outcome=Annotation.Outcome.SCRATCH,
        )
        for item, row in zip(items, said, strict=True)
        for user, one in zip(people, row, strict=True)
        if one is not None
    )
