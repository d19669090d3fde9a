"""Regression cases: born when annotators agree with a complaint, and asked of every version from then on."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Prediction, Resolution
from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import RegressionCase, Ticket
from apps.feedback.services.outcomes import results, same_answer
from apps.registry.models import ModelVersion

MOST_WHY = 300


def truth_of(item_id: int | None) -> Resolution | None:
    return Resolution.objects.filter(item=item_id).select_related("label").first() if item_id else None


def give_birth(ticket: Ticket, by: User | None = None) -> RegressionCase:
    """The case of this ticket's item, expecting its truth of today. An item has one: asked twice, it is the same."""
    truth = truth_of(ticket.item_id)
    if truth is None or (truth.label_id is None and truth.value is None):
        raise DomainError(_("The text of ticket %(number)d has no truth yet.") % {"number": ticket.number})
    live = _live(ticket)
    if live is not None and not same_answer(live.label_id or live.value, truth.label_id or truth.value):
        _retire(live, by, _("The truth of its text changed."))
        live = None
    if live is None:
        live = _made(ticket, truth, by)
    elif live.ticket_id is None:
        RegressionCase.objects.filter(pk=live.pk, ticket=None).update(ticket=ticket)
        live.ticket = ticket
    live.failed.add(*_failed(ticket, live))
    return live


def _live(ticket: Ticket) -> RegressionCase | None:
    return RegressionCase.objects.filter(item=ticket.item_id, retired_at=None).select_related("ticket").first()


def _made(ticket: Ticket, truth: Resolution, by: User | None) -> RegressionCase:
    try:
        with transaction.atomic():
            return RegressionCase.objects.create(
                project=ticket.project,
                ticket=ticket,
                item_id=truth.item_id,
                label=truth.label,
                value=truth.value,
                by=by,
            )
    except IntegrityError:  # another process was quicker
        made = _live(ticket)
        if made is None:
            raise
        return made


def _failed(ticket: Ticket, case: RegressionCase) -> list[ModelVersion]:
    """Versions that people complained about, and those whose stored answer is another than the truth."""
    about = ticket.signals.filter(polarity__lt=0, version__isnull=False)
    if case.label_id is not None:
        about = about.exclude(predicted=case.label_id)
    complained = set(about.values_list("version", flat=True).distinct())
    asked = set(Prediction.objects.filter(item=case.item_id).values_list("version", flat=True))
    versions = ModelVersion.objects.filter(pk__in=complained | asked)
    return [version for version in versions if _got_wrong(version, case, version.pk in complained)]


def _got_wrong(version: ModelVersion, case: RegressionCase, complained: bool) -> bool:
    (result,) = results(version, [case])
    return not result.passed if result.known else complained


@transaction.atomic
def pin(case: RegressionCase, by: User, *, pinned: bool) -> RegressionCase:
    """Pinned cases count at the gate; the others are shown there."""
    if not RegressionCase.objects.filter(pk=case.pk, retired_at=None).update(pinned=pinned):
        raise DomainError(_("This case is retired. It counts no more, pinned or not."))
    case.pinned = pinned
    return case


@transaction.atomic
def retire(case: RegressionCase, by: User | None, why: str = "") -> RegressionCase:
    """No version is asked about it any more; what was answered stays."""
    if len(why) > MOST_WHY:
        raise InvalidInput(_("Say it in at most %(most)d characters.") % {"most": MOST_WHY}, field="why")
    if not _retire(case, by, why.strip()):
        raise DomainError(_("This case is retired already."))
    return case


def _retire(case: RegressionCase, by: User | None, why: str) -> bool:
    now: dict[str, Any] = {"retired_at": timezone.now(), "retired_by": by, "why_retired": why}
    changed = RegressionCase.objects.filter(pk=case.pk, retired_at=None).update(**now)
    for name, value in now.items():
        setattr(case, name, value)
    return bool(changed)
