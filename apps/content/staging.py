"""The way of checked rows into the tables: COPY into a temporary table, then one merge. Always in a transaction."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson
from django.db import connection, transaction

from apps.content.checks import Candidate, Here, Reject, decide
from apps.content.models import ImportJob, Item, Split
from apps.projects.models import Label, Project

ARRIVALS = 0x4D41  # class of the advisory locks that put a project's arriving items in order
COLORS = 12

_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS content_staging (
    line bigint, external_id text, text text, text_hash bytea, split text, language text, subject text,
    thread text, url text, meta jsonb, label text, predicted text, score double precision, value jsonb
) ON COMMIT DELETE ROWS
"""
_COPY = """
COPY content_staging
    (line, external_id, text, text_hash, split, language, subject, thread, url, meta, label, predicted, score, value)
FROM STDIN
"""
_KNOWN_IDS = """
SELECT i.external_id, i.text_hash, i.source_id
FROM json_array_elements_text(%s::json) AS wanted (id)
JOIN content_item i ON i.project_id = %s AND i.external_id = wanted.id
"""
# the sum keeps the planner from walking the whole project for every text
_KNOWN_TEXTS = """
SELECT DISTINCT i.text_hash, i.split
FROM (SELECT decode(json_array_elements_text(%s::json), 'hex') AS text_hash) AS wanted
JOIN content_item i ON i.text_hash = wanted.text_hash AND i.project_id + 0 = %s
"""
_MERGE = """
WITH added AS (
    INSERT INTO content_item
        (project_id, external_id, text, text_hash, split, language, subject, thread, url, meta, source_id, created_at)
    SELECT %(project)s, external_id, text, text_hash, split, language, subject, thread, url, meta, %(job)s, now()
    FROM content_staging ORDER BY line
    ON CONFLICT (project_id, external_id) DO NOTHING
    RETURNING id, external_id
), given AS (
    INSERT INTO content_givenlabel (item_id, label, predicted, score, value)
    SELECT added.id, label, predicted, score, value
    FROM added JOIN content_staging USING (external_id)
    WHERE label <> '' OR predicted <> '' OR value IS NOT NULL
)
SELECT count(*) FROM added
"""


def refresh_statistics() -> None:
    """A table that has just begun to fill is planned for as if it were empty; the next chunk must know better."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE content_item (id, project_id, external_id, text_hash, split)")


@contextmanager
def arrivals(project: Project) -> Iterator[None]:
    """Items of one project become visible in the order of their ids: whoever adds some holds this lock to the
    end of the transaction, and readers may keep a watermark."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [ARRIVALS, project.pk])
        yield


def merge(
    project: Project, job: ImportJob | None, rows: Sequence[Candidate], share: float
) -> tuple[int, int, list[Reject]]:
    """Inside `arrivals`. Rows added, rows known, rows rejected."""
    with connection.cursor() as cursor:
        # a chunk touches a sliver of the tables; statistics of the moment must not tempt into reading them whole
        cursor.execute(
            "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL enable_seqscan = off"
        )
        here = _here(cursor, project, job, rows, share)
        cursor.execute("SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL enable_seqscan = on")
    decided = decide(rows, here)
    _make_labels(project, list(decided.labels))
    added = _insert(project, job, decided.new)
    known = decided.known + len(decided.new) - added
    return added, known, decided.rejected


def _here(cursor: Any, project: Project, job: ImportJob | None, rows: Sequence[Candidate], share: float) -> Here:
    # as JSON: PostgreSQL takes it apart far faster than psycopg writes an array
    ids = orjson.dumps(list({row.external_id for row in rows})).decode()
    cursor.execute(_KNOWN_IDS, [ids, project.pk])
    known_ids = {found: (bytes(digest), job is not None and source == job.pk) for found, digest, source in cursor}
    hashes = orjson.dumps([digest.hex() for digest in {row.text_hash for row in rows}]).decode()
    cursor.execute(_KNOWN_TEXTS, [hashes, project.pk])
    splits = {bytes(digest): split for digest, split in cursor}
    labels = {name: archived is None for name, archived in project.labels.values_list("name", "archived_at")}
    return Here(
        ids=known_ids,
        splits=splits,
        labels=labels,
        labels_closed=project.labels_closed,
        places_left=project.holdout_cap - held_out(project),
        share=share,
        seed=project.seed,
    )


def held_out(project: Project) -> int:
    return Item.objects.filter(project=project, split=Split.HOLDOUT).count()


def _make_labels(project: Project, names: Sequence[str]) -> None:
    if not names:
        return
    positions = list(project.labels.values_list("position", flat=True))
    place, count = max(positions, default=0), len(positions)
    Label.objects.bulk_create(
        [
            Label(project=project, name=name, position=place + nth + 1, color=(count + nth) % COLORS + 1)
            for nth, name in enumerate(names)
        ],
        ignore_conflicts=True,
    )


def _insert(project: Project, job: ImportJob | None, rows: Sequence[Candidate]) -> int:
    if not rows:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(
                    (
                        *(row.line, row.external_id, row.text, row.text_hash, row.split, row.language, row.subject),
                        *(row.thread, row.url, row.meta.decode(), row.label, row.predicted, row.score),
                        None if row.value is None else orjson.dumps(row.value).decode(),
                    )
                )
        # without statistics a nested loop over two chunks looks harmless, and is not
        cursor.execute("SET LOCAL enable_nestloop = off")
        cursor.execute(_MERGE, {"project": project.pk, "job": job.pk if job else None})
        added = int(cursor.fetchone()[0])
        cursor.execute("SET LOCAL enable_nestloop = on")
        cursor.execute("TRUNCATE content_staging")  # for a second merge in the same transaction
    return added


def write_rejected(job: ImportJob, rejects: Iterable[Reject]) -> None:
    rows = list(rejects)
    if not rows:
        return
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY content_rejectedrow (job_id, line, reason, excerpt) FROM STDIN") as copy,
    ):
        for row in rows:
            copy.write_row((job.pk, row.line, row.reason, row.excerpt))
