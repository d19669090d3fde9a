"""New signals find their place: counted, in a ticket, or set aside. Run by beat; safe to stop at any moment.

Signals are taken in slices in the order of their arrival, each slice in one transaction. One process works on a project
at a time (advisory lock), so what is in the book of tickets stays true while it works; what a crash undid is still new.
"""

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Max

from apps.common.rows import Row, rows
from apps.feedback.models import FeedbackPolicy, Signal, Ticket
from apps.feedback.services import consequences, reach, suspicion, wording
from apps.feedback.services.joining import Book, Complaint, Known, join
from apps.feedback.services.suspicion import Arrived
from apps.projects.models import Project

log = logging.getLogger(__name__)
SLICE = 5_000
_LOCK = 0x6E0B  # first half of the advisory lock's key; the second is the project
_KEPT = [str(kind) for kind in Signal.BEHAVIOUR]

_NEW = """
SELECT s.id, s.kind, s.polarity, s.served_id, s.item_id, s.predicted_id, s.wanted_id,
       coalesce(nullif(s.text, ''), i.text, '') AS text, coalesce(s.text_hash, i.text_hash) AS text_hash,
       s.comment, s.subject, s.address, coalesce(k.kind = 'secret', false) AS by_server, s.why_aside <> '' AS vouched,
       s.received_at, CASE WHEN s.predicted_id IS NULL THEN coalesce(v.value, p.value) END AS said
FROM feedback_signal s LEFT JOIN content_item i ON i.id = s.item_id LEFT JOIN feedback_intakekey k ON k.id = s.key_id
LEFT JOIN serving_served v ON v.id = s.served_id
LEFT JOIN annotation_prediction p ON p.item_id = s.item_id AND p.version_id = s.version_id
WHERE s.project_id = %(project)s AND s.state = 'new' ORDER BY s.id LIMIT %(slice)s
"""
_OF_SERVED = """
SELECT DISTINCT ON (s.served_id) s.served_id, s.ticket_id, t.wanted_id
FROM feedback_signal s JOIN feedback_ticket t ON t.id = s.ticket_id
WHERE s.served_id = ANY(%(served)s) ORDER BY s.served_id, s.id
"""
# a person's complaints of the days in question that count already; without a subject the address stands for them
_RAISED = """
SELECT DISTINCT CASE WHEN subject <> '' THEN subject ELSE '@' || address END AS person,
       (received_at AT TIME ZONE 'UTC')::date AS day, ticket_id
FROM feedback_signal
WHERE project_id = %(project)s AND counted AND received_at >= %(since)s AND received_at < %(until)s
  AND CASE WHEN subject <> '' THEN subject ELSE '@' || address END = ANY(%(people)s)
"""
_PLACE = """
UPDATE feedback_signal s
SET state = p.state, ticket_id = p.ticket, counted = p.counted,
    why_aside = CASE WHEN p.state = 'aside' THEN p.why ELSE s.why_aside END
FROM unnest(%(ids)s::bigint[], %(states)s::text[], %(tickets)s::bigint[], %(counted)s::bool[], %(whys)s::text[])
     AS p (id, state, ticket, counted, why)
WHERE s.id = p.id AND s.state = 'new'
"""

_ADOPT = """
UPDATE feedback_ticket t SET wanted_id = a.wanted FROM unnest(%s::bigint[], %s::bigint[]) AS a (id, wanted)
WHERE t.id = a.id AND t.wanted_id IS NULL
"""
BATCH = 250  # rows of one INSERT: psycopg reads long statements slowly


@dataclass(frozen=True, slots=True)
class New:
    id: int
    kind: str
    polarity: int
    served: UUID | None
    item: int | None
    predicted: int | None
    wanted: int | None
    text: str
    text_hash: bytes | None
    comment: str
    subject: str
    address: str
    by_server: bool
    vouched: bool
    at: datetime
    said: str | None  # JSON

    @property
    def person(self) -> str:
        return self.subject or f"@{self.address}"


@dataclass(slots=True)
class Place:
    state: str
    ticket: int | None = None
    counted: bool = False
    why: str = ""


def group(project: Project) -> int:
    """Says how many signals found their place; 0 when nothing is new or another process is at it."""
    with _alone(project) as mine:
        if not mine:
            return 0
        done, book = 0, Book()
        while placed := _slice(project, book):
            done += placed
        return done


@contextmanager
def _alone(project: Project) -> Iterator[bool]:
    """A lock of the connection: it goes with the process."""
    key = {"kind": _LOCK, "project": project.pk}
    (mine,) = rows("SELECT pg_try_advisory_lock(%(kind)s, %(project)s)", key)[0]
    try:
        yield bool(mine)
    finally:
        if mine:
            rows("SELECT pg_advisory_unlock(%(kind)s, %(project)s)", key)


def _slice(project: Project, book: Book) -> int:
    with transaction.atomic():
        found = rows(_NEW, {"project": project.pk, "slice": SLICE})
        arrived = [_new(row) for row in found]
        if not arrived:
            return 0
        places, tickets, opened = _places(project, book, arrived)
        _write(places)
        reach.refresh(project, tickets)
        consequences.of(project, tickets, opened)
        return len(arrived)


def _new(row: Row) -> New:
    digest = bytes(row[8]) if row[8] is not None else None
    return New(*(*row[:8], digest, *row[9:]))


def _places(project: Project, book: Book, arrived: Sequence[New]) -> tuple[dict[int, Place], list[int], list[Ticket]]:
    """Where each goes, the tickets that changed, and those among them that are new."""
    places = {new.id: Place(Signal.State.KEPT) for new in arrived}
    opinions = [new for new in arrived if new.kind not in _KEPT]
    for pk, why in suspicion.reasons(project, [_seen(new) for new in opinions]).items():
        places[pk] = Place(Signal.State.ASIDE, why=why)
    standing = [new for new in opinions if places[new.id].state != Signal.State.ASIDE and new.polarity <= 0]
    complaints = [_complaint(new) for new in standing if new.polarity < 0]
    book.load(project, {complaint.predicted for complaint in complaints})
    of_served = _of_served(book, [new.served for new in standing if new.served])
    joined = join(book, complaints, of_served)
    opened = _opened(project, joined)
    for new in standing:
        # words beside a thumb go where the thumb went; by themselves they are kept
        known = joined.get(new.id) or (of_served.get(new.served) if new.served else None)
        if known is not None:
            places[new.id] = Place(Signal.State.GROUPED, ticket=known.pk)
    _adopted(joined)
    _count(project, [new for new in standing if new.polarity < 0], places)
    return places, sorted({place.ticket for place in places.values() if place.ticket}), opened


def _seen(new: New) -> Arrived:
    return Arrived(new.id, new.at, new.subject, new.address, new.by_server, new.comment, new.vouched)


def _complaint(new: New) -> Complaint:
    return Complaint(
        id=new.id,
        served=new.served,
        item=new.item,
        predicted=new.predicted,
        wanted=new.wanted,
        text=new.text,
        text_hash=new.text_hash,
        comment=new.comment,
        at=new.at,
        said=json.loads(new.said) if isinstance(new.said, str) else new.said,
    )


def _of_served(book: Book, served: Sequence[UUID]) -> dict[UUID, Known]:
    if not served:
        return {}
    in_book = {known.pk: known for tickets in book.by_pair.values() for known in tickets if known.pk}
    found = rows(_OF_SERVED, {"served": list(served)})
    return {prediction: in_book.get(pk) or Known(pk, wanted) for prediction, pk, wanted in found}


def _opened(project: Project, joined: dict[int, Known]) -> list[Ticket]:
    """Rows for the tickets that this slice opens, numbered in the order in which their complaints came."""
    new = {id(known): known for known in joined.values() if known.pk is None and known.first is not None}
    fresh = sorted(new.values(), key=lambda known: known.first.id if known.first else 0)
    if not fresh:
        return []
    top: int = Ticket.objects.filter(project=project).aggregate(top=Max("number"))["top"] or 0
    made = Ticket.objects.bulk_create(
        [_ticket(project, top + n, known, known.first) for n, known in enumerate(fresh, start=1) if known.first],
        batch_size=BATCH,
    )
    for known, ticket in zip(fresh, made, strict=True):
        known.pk, known.adopted, known.first = ticket.pk, False, None
    return made


def _ticket(project: Project, number: int, known: Known, first: Complaint) -> Ticket:
    return Ticket(
        project=project,
        number=number,
        text=first.text,
        text_hash=first.text_hash,
        wording=wording.packed(known.row) if known.row is not None else None,
        predicted_id=first.predicted,
        wanted_id=known.wanted,
        said=first.said,
        item_id=first.item,
        first_signal_at=first.at,
        last_signal_at=first.at,
    )


def _adopted(joined: dict[int, Known]) -> None:
    took = [known for known in {id(known): known for known in joined.values()}.values() if known.adopted]
    with connection.cursor() as cursor:
        cursor.execute(_ADOPT, [[known.pk for known in took], [known.wanted for known in took]])
    for known in took:
        known.adopted = False


def _count(project: Project, complaints: Sequence[New], places: dict[int, Place]) -> None:
    """Within a day a person counts for at most as many tickets as the policy says; the rest is kept and not counted."""
    cap = FeedbackPolicy.objects.filter(project=project).values_list("person_cap", flat=True).first()
    cap = cap or FeedbackPolicy._meta.get_field("person_cap").default
    raised = _raised(project, complaints)
    for new in complaints:
        place = places[new.id]
        if place.state != Signal.State.GROUPED:
            continue
        about = raised[new.person, new.at.astimezone(UTC).date()]
        place.counted = place.ticket in about or len(about) < cap
        if place.counted:
            about.add(place.ticket)


def _raised(project: Project, complaints: Sequence[New]) -> dict[tuple[str, date], set[int | None]]:
    found: dict[tuple[str, date], set[int | None]] = defaultdict(set)
    if not complaints:
        return found
    days = [new.at.astimezone(UTC).date() for new in complaints]
    midnight = datetime.min.time()
    values = {
        "project": project.pk,
        "since": datetime.combine(min(days), midnight, UTC),
        "until": datetime.combine(max(days) + timedelta(days=1), midnight, UTC),
        "people": list({new.person for new in complaints}),
    }
    for person, day, ticket in rows(_RAISED, values):
        found[person, day].add(ticket)
    return found


def _write(places: dict[int, Place]) -> None:
    values: dict[str, Any] = {
        "ids": list(places),
        "states": [str(place.state) for place in places.values()],
        "tickets": [place.ticket for place in places.values()],
        "counted": [place.counted for place in places.values()],
        "whys": [place.why for place in places.values()],
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLACE, values)


def projects_with_news() -> list[int]:
    """Projects with signals that nobody has looked at."""
    found = rows(
        "SELECT p.id FROM projects_project p WHERE p.archived_at IS NULL AND EXISTS"
        " (SELECT 1 FROM feedback_signal s WHERE s.project_id = p.id AND s.state = 'new')",
        {},
    )
    return [row[0] for row in found]
