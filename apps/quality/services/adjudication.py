"""A reviewer decides what the consensus could not settle, or sends it back; the last step can be undone."""

import time
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation, PastTruth, Resolution, Task
from apps.annotation.opinion_table import table
from apps.annotation.rows import rows
from apps.annotation.services.deciding import decide_by_hand
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.content.models import Item
from apps.notices.services.telling import tell
from apps.projects.access import CAN, Capability
from apps.projects.models import Label, Membership, Project
from apps.quality.models import Adjudication

State = Adjudication.State
FRONT = -(1 << 52)  # before everything that the head chose, behind complaints


@transaction.atomic
def put_here(project: Project, item: Item, by: User) -> Adjudication:
    """A reviewer wants it decided side by side."""
    if Resolution.objects.filter(item=item, how=Resolution.How.GOLD).exists():
        raise DomainError(_("This is a gold item. Change its answer on the page of the gold items."))
    task = Task.objects.filter(item=item).exclude(reason=Task.Reason.GOLD).order_by("-pk").first()
    row, _made = Adjudication.objects.get_or_create(
        item=item,
        state=State.OPEN,
        defaults={"project": project, "task": task, "why": Adjudication.Why.ASKED, "by": by},
    )
    return row


@transaction.atomic
def decide(
    row: Adjudication, by: User, *, label: Label | None = None, value: dict[str, Any] | None = None
) -> Adjudication:
    locked = _locked(row)
    truth = decide_by_hand(locked.project, locked.item, by, label=label, value=value)
    return _close(locked, by, State.DECIDED, at=truth.changed_at)


@transaction.atomic
def send_back(row: Adjudication, by: User, comment: str) -> Adjudication:
    """Those who answered are told why, and somebody else is asked too where there is anybody left."""
    comment = comment.strip()
    if not comment:
        raise InvalidInput(_("Say what they should look at."), field="comment")
    locked = _locked(row)
    said = table(locked.project, items=[locked.item_id])
    spoke = set(Annotation.objects.filter(item=locked.item_id).values_list("annotator", flat=True))
    url = f"{reverse('label', args=[locked.project.slug])}?item={locked.item_id}"
    tell(
        User.objects.filter(pk__in=set(said.annotators.tolist()) | spoke),
        project=locked.project,
        kind="sent_back",
        title=lambda: _("Please look at this text again"),
        body=comment,
        url=url,
        key=f"adjudication-{locked.pk}",
    )
    if _others(locked.project, spoke):
        _ask_one_more(locked)
    locked.comment = comment
    return _close(locked, by, State.SENT_BACK, at=timezone.now())


@transaction.atomic
def undo(project: Project, by: User) -> Adjudication | None:
    """Takes back this person's last step here, while nothing has come of it since. None where there is none."""
    mine = Adjudication.objects.filter(project=project, by=by, state__in=[State.DECIDED, State.SENT_BACK])
    last = mine.select_for_update(of=("self",)).select_related("project", "item").order_by("-closed_at").first()
    if last is None:
        return None
    if Adjudication.objects.filter(item=last.item_id, state=State.OPEN).exists():
        raise DomainError(_("The text waits for a decision again already."))
    if last.state == State.DECIDED:
        _restore_truth(last)
    else:
        _ask_nobody_else(last)
    last.state, last.closed_at, last.by, last.comment = State.OPEN, None, None, ""
    last.save(update_fields=["state", "closed_at", "by", "comment"])
    return last


def _locked(row: Adjudication) -> Adjudication:
    locked = Adjudication.objects.select_for_update(of=("self",)).select_related("project", "item").get(pk=row.pk)
    if locked.state != State.OPEN:
        raise DomainError(_("Somebody else has dealt with this text already."))
    return locked


def _close(row: Adjudication, by: User, state: Adjudication.State, *, at: Any) -> Adjudication:
    row.state, row.by, row.closed_at = state, by, at
    row.save(update_fields=["state", "by", "closed_at", "comment"])
    return row


def _others(project: Project, spoke: set[int]) -> bool:
    roles = [role for role, may in CAN.items() if Capability.ANNOTATE in may]
    members = Membership.objects.filter(project=project, role__in=roles, user__is_active=True, paused_at=None)
    return members.exclude(user__in=spoke).exists()


# the same task takes one more: its answers are counted together, so that the newcomer's vote breaks the tie
_ONE_MORE = """
UPDATE annotation_task t
SET state = 'open', wanted = taken + 1, closed_at = NULL, rank = %(rank)s, suggestion = NULL
WHERE t.id = %(task)s AND t.state = 'done'
  AND NOT EXISTS (SELECT 1 FROM annotation_task o WHERE o.item_id = t.item_id AND o.state IN ('open', 'full'))
RETURNING id
"""
_NO_MORE = """
UPDATE annotation_task SET state = 'done', wanted = greatest(taken, 1), closed_at = now()
WHERE id = %(task)s AND state IN ('open', 'full')
  AND NOT EXISTS (SELECT 1 FROM annotation_lease l WHERE l.task_id = %(task)s AND l.state = 'active')
RETURNING id
"""


def _ask_one_more(row: Adjudication) -> None:
    rows(_ONE_MORE, {"task": row.task_id, "rank": FRONT + time.time_ns() // 1000})


def _ask_nobody_else(row: Adjudication) -> None:
    since = Annotation.objects.filter(item=row.item_id, created_at__gt=row.closed_at).exists()
    live = Task.objects.filter(pk=row.task_id or 0, state__in=[Task.State.OPEN, Task.State.FULL]).exists()
    if since or (live and not rows(_NO_MORE, {"task": row.task_id})):
        raise DomainError(_("Somebody is at it already. Wait for their answer."))


def _restore_truth(row: Adjudication) -> None:
    truth = Resolution.objects.select_for_update().filter(item=row.item_id).first()
    if truth is None or truth.changed_at != row.closed_at:
        raise DomainError(_("The label of this text has changed since; change it on the page of the item."))
    past = PastTruth.objects.filter(item=row.item_id, until__gte=row.closed_at).order_by("until").first()
    if past is not None:
        truth.label_id, truth.value, truth.how, truth.by_id = past.label_id, past.value, past.how, past.by_id
        truth.changed_at = timezone.now()
        truth.save(update_fields=["label", "value", "how", "by", "changed_at"])
    elif row.why != Adjudication.Why.ASKED:  # asked about a decided text and decided alike: there is nothing to restore
        truth.delete()
    wake_on_commit("learning.refresh", row.project_id)
