"""A reviewer's word on somebody's answer: approve it, put it right, or send it back with a reason. The last word can
be taken back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation
from apps.annotation.services.deciding import decide_by_hand
from apps.annotation.services.undeciding import undecide
from apps.common.errors import DomainError, InvalidInput
from apps.notices.services.telling import tell, unsay
from apps.projects.models import Project
from apps.quality.models import Adjudication, Review

Verdict = Review.Verdict
MOST_WORDS = 2_000


@transaction.atomic
def approve(project: Project, annotation: Annotation, by: User) -> Review:
    return _said(project, annotation, by, Verdict.APPROVED)


@transaction.atomic
def fix(project: Project, annotation: Annotation, by: User, answer: Mapping[str, Any]) -> Review:
    """The reviewer's answer becomes the truth and stands; the author's stays in the history."""
    at = timezone.now()
    review = _said(project, annotation, by, Verdict.FIXED, at=at)
    decide_by_hand(project, annotation.item, by, **answer, at=at)
    return review


@transaction.atomic
def reject(project: Project, annotation: Annotation, by: User, reason: str) -> Review:
    """The author is told why, and answers again. Until then the truth stays as it is."""
    reason = reason.strip()[:MOST_WORDS]
    if not reason:
        raise InvalidInput(_("Say why: the author learns from nothing else."), field="reason")
    review = _said(project, annotation, by, Verdict.REJECTED, reason)
    text = annotation.item.text
    tell(
        [annotation.annotator],
        project=project,
        kind="sent-back",
        title=lambda: _("%(project)s: please look at an answer again") % {"project": project.name},
        body=f"{reason}\n\n{text[:200]}{'…' if len(text) > 200 else ''}",
        url=reverse("label", args=[project.slug]) + f"?item={annotation.item_id}",
        key=_key(review),
    )
    return review


@transaction.atomic
def undo(project: Project, by: User) -> Annotation | None:
    """Takes this person's last word here back: the answer waits for a reviewer again, and its text stands as it did
    before. Nobody is told. Refuses where something has come of the word since; None where there is none."""
    mine = Review.objects.select_for_update(of=("self",)).filter(project=project, by=by)
    last = mine.select_related("annotation__item", "annotator").order_by("-pk").first()
    if last is None:
        return None
    said = last.annotation
    if last.verdict == Verdict.REJECTED:
        if last.answered_at is not None or _newer(said).exists():
            raise DomainError(_("The author has looked at it already, so it cannot be taken back any more."))
        unsay([last.annotator], key=_key(last))
    elif last.verdict == Verdict.FIXED:
        undecide(project, said.item, at=last.created_at)
    last.delete()
    return said


@transaction.atomic
def insist(project: Project, review: Review, author: User, words: str = "") -> None:
    """The author stands by the answer: a third person decides."""
    mine = Review.objects.filter(
        pk=review.pk, project=project, annotator=author, verdict=Verdict.REJECTED, answered_at=None
    )
    if not mine.update(answered_at=timezone.now()):
        raise DomainError(_("You have looked at this one already."))
    comment = "\n".join(part for part in (review.reason, words.strip()[:MOST_WORDS]) if part)
    open_already = Adjudication.objects.filter(item=review.annotation.item_id, state=Adjudication.State.OPEN)
    if not open_already.exists():
        Adjudication.objects.create(
            project=project, item=review.annotation.item, why=Adjudication.Why.ASKED, by=author, comment=comment
        )


def follow() -> int:
    """Rejections whose author has answered since, or taken the answer back."""
    later = Q(item=OuterRef("annotation__item"), annotator=OuterRef("annotator"))
    newer = Annotation.objects.filter(later, revision__gt=OuterRef("annotation__revision"))
    waiting = Review.objects.filter(verdict=Verdict.REJECTED, answered_at=None)
    return waiting.filter(Exists(newer)).update(answered_at=timezone.now())


def _key(review: Review) -> str:
    return f"sent-back-{review.pk}"


def _newer(annotation: Annotation) -> QuerySet[Annotation]:
    mine = Annotation.objects.filter(item=annotation.item_id, annotator=annotation.annotator_id)
    return mine.filter(revision__gt=annotation.revision)


def _said(
    project: Project,
    annotation: Annotation,
    by: User,
    verdict: Verdict,
    reason: str = "",
    *,
    at: datetime | None = None,
) -> Review:
    if annotation.annotator_id == by.pk:
        raise DomainError(_("Nobody reviews their own answers. Leave it to somebody else."))
    if annotation.retracted or _newer(annotation).exists():
        raise DomainError(_("The author has changed this answer in the meantime. Look at the next one."))
    try:
        with transaction.atomic():
            return Review.objects.create(
                project=project,
                annotation=annotation,
                annotator_id=annotation.annotator_id,
                by=by,
                verdict=verdict,
                reason=reason,
                created_at=at or timezone.now(),
            )
    except IntegrityError as error:
        if "annotation" not in str(error):
            raise
        raise DomainError(_("Somebody else has looked at this answer already.")) from error
