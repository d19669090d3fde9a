"""A reviewer decides what the consensus could not settle, or sends it back; the last step can be undone."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation, Resolution, Task
from apps.annotation.opinion_table import table
from apps.annotation.services.deciding import decide_by_hand
from apps.annotation.services.undeciding import undecide
from apps.common.errors import DomainError, InvalidInput
from apps.common.rows import rows
from apps.content.models import Item
from apps.notices.services.telling import tell, unsay
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
    locked, at = _locked(row), timezone.now()
    decide_by_hand(locked.project, locked.item, by, label=label, value=value, at=at)
    return _close(locked, by, State.DECIDED, at=at)


@transaction.atomic
def send_back(row: Adjudication, by: User, comment: str) -> Adjudication:
    """Those who answered are told why, and somebody else is asked too where there is anybody left."""
    comment = comment.strip()
    if not comment:
        raise InvalidInput(_("Say what they should look at."), field="comment")
    locked, at = _locked(row), timezone.now()
    said = table(locked.project, items=[locked.item_id])
    spoke = _spoke(locked)
    url = f"{reverse('label', args=[locked.project.slug])}?item={locked.item_id}"
    tell(
        User.objects.filter(pk__in=set(said.annotators.tolist()) | spoke),
        project=locked.project,
        kind="sent_back",
        title=lambda: _("Please look at this text again"),
        body=comment,
        url=url,
        key=_key(locked, at),
    )
    if _others(locked.project, spoke):
        rows(_ONE_MORE, {"task": locked.task_id, "rank": _rank(at)})
    locked.comment = comment
    return _close(locked, by, State.SENT_BACK, at=at)


@transaction.atomic
def undo(project: Project, by: User) -> Adjudication | None:
    """Takes back this person's last step here, while nothing has come of it since. None where there is none."""
    mine = Adjudication.objects.filter(project=project, by=by, state__in=[State.DECIDED, State.SENT_BACK])
    last = mine.select_for_update(of=("self",)).select_related("project", "item").order_by("-closed_at").first()
    if last is None:
        return None
    if Adjudication.objects.filter(item=last.item_id, state=State.OPEN).exists():
        raise DomainError(_("The text waits for a decision again already."))
    at = last.closed_at or timezone.now()
    if last.state == State.DECIDED:
        undecide(project, last.item, at=at)
    else:
        _ask_nobody_else(last, at)
        unsay(User.objects.filter(pk__in=_spoke(last)), key=_key(last, at))
    last.state, last.closed_at, last.by, last.comment = State.OPEN, None, None, ""
    last.save(update_fields=["state", "closed_at", "by", "comment"])
    return last


def _spoke(row: Adjudication) -> set[int]:
    return set(Annotation.objects.filter(item=row.item_id).values_list("annotator", flat=True))


def _key(row: Adjudication, at: datetime) -> str:
    """Sent back, taken back and sent back once more is told once more."""
    return f"adjudication-{row.pk}-{at.timestamp():.6f}"


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
WHERE id = %(task)s AND state IN ('open', 'full') AND rank = %(rank)s
  AND NOT EXISTS (SELECT 1 FROM annotation_lease l WHERE l.task_id = %(task)s AND l.state = 'active')
RETURNING id
"""


def _rank(at: datetime) -> int:
    """In front, and the mark by which an undo knows the task that was opened again at that moment."""
    return FRONT + int(at.timestamp() * 1_000_000)


def _ask_nobody_else(row: Adjudication, at: datetime) -> None:
    """A task that was live before the text was sent back stays live."""
    since = Annotation.objects.filter(item=row.item_id, created_at__gt=at).exists()
    opened = Task.objects.filter(pk=row.task_id or 0, state__in=[Task.State.OPEN, Task.State.FULL], rank=_rank(at))
    if since or (opened.exists() and not rows(_NO_MORE, {"task": row.task_id, "rank": _rank(at)})):
        raise DomainError(_("Somebody is at it already. Wait for their answer."))
