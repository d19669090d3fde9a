"""Submit, undo, revise: what becomes of an answer. Annotations are only ever added."""

from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID, uuid4

from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation, Lease, Task
from apps.annotation.queries import newest_answer
from apps.annotation.races import Again, in_one_transaction
from apps.annotation.services.handout import claim_within
from apps.annotation.services.opinions import (
    Place,
    Saying,
    place_by_token,
    place_on_task,
    stored_and_stands,
    write_beside,
    write_counted,
)
from apps.annotation.services.truth import EXTRA_PLACES, Opinion, Verdict, decide, opinions_on
from apps.annotation.services.values import checked, parts
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.content.models import Item
from apps.projects.models import Project


@dataclass(frozen=True)
class Answer:
    """One answer to a leased task: a label, a value (services.values), a reason why not, or only a flag."""

    token: UUID  # of the lease
    key: UUID  # made by the client, one per answer: sending it twice stores it once
    label: int | None = None
    value: dict[str, Any] | None = None
    undecided: str = ""  # one of the project's reasons
    note: str = ""
    flagged: bool = False
    seconds: float | None = None
    base: int | None = None  # revision of mine on this task that the form was made from, 0: none; None: do not check


@dataclass(frozen=True)
class Submitted:
    annotation: Annotation
    kept_as: Literal["answer", "repeat", "late"]
    next: list[Lease]


class Conflict(DomainError):
    """The form was made from another state of this person's own answer: another tab, another device."""

    def __init__(self, stored: Annotation) -> None:
        super().__init__(
            _("You answered this text elsewhere in the meantime. Both answers are kept here: choose which one stands.")
        )
        self.stored = stored


@in_one_transaction
def submit(project: Project, user: User, answer: Answer) -> Submitted:
    """Stores the answer and hands out the next item, in one transaction. Sending it again changes nothing."""
    said = Saying(answer.key, answer.label, answer.value, answer.undecided, answer.note, answer.flagged, answer.seconds)
    place = place_by_token(project, user, answer.token, said)
    known = _known(project, user, said, place)
    if known is not None:
        return Submitted(known, "repeat", claim_within(project, user))
    if place is None:
        raise DomainError(_("This item was not handed out to you. Load the page again to get the next one."))
    annotation = _say(project, user, place, said, answer.base)
    return Submitted(annotation, "late" if annotation.late else "answer", claim_within(project, user))


@in_one_transaction
def revise(
    project: Project,
    user: User,
    item_id: int,
    key: UUID,
    *,
    label: int | None = None,
    value: dict[str, Any] | None = None,
    undecided: str = "",
    note: str | None = None,
    flagged: bool | None = None,
    base: int | None = None,
) -> Annotation:
    """A person changes their own earlier answer. Note and flag stay where nothing is said about them."""
    before = newest_answer(project, user, item_id=item_id)
    said = Saying(
        key,
        label,
        value,
        undecided,
        note=note if note is not None else before.note if before else "",
        flagged=flagged if flagged is not None else before.flagged if before else False,
    )
    known = _known(project, user, said)
    if known is not None:
        return known
    place = place_on_task(project, user, before.task_id) if before is not None else None
    if place is None:
        raise DomainError(_("You have no answer on this item to change."))
    return _say(project, user, place, said, base)


@in_one_transaction
def undo(project: Project, user: User, *, of: UUID | None = None) -> Lease | None:
    """Takes back this person's newest answer here, in whatever session it was given, and hands them its item again.

    `of` names another one by its key: what a window shows as its last answer need not be the newest of all windows.
    When it is gone already, this is the same wish once more, and nothing happens.
    """
    before = to_undo(project, user, of)
    if before is None:
        return None
    place = place_on_task(project, user, before.task_id)
    if place is None:
        raise DomainError(_("This answer can no longer be undone; change it in its item's history."))
    if place.revision != before.revision:
        raise Again  # a second tab added to it in between
    back = Saying(
        uuid4(),
        before.label_id,
        before.value,
        before.undecided,
        before.note,
        before.flagged,
        late=before.late,
        retracted=True,
    )
    if place.gold:
        write_beside(project, user, place, back, lease_state=Lease.State.ACTIVE)
    elif place.counted:
        # the place stays this person's: their answer becomes a lease again
        open_again = Verdict(done=False, wanted=place.wanted)
        write_counted(project, user, place, back, lease_state=Lease.State.ACTIVE, taken=place.taken, verdict=open_again)
        wake_on_commit("learning.refresh", project.pk)
    else:
        write_beside(project, user, place, back, lease_state=Lease.State.EXPIRED)
    lease = Lease.objects.select_related("task__item").get(pk=place.lease)
    lease.task.suggestion = lease.shown
    lease.task.reason = Task.Reason.RANDOM if place.gold else lease.task.reason
    return lease


def to_undo(project: Project, user: User, of: UUID | None) -> Annotation | None:
    """The answer under this key while it stands; without a key this person's newest one here."""
    if of is None:
        return newest_answer(project, user)
    named = Annotation.objects.filter(project=project, annotator=user, key=of).first()
    standing = newest_answer(project, user, item_id=named.item_id) if named is not None else None
    return standing if standing == named else None


def _say(project: Project, user: User, place: Place, said: Saying, base: int | None) -> Annotation:
    """Counts when this person holds a place or one is free; otherwise the opinion is kept beside, as late."""
    if base is not None and base != place.standing and place.revision:
        raise Conflict(Annotation.objects.get(item=place.item, annotator=user, revision=place.revision))
    if said.value is not None:
        said = replace(said, value=checked(project, _text(project, place), said.value))
    if place.gold:  # measures the person; nothing follows from it for the item
        return write_beside(project, user, place, said, lease_state=Lease.State.ANSWERED)
    if not (place.holds or place.free):
        return write_beside(project, user, place, replace(said, late=True), lease_state=Lease.State.ANSWERED)
    opinions = [Opinion(user.pk, said.label, said.value)]
    if place.wanted > 1:
        opinions += [other for other in opinions_on(place.item, place.task) if other.annotator != user.pk]
    most = max(project.wanted, project.overlap_wanted if project.overlap_share else 0) + EXTRA_PLACES
    verdict = decide(opinions, wanted=place.wanted, most=most)
    taken = place.taken if place.holds else place.taken + 1
    annotation = write_counted(
        project, user, place, said, lease_state=Lease.State.ANSWERED, taken=taken, verdict=verdict
    )
    wake_on_commit("learning.refresh", project.pk)
    return annotation


def _text(project: Project, place: Place) -> str:
    if project.task_kind != Project.TaskKind.SPANS:
        return ""
    return Item.objects.values_list("text", flat=True).get(pk=place.item)


def _known(project: Project, user: User, said: Saying, place: Place | None = None) -> Annotation | None:
    """The annotation already stored under this key; None for a new one, whose form is then checked."""
    known, label_stands = (place.stored, place.label_stands) if place else stored_and_stands(project, user, said)
    if known is not None:
        return _repeated(known, project, said)
    _check_form(project, said)
    if said.label is not None and not label_stands:
        raise InvalidInput(_("This project has no such label, or it was archived."), field="label")
    return None


def _check_form(project: Project, said: Saying) -> None:
    single = project.task_kind == Project.TaskKind.SINGLE
    if said.label is not None and not single:
        raise InvalidInput(_("One label is no answer here: this project's truths are of another kind."), field="label")
    if said.value is not None and single:
        raise InvalidInput(_("An answer in this project is one label."), field="value")
    answered = said.label is not None or said.value is not None
    if said.undecided and answered:
        raise InvalidInput(_("Either answer, or say why you cannot decide."), field="undecided")
    if said.undecided and said.undecided not in project.undecided_reasons:
        raise InvalidInput(_("This is none of the project's reasons. Load the page again."), field="undecided")
    if not answered and not said.undecided and not said.flagged:
        raise InvalidInput(_("Choose a label, or flag the item."), field="label" if single else "value")


def _repeated(pk: int, project: Project, said: Saying) -> Annotation:
    stored = Annotation.objects.get(pk=pk)
    content = (
        *(stored.project_id, stored.label_id, parts(stored.value), stored.undecided, stored.note, stored.flagged),
        stored.retracted,
    )
    if content != (project.pk, said.label, parts(said.value), said.undecided, said.note, said.flagged, False):
        raise DomainError(
            _("Another answer is stored under this key already, and it stands. Send yours under its own.")
        )
    return stored
