"""Items, vectors and truths made by hand, without import, encoder or annotators."""

import hashlib

import numpy as np
from django.db import connection, transaction
from numpy.typing import NDArray

from apps.annotation.models import Arrival, Resolution, Task
from apps.content.models import Item, Split
from apps.learning.models import Encoding
from apps.learning.services import encoding
from apps.projects.models import Label, Project

DIGEST = "d" * 64


def items(project: Project, texts: list[str], *, holdout_every: int = 0, prefix: str = "x") -> list[Item]:
    made = [
        Item(
            project=project,
            external_id=f"{prefix}{n}",
            text=text,
            text_hash=hashlib.sha256(text.encode()).digest(),
            split=Split.HOLDOUT if holdout_every and n % holdout_every == 0 else Split.POOL,
        )
        for n, text in enumerate(texts)
    ]
    return Item.objects.bulk_create(made)


def open_tasks(project: Project, of: list[Item]) -> list[Task]:
    tasks = Task.objects.bulk_create(
        Task(
            project=project,
            item=item,
            split=item.split,
            reason="holdout" if item.split == Split.HOLDOUT else "random",
            rank=Task.TOP + item.pk,
        )
        for item in of
    )
    Arrival.objects.update_or_create(project=project, defaults={"last_item": max(item.pk for item in of)})
    return tasks


def vectors_for(of: list[Item], rows: NDArray[np.float32], digest: str = DIGEST) -> None:
    with transaction.atomic():
        encoding._copy_in(digest, [bytes(item.text_hash) for item in of], rows)
    project = of[0].project
    Encoding.objects.update_or_create(
        project=project,
        defaults={"encoder": project.encoder, "encoder_digest": digest, "through_item": max(i.pk for i in of)},
    )


def unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def resolve(item: Item, label: Label) -> None:
    Resolution.objects.create(item=item, project=item.project, split=item.split, label=label, how="single")
    Task.objects.filter(item=item).update(state=Task.State.DONE, taken=1)


def queue(project: Project) -> list[Task]:
    return list(Task.objects.filter(project=project, state="open").order_by("rank"))


def committed() -> None:
    """Deferred constraints are checked now, as a commit would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")
