"""Answers to gold items, written as hand-out would have them."""

from uuid import uuid4

from apps.accounts.models import User
from apps.annotation.models import Annotation, Gold, Lease, Task


def answer_gold(
    gold: Gold, user: User, *, right: bool, undecided: str = "", retracted: bool = False, seconds: float = 4.0
) -> Annotation:
    task = Task.objects.get(item=gold.item, reason=Task.Reason.GOLD)
    Lease.objects.get_or_create(
        task=task,
        annotator=user,
        defaults={"state": Lease.State.ANSWERED, "expires_at": gold.created_at, "claimed_at": gold.created_at},
    )
    wrong = gold.project.labels.exclude(pk=gold.label_id)[0] if gold.label_id else None
    return Annotation.objects.create(
        project=gold.project,
        item=gold.item,
        task=task,
        annotator=user,
        key=uuid4(),
        revision=Annotation.objects.filter(item=gold.item, annotator=user).count() + 1,
        label=None if undecided else gold.label if right else wrong,
        value=gold.value if right and not undecided else None,
        undecided=undecided,
        retracted=retracted,
        outcome=Annotation.Outcome.SCRATCH,
        seconds=seconds,
    )
