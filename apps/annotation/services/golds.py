"""Gold items: their truth is beyond doubt. Newcomers learn from them, everybody is measured by them.

A gold answer is an answer to a task whose reason is gold. It never changes the item's truth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation, Gold, Resolution, Task
from apps.annotation.services import values
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.content.models import Item, Split
from apps.projects.models import Label, Membership, Project
from workers.learning.intervals import wilson


@dataclass(frozen=True)
class Lesson:
    """What a newcomer is told right after an answer to a gold item."""

    right: bool
    label: Label | None
    value: dict[str, Any] | None
    explanation: str


@dataclass(frozen=True)
class Accuracy:
    right: int
    n: int

    @property
    def share(self) -> float | None:
        return self.right / self.n if self.n else None

    @property
    def low(self) -> float:
        return wilson(self.right, self.n).low

    @property
    def high(self) -> float:
        return wilson(self.right, self.n).high


@transaction.atomic
def make_gold(
    project: Project,
    item: Item,
    by: User,
    *,
    label: Label | None = None,
    value: Mapping[str, Any] | None = None,
    explanation: str = "",
) -> Gold:
    """The item is gold from now on, with this truth. Said again, truth and explanation are replaced."""
    label, checked = _truth(project, item, label, value)
    if item.split != Split.POOL:
        raise DomainError(_("This item is held out to measure the model. Choose one of the pool as gold."))
    if item.archived_at is not None:
        raise DomainError(_("This item is archived. Bring it back before you make it gold."))
    now = timezone.now()
    # the order of locks is the queue's: tasks before truths
    list(Task.objects.select_for_update().filter(item=item).order_by("pk").values_list("pk"))
    live = Task.objects.filter(item=item, state__in=[Task.State.OPEN, Task.State.FULL])
    live.update(state=Task.State.CLOSED, closed_at=now)
    _gold_task(project, item)
    gold, _made = Gold.objects.update_or_create(
        item=item,
        defaults={
            "project": project,
            "label": label,
            "value": checked,
            "explanation": explanation.strip(),
            "by": by,
            "retired_at": None,
        },
        create_defaults={
            "project": project,
            "label": label,
            "value": checked,
            "explanation": explanation.strip(),
            "by": by,
        },
    )
    Resolution.objects.update_or_create(
        item=item,
        defaults={
            "project": project,
            "split": item.split,
            "label": label,
            "value": checked,
            "how": Resolution.How.GOLD,
            "by": by,
            "agreement": None,
            "certainty": None,
            "changed_at": now,
        },
    )
    wake_on_commit("learning.refresh", project.pk)
    return gold


@transaction.atomic
def retire(gold: Gold, by: User) -> None:
    """It measures nobody any more. Its truth stays, as one that `by` stands for."""
    now = timezone.now()
    retired = Gold.objects.filter(pk=gold.pk, retired_at=None).update(retired_at=now)
    if not retired:
        return
    Task.objects.filter(item=gold.item_id, state=Task.State.GOLD).update(state=Task.State.CLOSED, closed_at=now)
    Resolution.objects.filter(item=gold.item_id, how=Resolution.How.GOLD).update(
        how=Resolution.How.ADJUDICATED, by=by, changed_at=now
    )


def lesson(project: Project, user: User, annotation: Annotation) -> Lesson | None:
    """Only for people in training, and only on a gold item."""
    if not project.training_items or annotation.task_id is None:
        return None
    if not Membership.objects.filter(project=project, user=user, trained_at=None).exists():
        return None
    if not Task.objects.filter(pk=annotation.task_id, reason=Task.Reason.GOLD).exists():
        return None
    gold = Gold.objects.filter(item=annotation.item_id, retired_at=None).select_related("label").first()
    if gold is None:
        return None
    return Lesson(is_right(gold, annotation.label_id, annotation.value), gold.label, gold.value, gold.explanation)


def is_right(gold: Gold, label: int | None, value: Mapping[str, Any] | None) -> bool:
    """Several labels: the same set. Spans: the same places with the same labels."""
    if gold.value is None:
        return label is not None and label == gold.label_id
    return value is not None and values.parts(dict(value)) == values.parts(gold.value)


def gold_answers(project: Project) -> QuerySet[Annotation]:
    """Everybody's newest answer to each gold item in use; "cannot decide" is no answer."""
    later = Annotation.objects.filter(
        item=OuterRef("item"), annotator=OuterRef("annotator"), revision__gt=OuterRef("revision")
    )
    found = Annotation.objects.filter(
        project=project,
        task__reason=Task.Reason.GOLD,
        item__gold__retired_at=None,
        item__gold__isnull=False,
        retracted=False,
        undecided="",
    )
    return found.exclude(label=None, value=None).exclude(Exists(later))


def accuracy(project: Project, user: User, *, since: datetime | None = None) -> Accuracy:
    """How often this person says what the gold items say; `since` leaves out what was answered before."""
    given = gold_answers(project).filter(annotator=user)
    if since is not None:
        given = given.filter(created_at__gt=since)
    answers = list(given.select_related("item__gold"))
    right = sum(is_right(answer.item.gold, answer.label_id, answer.value) for answer in answers)
    return Accuracy(right, len(answers))


def _truth(
    project: Project, item: Item, label: Label | None, value: Mapping[str, Any] | None
) -> tuple[Label | None, dict[str, Any] | None]:
    if project.task_kind == Project.TaskKind.ENGAGEMENT:
        raise DomainError(_("Behaviour labels these items: nobody is asked, so nobody is measured by gold."))
    if project.task_kind != Project.TaskKind.SINGLE:
        if value is None:
            raise InvalidInput(_("Say what the right answer is."), field="value")
        return None, values.checked(project, item.text, value)
    if label is None or label.project_id != project.pk or label.archived_at is not None:
        raise InvalidInput(_("Choose the right label."), field="label")
    return label, None


def _gold_task(project: Project, item: Item) -> None:
    """One for ever: whoever answered it before the item was retired does not meet it again."""
    before = Task.objects.filter(item=item, reason=Task.Reason.GOLD)
    if before.update(state=Task.State.GOLD, closed_at=None):
        return
    Task.objects.create(
        project=project,
        item=item,
        split=item.split,
        reason=Task.Reason.GOLD,
        rank=Task.LAST,
        state=Task.State.GOLD,
    )
