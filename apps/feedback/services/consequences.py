"""What new complaints do to tickets that are there already, and who hears of new ones."""

from collections.abc import Sequence

from django.db.models import Max, Q
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.feedback.models import Signal, Ticket
from apps.feedback.services import moving, tickets
from apps.notices.models import Event, Webhook
from apps.notices.services.telling import publish, tell
from apps.projects.models import Membership, Project, Role
from apps.registry.models import ModelVersion

State = Ticket.State


def of(project: Project, touched: Sequence[int], opened: Sequence[Ticket]) -> None:
    """Fixed: a complaint about the fixing version or a later one brings it back, one about an older version counts and
    no more. Snoozed: enough people wake it. Dismissed and everything else: it counts, the state stays."""
    if not touched:
        return
    _tell_openings(project, opened)
    found = Ticket.objects.filter(pk__in=touched).exclude(pk__in=[ticket.pk for ticket in opened])
    rooted = found.filter(duplicate_of__isnull=False).values("duplicate_of")
    related = ("project", "assignee", "predicted", "wanted", "fixed_in")
    stirred = Ticket.objects.filter(Q(pk__in=found.values("pk")) | Q(pk__in=rooted))
    for ticket in stirred.filter(state__in=[State.FIXED, State.SNOOZED]).select_related(*related).order_by("pk"):
        try:
            _stir(ticket)
        except DomainError:
            continue  # somebody moved it this moment: what they decided stands


def _stir(ticket: Ticket) -> None:
    if ticket.state == State.SNOOZED:
        if ticket.snoozed_reach is not None and ticket.reach >= ticket.snoozed_reach:
            tickets.wake(ticket)
        return
    version = _complained_again(ticket)
    if version is not None:
        move = tickets.regress(ticket, version)
        payload = moving.payload(ticket, move) | {"version": version.number}
        publish(ticket.project, "ticket.regressed", payload, key=f"ticket.regressed:{move.pk}")
        tell(
            [ticket.assignee] if ticket.assignee else _managers(ticket.project),
            project=ticket.project,
            kind="regressed",
            title=lambda: (
                _("Ticket %(number)d came back with %(version)s") % {"number": ticket.number, "version": version}
            ),
            body=lambda: ticket.text[:200],
            url=moving.url_of(ticket),
            key=f"ticket:{move.pk}",
        )


def _complained_again(ticket: Ticket) -> ModelVersion | None:
    """The newest version at or after the fix that complained-about answers came from, since the fix."""
    if ticket.fixed_in is None:
        return None
    family = Q(ticket=ticket) | Q(ticket__duplicate_of=ticket)
    since = Signal.objects.filter(family, polarity__lt=0, state=Signal.State.GROUPED, received_at__gt=ticket.state_at)
    number = since.filter(version__number__gte=ticket.fixed_in.number).aggregate(top=Max("version__number"))["top"]
    return ModelVersion.objects.get(project=ticket.project, number=number) if number is not None else None


def _managers(project: Project) -> list[User]:
    members = Membership.objects.filter(project=project, role=Role.PRODUCT_MANAGER, user__is_active=True)
    return [member.user for member in members.select_related("user")]


def _tell_openings(project: Project, opened: Sequence[Ticket]) -> None:
    """A first complaint of a big import opens thousands: they cost nothing where no endpoint asked."""
    asked = Webhook.objects.filter(project=project, disabled_at=None, events__contains=[Event.TICKET_OPENED])
    if not opened or not asked.exists():
        return
    for ticket in Ticket.objects.filter(pk__in=[one.pk for one in opened]).select_related(
        "project", "predicted", "wanted"
    ):
        publish(project, "ticket.opened", moving.payload(ticket), key=f"ticket.opened:{ticket.pk}")
