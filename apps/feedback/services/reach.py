"""How many people stand behind a ticket, and what that makes its priority. Always counted from the signals."""

from collections.abc import Sequence

from django.db import connection, transaction

from apps.feedback.models import Ticket
from apps.feedback.ticket_queries import standing
from apps.projects.models import Project

_WRITE = """
UPDATE feedback_ticket t SET reach = n.reach, priority = n.priority, first_signal_at = n.first, last_signal_at = n.last
FROM unnest(%(tickets)s::bigint[], %(reach)s::int[], %(priority)s::float8[], %(first)s::timestamptz[],
            %(last)s::timestamptz[]) AS n (id, reach, priority, first, last)
WHERE t.id = n.id AND (t.reach, t.priority, t.first_signal_at, t.last_signal_at)
                      IS DISTINCT FROM (n.reach, n.priority, n.first, n.last)
"""


@transaction.atomic
def refresh(project: Project, tickets: Sequence[int]) -> None:
    """Writes reach and priority of these tickets, and of those they are duplicates of, from their signals."""
    wanted = sorted(set(tickets) | set(_roots(tickets)))
    if not wanted:
        return
    rows = list(standing(wanted).values())
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "tickets": [row.ticket for row in rows],
                "reach": [row.people for row in rows],
                "priority": [row.priority for row in rows],
                "first": [row.first for row in rows],
                "last": [row.last for row in rows],
            },
        )


def _roots(tickets: Sequence[int]) -> set[int]:
    """What they are duplicates of, all the way up."""
    found: set[int] = set()
    below = set(tickets)
    while below:
        above = Ticket.objects.filter(pk__in=below, duplicate_of__isnull=False)
        below = set(above.values_list("duplicate_of_id", flat=True)) - found - {None}
        found |= below
    return found
