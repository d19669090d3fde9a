"""A reviewer's word: it stands, whatever annotators answer afterwards."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation import opinion_table
from apps.annotation.models import Resolution
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.content.models import Item
from apps.projects.models import Label, Project

# what is on somebody's page is answered late: kept beside, as an opinion
_END_TASKS = """
WITH live AS (
    SELECT id FROM annotation_task WHERE item_id = %(item)s AND state IN ('open', 'full') FOR UPDATE
), ended AS (
    UPDATE annotation_lease l SET state = 'expired' FROM live WHERE l.task_id = live.id AND l.state = 'active'
    RETURNING l.task_id
)
UPDATE annotation_task t
SET state = 'done', closed_at = %(at)s, taken = t.taken - (SELECT count(*) FROM ended WHERE ended.task_id = t.id)
FROM live WHERE t.id = live.id
"""


@transaction.atomic
def decide_by_hand(
    project: Project,
    item: Item,
    by: User,
    *,
    label: Label | None = None,
    value: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Resolution:
    """The item's truth by decision of `by`; nobody is asked about it any more. Refuses to touch a gold item.

    `at` (now without) is the decision's moment: undeciding.undecide knows by it what to take back. A truth that was
    decided alike before stays as it is.
    """
    at = at or timezone.now()
    label, value = checked_decision(project, item, label, value)
    end_tasks(item, at)
    before = Resolution.objects.select_for_update().filter(item=item).first()
    if before is not None and before.how == Resolution.How.GOLD:
        raise DomainError(_("This is a gold item. Change its answer on the page of the gold items."))
    if before is not None and before.how == Resolution.How.ADJUDICATED and _same(before, label, value):
        return before
    said = opinion_table.table(project, items=[item.pk])
    truth, _made = Resolution.objects.update_or_create(
        item=item,
        defaults={
            "project": project,
            "split": item.split,
            "label": label,
            "value": value,
            "how": Resolution.How.ADJUDICATED,
            "by": by,
            "agreement": said.agreement_with(label.pk if label else value),
            "certainty": None,
            "changed_at": at,
        },
    )
    wake_on_commit("learning.refresh", project.pk)
    return truth


def end_tasks(item: Item, at: datetime) -> None:
    """Inside a transaction: the item's live tasks are done, and whoever has it on their page holds no place."""
    with connection.cursor() as cursor:
        cursor.execute(_END_TASKS, {"item": item.pk, "at": at})


def _same(truth: Resolution, label: Label | None, value: dict[str, Any] | None) -> bool:
    return truth.label_id == (label.pk if label else None) and truth.value == value


def checked_decision(
    project: Project, item: Item, label: Label | None, value: dict[str, Any] | None
) -> tuple[Label | None, dict[str, Any] | None]:
    if project.task_kind == Project.TaskKind.SINGLE:
        if label is None or label.project_id != project.pk or label.archived_at is not None:
            raise InvalidInput(_("Choose one of the project's labels."), field="label")
        return label, None
    if value is None:
        raise InvalidInput(_("Say what the answer is."), field="value")
    from apps.annotation.services.values import checked

    return None, checked(project, item.text, value)
