"""What the triage page shows beyond ticket_queries: the list in an order, its rows, what has changed since."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max, Min, OuterRef, Q, QuerySet, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.feedback import ticket_queries
from apps.feedback.models import IntakeKey, SavedQueue, Signal, Ticket, TicketMove
from apps.feedback.ticket_queries import Filters
from apps.projects.access import CAN, Capability
from apps.projects.models import Project

ROWS = 50
MOST_NUMBERS = 500  # of a list are watched for moves and newcomers
MOST_FOUND = 9  # in the picker of duplicates: one key each
# name → (words, columns); the number makes every order total
SORTS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "reach": (_("most people first"), ("-reach", "number")),
    "newest": (_("newest first"), ("-created_at", "number")),
    "oldest": (_("longest wait first"), ("state_at", "number")),
}
BY_PRIORITY = ("-priority", "number")


@dataclass(frozen=True)
class Listing:
    """A filter with what only the page knows: a label on either side, and the order."""

    by: Filters = field(default_factory=Filters)
    label: int | None = None  # said or wanted
    sort: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return SORTS[self.sort][1] if self.sort in SORTS else BY_PRIORITY


def triagers(project: Project) -> QuerySet[User]:
    """Those to whom a ticket can be given."""
    roles = [role for role, can in CAN.items() if Capability.TRIAGE in can]
    people = User.objects.filter(memberships__project=project, memberships__role__in=roles, is_active=True)
    return people.order_by("name", "email")


def tickets(project: Project, listing: Listing) -> QuerySet[Ticket]:
    found = ticket_queries.tickets(project, listing.by)
    if listing.label is not None:
        found = found.filter(Q(predicted=listing.label) | Q(wanted=listing.label))
    return found.order_by(*listing.columns)


def after(found: QuerySet[Ticket], listing: Listing, number: int) -> QuerySet[Ticket]:
    """The tickets that follow this one in the order of the list."""
    column, _number = listing.columns
    name, down = column.removeprefix("-"), column.startswith("-")
    last = Ticket.objects.filter(project__in=found.values("project")[:1], number=number).values_list(name, flat=True)
    value = last.first()
    if value is None:
        return found.none()
    return found.filter(Q((f"{name}__{'lt' if down else 'gt'}", value)) | Q((name, value), number__gt=number))


@dataclass(frozen=True)
class Row:
    ticket: Ticket
    move: int  # id of the newest move: what somebody has seen when they act
    trend: int  # complaints of the last seven days, less those of the seven before
    language: str


def rows(found: Iterable[Ticket]) -> list[Row]:
    shown = list(found)
    pks = [ticket.pk for ticket in shown]
    moves = dict(TicketMove.objects.filter(ticket__in=pks).values_list("ticket").annotate(newest=Max("pk")))
    standing = ticket_queries.standing(pks)
    spoken = Signal.objects.filter(ticket__in=pks).exclude(language="")
    languages = dict(spoken.order_by("ticket", "-pk").distinct("ticket").values_list("ticket", "language"))
    return [
        Row(
            ticket,
            moves.get(ticket.pk, 0),
            standing[ticket.pk].lately - standing[ticket.pk].before,
            languages.get(ticket.pk, ""),
        )
        for ticket in shown
    ]


def any_tickets(project: Project) -> bool:
    return Ticket.objects.filter(project=project).exists()


def any_keys(project: Project) -> bool:
    return IntakeKey.objects.filter(project=project, revoked_at=None).exists()


# --- what has changed ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Counts:
    waiting: int
    mine: int
    nobodys: int
    oldest: datetime | None  # since when the longest of those waiting has waited


def counts(project: Project, user: User) -> Counts:
    waiting = Ticket.objects.filter(project=project, state__in=Ticket.WAITING)
    found = waiting.aggregate(
        n=Count("pk"),
        mine=Count("pk", filter=Q(assignee=user)),
        nobodys=Count("pk", filter=Q(assignee=None)),
        oldest=Min("state_at"),
    )
    return Counts(found["n"], found["mine"], found["nobodys"], found["oldest"])


_SIGNATURE = """
SELECT COALESCE((SELECT max(id) FROM feedback_ticketmove), 0),
       COALESCE((SELECT max(number) FROM feedback_ticket WHERE project_id = %(project)s), 0),
       (SELECT to_char(max(last_signal_at), 'YYYYMMDDHH24MISSUS') FROM feedback_ticket
        WHERE project_id = %(project)s AND state IN ('new', 'regressed'))
"""


def signature(project: Project) -> str:
    """Differs as soon as anything did that the triage page shows; a poll costs this one query."""
    with connection.cursor() as cursor:
        cursor.execute(_SIGNATURE, {"project": project.pk})
        return "-".join(str(part or 0) for part in cursor.fetchone())


def moved_by_others(project: Project, user: User, since: int) -> list[TicketMove]:
    """Moves that took a ticket to another state, newest last."""
    moves = TicketMove.objects.filter(ticket__project=project, pk__gt=since).exclude(by=user)
    return list(moves.exclude(before=F("after")).select_related("ticket", "by").order_by("pk")[:200])


def last_moved_by(project: Project, user: User) -> int | None:
    """The number of the ticket that this person moved last and can still take back."""
    recent = timezone.now() - timedelta(hours=12)
    newest = TicketMove.objects.filter(ticket=OuterRef("ticket")).order_by("-pk").values("pk")[:1]
    moves = TicketMove.objects.filter(ticket__project=project, by=user, at__gte=recent, pk=Subquery(newest))
    move = moves.exclude(before=F("after")).exclude(action="undo").select_related("ticket").order_by("-pk").first()
    return move.ticket.number if move else None


# --- queues and the picker ----------------------------------------------------------------------------


def queues(project: Project, user: User) -> QuerySet[SavedQueue]:
    return SavedQueue.objects.filter(Q(owner=user) | Q(owner=None), project=project).order_by("owner", "name", "pk")


def lookalikes(project: Project, ticket: Ticket | None, q: str) -> list[Ticket]:
    """Tickets that this one may be a duplicate of: by what is typed, or those most like it."""
    if not q.strip():
        return ticket_queries.similar(ticket, most=MOST_FOUND) if ticket else []
    found = ticket_queries.tickets(project, Filters(everything=True, q=q.strip()))
    others = found.exclude(state=Ticket.State.DUPLICATE).exclude(pk=ticket.pk if ticket else 0)
    return list(others.order_by("-reach", "number")[:MOST_FOUND])
