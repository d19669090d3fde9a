"""Items and people by the dozen."""

import hashlib
from collections.abc import Sequence
from uuid import uuid4

from apps.accounts.models import User
from apps.annotation.services import Answer, Submitted, claim, submit
from apps.content.models import GivenLabel, Item
from apps.projects.models import Membership, Project, Role


def items(project: Project, n: int, *, split: str = "pool", labels: Sequence[str] = ()) -> list[Item]:
    start = Item.objects.count()
    made = Item.objects.bulk_create(
        Item(
            project=project,
            external_id=f"item-{start + place}",
            text=f"question {start + place}",
            text_hash=hashlib.sha256(f"question {start + place}".encode()).digest(),
            split=split,
        )
        for place in range(n)
    )
    GivenLabel.objects.bulk_create(GivenLabel(item=item, label=name) for item, name in zip(made, labels, strict=False))
    return made


def people(project: Project, n: int) -> list[User]:
    made = User.objects.bulk_create(User(email=f"person-{place}@example.org") for place in range(n))
    Membership.objects.bulk_create(Membership(project=project, user=user, role=Role.ANNOTATOR) for user in made)
    return made


def answer_next(project: Project, user: User, label: int | None) -> Submitted:
    lease = claim(project, user)[0]
    return submit(project, user, Answer(token=lease.token, key=uuid4(), label=label))
