"""Submit, undo, revise: what becomes of an answer. Annotations are only ever added."""

from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID, uuid4

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation, Lease
from apps.annotation.queries import newest_answer
from apps.annotation.rows import Again, in_one_transaction, one
from apps.annotation.services.handout import claim_within
from apps.annotation.services.opinions import (
    Place,
    Saying,
    place_by_token,
    place_on_task,
    write_beside,
    write_counted,
)
from apps.annotation.services.truth import EXTRA_PLACES, Opinion, Verdict, decide, opinions_on
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.projects.models import Project


@dataclass(frozen=True)
class Answer:
    token: UUID  # of the lease
    key: UUID  # made by the client, one per answer: sending it twice stores it once
    label: int | None
    note: str = ""
    flagged: bool = False
    seconds: float | None = None


@dataclass(frozen=True)
class Submitted:
    annotation: Annotation
    kept_as: Literal["answer", "repeat", "late"]
    next: list[Lease]


@in_one_transaction
def submit(project: Project, user: User, answer: Answer) -> Submitted:
    """Stores the answer and hands out the next item, in one transaction. Sending it again changes nothing."""
    said = Saying(answer.key, answer.label, answer.note, answer.flagged, answer.seconds)
    known = _known(project, user, said)
    if known is not None:
        return Submitted(known, "repeat", claim_within(project, user))
    place = place_by_token(project, user, answer.token)
    if place is None:
        raise DomainError(_("This item was not handed out to you. Load the page again to get the next one."))
    annotation = _say(project, user, place, said)
    return Submitted(annotation, "late" if annotation.late else "answer", claim_within(project, user))


@in_one_transaction
def revise(project: Project, user: User, item_id: int, label: int, key: UUID) -> Annotation:
    """A person changes their own earlier answer."""
    known = _known(project, user, Saying(key, label))
    if known is not None:
        return known
    before = newest_answer(project, user, item_id=item_id)
    place = place_on_task(project, user, before.task_id) if before is not None else None
    if before is None or place is None:
        raise DomainError(_("You have no answer on this item to change."))
    return _say(project, user, place, Saying(key, label, before.note, before.flagged))


@in_one_transaction
def undo(project: Project, user: User, *, of: UUID | None = None) -> Lease | None:
    """Takes back this person's newest answer here, in whatever session it was given, and hands them its item again.

    `of` names that answer by its key: when it is gone already, this is the same wish once more, and nothing happens.
    """
    before = newest_answer(project, user)
    if before is None or of not in (None, before.key):
        return None
    place = place_on_task(project, user, before.task_id)
    if place is None:
        raise DomainError(_("This answer can no longer be undone; change it in its item's history."))
    if place.revision != before.revision:
        raise Again  # a second tab added to it in between
    back = Saying(uuid4(), before.label_id, before.note, before.flagged, late=before.late, retracted=True)
    if place.counted:
        # the place stays this person's: their answer becomes a lease again
        open_again = Verdict(done=False, wanted=place.wanted)
        write_counted(project, user, place, back, lease_state=Lease.State.ACTIVE, taken=place.taken, verdict=open_again)
        wake_on_commit("learning.refresh", project.pk)
    else:
        write_beside(project, user, place, back, lease_state=Lease.State.EXPIRED)
    lease = Lease.objects.select_related("task__item").get(pk=place.lease)
    lease.task.suggestion = lease.shown
    return lease


def _say(project: Project, user: User, place: Place, said: Saying) -> Annotation:
    """Counts when this person holds a place or one is free; otherwise the opinion is kept beside, as late."""
    if not (place.holds or place.free):
        return write_beside(project, user, place, replace(said, late=True), lease_state=Lease.State.ANSWERED)
    opinions = [Opinion(user.pk, said.label)]
    if place.wanted > 1:
        opinions += [other for other in opinions_on(place.item, place.task) if other.annotator != user.pk]
    verdict = decide(opinions, wanted=place.wanted, most=project.wanted + EXTRA_PLACES)
    taken = place.taken if place.holds else place.taken + 1
    annotation = write_counted(
        project, user, place, said, lease_state=Lease.State.ANSWERED, taken=taken, verdict=verdict
    )
    wake_on_commit("learning.refresh", project.pk)
    return annotation


_KNOWN = """
SELECT (SELECT id FROM annotation_annotation WHERE annotator_id = %(user)s AND key = %(key)s),
       EXISTS (SELECT 1 FROM projects_label
               WHERE id = %(label)s AND project_id = %(project)s AND archived_at IS NULL)
"""


def _known(project: Project, user: User, said: Saying) -> Annotation | None:
    """The annotation already stored under this key; None for a new one, whose label is then checked."""
    values = {"user": user.pk, "key": said.key, "label": said.label, "project": project.pk}
    known, label_stands = one(_KNOWN, values)
    if known is not None:
        return _repeated(known, project, said)
    if said.label is not None and project.task_kind != Project.TaskKind.SINGLE:
        raise InvalidInput(_("One label is no answer here: this project's truths are of another kind."), field="label")
    if said.label is None and not said.flagged:
        raise InvalidInput(_("Choose a label, or flag the item."), field="label")
    if said.label is not None and not label_stands:
        raise InvalidInput(_("This project has no such label, or it was archived."), field="label")
    return None


def _repeated(pk: int, project: Project, said: Saying) -> Annotation:
    stored = Annotation.objects.get(pk=pk)
    content = (stored.project_id, stored.label_id, stored.note, stored.flagged, stored.retracted)
    if content != (project.pk, said.label, said.note, said.flagged, False):
        raise DomainError(
            _("Another answer is stored under this key already, and it stands. Send yours under its own.")
        )
    return stored
