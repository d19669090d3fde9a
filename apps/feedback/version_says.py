"""What the versions that matter answer to a ticket's text today: what serves, the newest, the one that fixed it."""

from dataclasses import dataclass

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.annotation.models import Prediction
from apps.content.models import Split
from apps.feedback.models import RegressionCase, Ticket
from apps.feedback.services.outcomes import same_answer
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

NEWEST = 3


@dataclass(frozen=True, slots=True)
class Says:
    version: ModelVersion
    prediction: Prediction | None  # None: not asked yet
    live: bool
    verdict: Promise | str  # in words, where the right answer is known
    tone: str  # good, bad or nothing


def says(ticket: Ticket) -> list[Says]:
    """Newest version first; nothing for a text without an item, or one that people still label blind."""
    if ticket.item is None:
        return []
    case = RegressionCase.objects.filter(item=ticket.item_id, retired_at=None).first()
    if case is None and ticket.item.split == Split.HOLDOUT:
        return []
    live = registry.live_version(ticket.project)
    newest = registry.versions(ticket.project).values_list("pk", flat=True)[:NEWEST]
    wanted = Q(pk__in=list(newest)) | Q(pk=ticket.fixed_in_id) | Q(pk=live.pk if live else None)
    versions = list(registry.versions(ticket.project).filter(wanted))
    rows = Prediction.objects.filter(item=ticket.item_id, version__in=versions).select_related("label")
    said = {row.version_id: row for row in rows}
    return [_one(ticket, case, version, said.get(version.pk), version == live) for version in versions]


def _one(
    ticket: Ticket, case: RegressionCase | None, version: ModelVersion, said: Prediction | None, live: bool
) -> Says:
    if said is None:
        return Says(version, None, live, _("not asked yet"), "")
    if case is None:
        return Says(version, said, live, "", "")
    answer = said.label_id if said.value is None else said.value
    if same_answer(answer, case.label_id or case.value):
        mends = not live and ticket.state in (Ticket.State.CONFIRMED, Ticket.State.REGRESSED)
        return Says(version, said, live, _("would fix it") if mends else _("right"), "good")
    breaks = not live and ticket.state == Ticket.State.FIXED
    return Says(version, said, live, _("would break it") if breaks else _("wrong"), "bad")
