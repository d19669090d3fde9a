"""Forgetting a person on request."""

from dataclasses import dataclass

from django.db import transaction

from apps.common.rows import rows
from apps.feedback.models import Signal, Ticket
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.serving.models import Served

_FORGET_SIGNALS = """
UPDATE feedback_signal SET
    text = '', text_hash = NULL, comment = '', subject = '', address = '', language = '', consent = false,
    value = CASE WHEN kind IN ('spans', 'answer') THEN NULL ELSE value - 'unknown' - 'reason' END
WHERE project_id = %(project)s AND subject = %(subject)s RETURNING id
"""


@dataclass(frozen=True)
class Erased:
    signals: int
    predictions: int
    tickets: int  # that spoke in this person's words
    items: int  # texts of theirs that had become content of the project; those stay, for people have labelled them


@transaction.atomic
def erase_subject(project: Project, key: str) -> Erased:
    """Takes away every text, comment and trace of one person, known by the host's key of them.

    What they pressed stays counted, without them: the event, its kind and its time. A ticket that spoke in their words
    goes on in another person's words, or without any.
    """
    subject = pseudonym(project, key)
    if not subject:
        return Erased(0, 0, 0, 0)
    theirs = [ticket for ticket in _tickets_of(project, subject) if _only_they_said_it(ticket, subject)]
    for ticket in theirs:
        _speak_in_other_words(ticket, subject)
    signals = rows(_FORGET_SIGNALS, {"project": project.pk, "subject": subject})
    # the hash column may not be empty: what is left does not even tell that two texts were the same
    predictions = Served.objects.filter(project=project, subject=subject).update(
        text="", text_hash=b"", subject="", external_id="", consent=False
    )
    items = {ticket.item_id for ticket in theirs if ticket.item_id}
    return Erased(len(signals), predictions, len(theirs), len(items))


def _tickets_of(project: Project, subject: str) -> list[Ticket]:
    said = Signal.objects.filter(project=project, subject=subject, ticket__isnull=False)
    return list(Ticket.objects.filter(project=project, pk__in=said.values("ticket")).exclude(text="", text_hash=None))


def _only_they_said_it(ticket: Ticket, subject: str) -> bool:
    same = Signal.objects.filter(ticket=ticket, text_hash=ticket.text_hash)
    return same.filter(subject=subject).exists() and not same.exclude(subject=subject).exists()


def _speak_in_other_words(ticket: Ticket, subject: str) -> None:
    other = Signal.objects.filter(ticket=ticket).exclude(subject=subject).exclude(text="").order_by("pk").first()
    ticket.text, ticket.text_hash = (other.text, other.text_hash) if other else ("", None)
    ticket.wording = ticket.vector = None  # of the words that are gone
    ticket.save(update_fields=["text", "text_hash", "wording", "vector"])
