"""Who is computing a project's vectors and how far they have come. Every write names the attempt it belongs to."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone
from psycopg import sql

from apps.content.models import Item
from apps.learning.models import Encoding
from apps.projects.models import Project

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

STALE = timedelta(seconds=60)  # without a heartbeat the worker is taken for dead; loading torch takes some of it
ASK_AGAIN = timedelta(seconds=30)  # the wake-up may have been lost, or the worker is busy training
AFTER_ERROR = timedelta(seconds=120)
SCAN = 200_000  # ids looked through at once, so that a heartbeat never waits long
STEADY = 0.7  # weight of the past in the rate


@dataclass(frozen=True, slots=True)
class Claim:
    project_id: int
    digest: str
    attempt: int
    through: int
    done: int
    rate: float | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next texts without a vector, each once; every item up to `through` is known or among them."""

    hashes: list[bytes]
    texts: list[str]
    through: int


def ask(project_id: int) -> bool:
    """Whether a worker should be woken now; true for one caller in half a minute."""
    now = timezone.now()
    row, _ = Encoding.objects.get_or_create(project_id=project_id)
    pause = AFTER_ERROR if row.error else ASK_AGAIN
    if row.heartbeat_at is not None and row.heartbeat_at > now - STALE:
        return False
    rested = Encoding.objects.filter(Q(asked_at=None) | Q(asked_at__lt=now - pause), project_id=project_id)
    return bool(rested.update(asked_at=now))


def claim(project: Project, digest: str, runtime: str = "", parity: str = "") -> Claim | None:
    """Take the row unless somebody is at it. A changed encoder starts again from the first item."""
    now = timezone.now()
    row, _ = Encoding.objects.get_or_create(project=project)
    free = Encoding.objects.filter(
        Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - STALE), project=project, attempt=row.attempt
    )
    same = row.encoder_digest == digest
    through = row.through_item if same else 0
    items = Item.objects.filter(project=project)
    done = items.filter(pk__lte=through).count() if through else 0
    rate = row.rate if same else None
    taken = free.update(
        attempt=F("attempt") + 1,
        heartbeat_at=now,
        encoder=project.encoder,
        asked_runtime=project.encoder_runtime,
        runtime=runtime,
        parity=parity,
        encoder_digest=digest,
        through_item=through,
        total=items.count(),
        done=done,
        rate=rate,
        error="",
    )
    return Claim(project.pk, digest, row.attempt + 1, through, done, rate) if taken else None


def arrivals(project_id: int) -> tuple[int, set[str]]:
    """(newest item, transactions that may still add older ones). Ids are given out before they can be seen:
    whoever holds the lock that every insert takes could be about to show a lower one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT max(id) FROM content_item WHERE project_id = %s), array("
            " SELECT virtualtransaction FROM pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock'"
            " AND relation = 'content_item'::regclass AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
            [project_id],
        )
        newest, writers = cursor.fetchone()
    return newest or 0, set(writers)


def next_chunk(held: Claim, newest: int, limit: int) -> Chunk:
    upper = min(newest, held.through + SCAN)
    with connection.cursor() as cursor:
        # LIMIT in the lateral part keeps this a walk along the items with one index step each
        cursor.execute(
            "SELECT i.id, i.text_hash, i.text FROM content_item i LEFT JOIN LATERAL ("
            " SELECT true AS there FROM content_vector v"
            " WHERE v.encoder_digest = %s AND v.text_hash = i.text_hash LIMIT 1) known ON true"
            " WHERE i.project_id = %s AND i.id > %s AND i.id <= %s AND known.there IS NULL"
            " ORDER BY i.id LIMIT %s",
            [held.digest, held.project_id, held.through, upper, limit],
        )
        rows: list[tuple[int, bytes, str]] = cursor.fetchall()
    texts = {bytes(text_hash): text for _, text_hash, text in rows}
    return Chunk(list(texts), list(texts.values()), rows[-1][0] if len(rows) == limit else upper)


def store(held: Claim, chunk: Chunk, vectors: "NDArray[np.floating[Any]] | None", seconds: float) -> Claim | None:
    """Keep the vectors and move the mark. None when another worker has taken over meanwhile."""
    passed = Item.objects.filter(project_id=held.project_id, pk__gt=held.through, pk__lte=chunk.through).count()
    rate = held.rate
    if vectors is not None and seconds > 0:
        rate = passed / seconds if rate is None else STEADY * rate + (1 - STEADY) * passed / seconds
    with transaction.atomic():
        moved = Encoding.objects.filter(project_id=held.project_id, attempt=held.attempt).update(
            through_item=chunk.through, done=held.done + passed, rate=rate, heartbeat_at=timezone.now()
        )
        if not moved:
            return None
        if vectors is not None:
            _copy_in(held.digest, chunk.hashes, vectors)
    return replace(held, through=chunk.through, done=held.done + passed, rate=rate)


def release(held: Claim, error: str = "") -> None:
    """Done for now. `error` is a sentence for the people who wait for the vectors."""
    Encoding.objects.filter(project_id=held.project_id, attempt=held.attempt).update(
        heartbeat_at=None, error=error, asked_at=timezone.now() if error else None
    )


def cannot_start(project: Project, error: str) -> None:
    """The encoder itself cannot be opened, so there is no digest to claim under."""
    Encoding.objects.update_or_create(project=project, defaults={"error": error, "asked_at": timezone.now()})


def _copy_in(digest: str, hashes: list[bytes], vectors: "NDArray[np.floating[Any]]") -> None:
    from apps.learning import binary

    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE IF NOT EXISTS staged_vector (text_hash bytea, vector halfvec) ON COMMIT DROP")
        with cursor.copy(sql.SQL("COPY staged_vector FROM STDIN (FORMAT binary)")) as copy:
            copy.write(binary.vector_rows(hashes, vectors))
        cursor.execute(
            "INSERT INTO content_vector (text_hash, encoder_digest, vector)"
            " SELECT text_hash, %s, vector FROM staged_vector ORDER BY text_hash ON CONFLICT DO NOTHING",
            [digest],
        )
        cursor.execute("DROP TABLE staged_vector")
