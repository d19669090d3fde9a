"""The way back from decide_by_hand, while nothing has come of the decision: the text stands as it stood before."""

from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.annotation.models import Annotation, PastTruth, Resolution, Task
from apps.common.errors import DomainError
from apps.common.rows import rows
from apps.common.wake import wake_on_commit
from apps.content.models import Item
from apps.projects.models import Project
from apps.projects.queries import as_called_now, successors

# a lease that expired before its time is one that the decision ended: whoever held it has the text on their page still
_REOPEN = """
WITH back AS (
    SELECT t.id FROM annotation_task t
    WHERE t.item_id = %(item)s AND t.state = 'done' AND t.closed_at = %(at)s
      AND NOT EXISTS (SELECT 1 FROM annotation_task o WHERE o.item_id = t.item_id AND o.state IN ('open', 'full'))
), held AS (
    UPDATE annotation_lease l SET state = 'active' FROM back
    WHERE l.task_id = back.id AND l.state = 'expired' AND l.expires_at > now()
    RETURNING l.task_id
)
UPDATE annotation_task t
SET taken = t.taken + h.places, state = CASE WHEN t.taken + h.places < t.wanted THEN 'open' ELSE 'full' END,
    closed_at = NULL
FROM back, LATERAL (SELECT count(*) AS places FROM held WHERE held.task_id = back.id) h
WHERE t.id = back.id
RETURNING t.id
"""


@transaction.atomic
def undecide(project: Project, item: Item, *, at: datetime) -> None:
    """Takes back what decide_by_hand did to the item at that moment: its truth, how sure it was, its open task and who
    held it. Raises DomainError where the label has changed or somebody has answered since."""
    # the order of locks is the queue's: tasks before truths
    list(Task.objects.select_for_update().filter(item=item).order_by("pk").values_list("pk"))
    truth = Resolution.objects.select_for_update().filter(item=item).first()
    if truth is None or truth.changed_at > at:
        raise DomainError(_("The label of this text has changed since; change it on the page of the item."))
    if _answered_since(item, at):
        raise DomainError(_("Somebody has answered this text since; change its label on the page of the item."))
    if Item.objects.filter(pk=item.pk, archived_at__isnull=False).exists():
        raise DomainError(_("This text is archived. Bring it back before you take the decision back."))
    if truth.changed_at == at:  # an earlier one said the same already, and stands
        _give_back(project, truth)
    rows(_REOPEN, {"item": item.pk, "at": at})
    wake_on_commit("learning.refresh", project.pk)


def _answered_since(item: Item, at: datetime) -> bool:
    """Late answers stand beside, before and after."""
    since = Annotation.objects.filter(item=item, created_at__gt=at, late=False)
    return since.exclude(task__reason=Task.Reason.GOLD).exists()


def _give_back(project: Project, truth: Resolution) -> None:
    """The newest past truth is the one that the decision ended. Without one, or after one that was taken away, there
    was none."""
    past = PastTruth.objects.filter(item=truth.item_id).order_by("-pk").first()
    if past is None or past.deleted:
        truth.delete()
        return
    into = successors(project.pk)
    truth.label_id, truth.value = as_called_now(past.label_id, into), as_called_now(past.value, into)
    truth.how, truth.by_id = past.how, past.by_id
    truth.agreement, truth.certainty = past.agreement, past.certainty
    truth.changed_at = timezone.now()
    truth.save(update_fields=["label", "value", "how", "by", "agreement", "certainty", "changed_at"])
