"""One HNSW index (Malkov & Yashunin, IEEE TPAMI 42, 2020) for every encoder in use, over its own vectors alone.

All encoders' vectors lie in one column without a length. An index by expression gives it one, and its condition names
the encoder, so the indexes come and go with the encoders and no migration knows them.
"""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection
from psycopg import sql

from apps.content.models import Item
from apps.learning.models import Encoding

log = logging.getLogger(__name__)

LEAST = 2_000  # vectors; fewer are compared one by one in a few milliseconds
MOST_DIMENSIONS = 4_000  # pgvector's limit for halfvec
PREFIX = "vector_hnsw_"
BUSY = 0.5  # share of new texts beyond which an index would only slow their vectors down
LOCK = 7_260_184_411  # of all processes one may build
MEMORY = "256MB"


@dataclass(frozen=True, slots=True)
class Wanted:
    digest: str
    dimension: int

    @property
    def name(self) -> str:
        return f"{PREFIX}{re.sub('[^0-9a-z]', '', self.digest.lower())[:24]}_{self.dimension}"


def keep_up(*, concurrently: bool = True) -> None:
    """Make the indexes that are missing, drop those that nobody needs. Outside of a transaction."""
    with _alone() as mine:
        if not mine:
            return
        wanted = {each.name: each for each in _wanted()}
        there = _there()
        for name, valid in there.items():
            # an invalid one is what a build that was broken off has left behind
            if name not in wanted or not valid:
                _run(sql.SQL("DROP INDEX {how} IF EXISTS {name}"), name, concurrently)
        for name, each in wanted.items():
            if not there.get(name, False):
                log.info("indexing vectors: %s", name)
                _create(each, concurrently)


def is_there(digest: str, dimension: int) -> bool:
    return _there().get(Wanted(digest, dimension).name, False)


def dimension_of(digest: str) -> int:
    """0 where there is no vector."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT vector_dims(vector) FROM content_vector WHERE encoder_digest = %s LIMIT 1", [digest])
        found = cursor.fetchone()
    return int(found[0]) if found else 0


def _wanted() -> Iterator[Wanted]:
    seen = set()
    for vectors in Encoding.objects.filter(project__archived_at=None).exclude(encoder_digest=""):
        digest = vectors.encoder_digest
        if digest in seen or _count(digest, LEAST) < LEAST or _arriving(vectors):
            continue
        seen.add(digest)
        dimension = dimension_of(digest)
        if dimension <= MOST_DIMENSIONS:
            yield Wanted(digest, dimension)


def _arriving(vectors: Encoding) -> bool:
    """Whether so many texts wait that the index is better made afterwards."""
    waiting = Item.objects.filter(project=vectors.project_id, pk__gt=vectors.through_item)
    allowed = max(LEAST, int(BUSY * vectors.done))
    return waiting[: allowed + 1].count() > allowed


def _count(digest: str, most: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT 1 FROM content_vector WHERE encoder_digest = %s LIMIT %s) few", [digest, most]
        )
        return int(cursor.fetchone()[0])


def _there() -> dict[str, bool]:
    """Our indexes by name, and whether each is complete."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, i.indisvalid AND i.indisready FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " WHERE i.indrelid = 'content_vector'::regclass AND c.relname LIKE %s",
            [PREFIX + "%"],
        )
        return dict(cursor.fetchall())


def _create(each: Wanted, concurrently: bool) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET maintenance_work_mem = '{MEMORY}'")
        try:
            statement = sql.SQL(
                "CREATE INDEX {how} IF NOT EXISTS {name} ON content_vector"
                " USING hnsw ((vector::halfvec({dimension})) halfvec_cosine_ops) WHERE encoder_digest = {digest}"
            )
            _run(statement, each.name, concurrently, dimension=each.dimension, digest=each.digest)
        finally:
            cursor.execute("RESET maintenance_work_mem")


def _run(statement: sql.SQL, name: str, concurrently: bool, **values: str | int) -> None:
    how = sql.SQL("CONCURRENTLY" if concurrently else "")
    with connection.cursor() as cursor:
        cursor.execute(
            statement.format(
                how=how, name=sql.Identifier(name), **{key: sql.Literal(value) for key, value in values.items()}
            )
        )


@contextmanager
def _alone() -> Iterator[bool]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        mine = bool(cursor.fetchone()[0])
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
