"""Tickets follow the truth that annotators give, and the calendar. Asked by beat; every step is a move of its own."""

import logging
from typing import Any

from django.core.cache import cache
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from apps.annotation.models import Prediction, Resolution, Task
from apps.common.errors import DomainError
from apps.feedback.models import RegressionCase, Ticket
from apps.feedback.services import cases, reach, tickets
from apps.feedback.services.outcomes import same_answer
from apps.projects.models import Project

log = logging.getLogger(__name__)
State = Ticket.State
MOST = 500  # tickets in one look
AGE_EVERY = 3600  # seconds between two looks at the calendar for priorities
_STANDS = (Resolution.How.ADJUDICATED, Resolution.How.GOLD)  # annotators cannot change these


def follow(project: Project) -> int:
    """Moves every ticket whose labelling has begun or come to an answer. Says how many moved."""
    asked = Ticket.objects.filter(project=project, state__in=[State.ACCEPTED, State.LABELLING])
    asked = asked.select_related("project", "assignee", "predicted", "wanted", "task", "item")
    moved = sum(_quietly(_followed, ticket) for ticket in asked.order_by("pk")[:MOST])
    return moved + sum(_quietly(_renewed, case) for case in _overtaken(project))


def _quietly(step: Any, row: Any) -> bool:
    """Somebody who moved it first is right; the next look sees what they did."""
    try:
        with transaction.atomic():
            return bool(step(row))
    except DomainError as refusal:
        log.info("ticket or case %s stays: %s", row.pk, refusal)
        return False


def _followed(ticket: Ticket) -> bool:
    truth = _new_truth(ticket)
    if truth is None:
        return _begun(ticket)
    said = what_it_said(ticket)
    if said is not None and same_answer(said, truth.label_id or truth.value):
        tickets.dismiss(ticket, None, why=Ticket.Dismissal.MODEL_RIGHT, answer=kind_answer(ticket))
        return True
    case = cases.give_birth(ticket)
    if case.ticket is not None and case.ticket_id != ticket.pk and case.ticket.state in Ticket.OPEN:
        tickets.duplicate(ticket, case.ticket, None)  # one text, one case: that ticket has it
        return True
    if case.ticket_id != ticket.pk:
        RegressionCase.objects.filter(pk=case.pk).update(ticket=ticket)
    tickets.confirm(ticket)
    return True


def _begun(ticket: Ticket) -> bool:
    if ticket.state != State.ACCEPTED or ticket.task is None or not ticket.task.taken:
        return False
    tickets.begin_labelling(ticket)
    return True


def _new_truth(ticket: Ticket) -> Resolution | None:
    """The truth given since people were asked. A reviewer's or a gold one stands, and decides once they answered."""
    truth = cases.truth_of(ticket.item_id)
    if truth is None or (truth.label_id is None and truth.value is None):
        return None
    accepts = ticket.moves.filter(action="accept", undone_by=None).order_by("-pk")
    asked = accepts.values_list("at", flat=True).first()
    if asked is None or truth.changed_at > asked:
        return truth
    answered = ticket.task is not None and ticket.task.state == Task.State.DONE
    return truth if answered and truth.how in _STANDS else None


def what_it_said(ticket: Ticket) -> Any:
    """The answer that was complained about: a label id, or a value as in Prediction; None when nobody knows."""
    if ticket.predicted_id is not None:
        return ticket.predicted_id
    if ticket.said is not None:
        return ticket.said
    about = ticket.signals.filter(version__isnull=False).order_by("-pk").values_list("version", flat=True).first()
    found = Prediction.objects.filter(item=ticket.item_id, version=about).values_list("label", "value").first()
    return (found[0] if found[1] is None else found[1]) if found else None


def kind_answer(ticket: Ticket) -> str:
    """What may be sent to those who complained when the model was right. In the project's language, to be edited."""
    with translation.override(ticket.project.language or "en"):
        if ticket.text and ticket.predicted:
            return _(
                "Thank you for telling us. People have looked at “%(text)s” again and agree with the answer "
                "“%(label)s”. If we misunderstood what you meant, please write to us once more in other words."
            ) % {"text": ticket.text[:200], "label": ticket.predicted.name}
        return _(
            "Thank you for telling us. People have looked at it again and agree with the answer that you were given. "
            "If we misunderstood what you meant, please write to us once more in other words."
        )


# --- cases whose truth changed ------------------------------------------------------------------------------
def _overtaken(project: Project) -> list[RegressionCase]:
    """Live cases that expect something else than today's truth."""
    live = RegressionCase.objects.filter(project=project, retired_at=None, item__resolution__isnull=False)
    other = Q(label__isnull=False) & ~Q(item__resolution__label=F("label"))
    other |= Q(value__isnull=False) & ~Q(item__resolution__value=F("value"))
    found = live.filter(other).select_related("ticket__project", "ticket__predicted", "item__resolution")
    return [case for case in found[:MOST] if not _expects(case, case.item.resolution)]


def _expects(case: RegressionCase, truth: Resolution) -> bool:
    now = truth.label_id or truth.value
    return now is None or same_answer(case.label_id or case.value, now)


def _renewed(case: RegressionCase) -> bool:
    """The truth decides anew: another case, or the model was right after all."""
    ticket, truth = case.ticket, case.item.resolution
    cases.retire(case, None, _("The truth of its text changed."))
    if ticket is None:
        return True
    if ticket.state == State.DUPLICATE or not same_answer(what_it_said(ticket), truth.label_id or truth.value):
        RegressionCase.objects.create(
            project=case.project,
            ticket=ticket,
            item=case.item,
            label=truth.label,
            value=truth.value,
            pinned=case.pinned,
        ).failed.set(case.failed.all())
    elif ticket.state in {State.CONFIRMED, State.REGRESSED}:
        tickets.dismiss(ticket, None, why=Ticket.Dismissal.MODEL_RIGHT, answer=kind_answer(ticket))
    return True


# --- the calendar --------------------------------------------------------------------------------------------
def wake_due(project: Project) -> int:
    """Snoozed tickets whose day has come, or that enough people have joined."""
    due = Q(snoozed_until__lte=timezone.now()) | Q(snoozed_reach__lte=F("reach"))
    found = Ticket.objects.filter(due, project=project, state=State.SNOOZED)
    return sum(_quietly(tickets.wake, ticket) for ticket in found.select_related("project", "assignee")[:MOST])


def age(project: Project) -> None:
    """Priorities grow with the days: written anew once an hour, whichever process asks first."""
    if cache.add(f"feedback:aged:{project.pk}", 1, AGE_EVERY):
        waiting = Ticket.objects.filter(project=project, state__in=[*Ticket.WAITING, State.SNOOZED])
        reach.refresh(project, list(waiting.values_list("pk", flat=True)))


def projects_to_follow() -> list[int]:
    """Those with tickets that something may happen to by itself."""
    live = Ticket.objects.filter(state__in=Ticket.OPEN, project__archived_at=None)
    return sorted(set(live.order_by().values_list("project", flat=True).distinct()))
