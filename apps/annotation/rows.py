"""Hand-written SQL of the queue: run it, get rows. Every statement runs on Django's connection and transaction.

Django's own cursors merge values into the text, so the database plans every statement anew, and planning these takes it
longer than running them. Here the values travel apart and the statements are prepared (settings: prepare_threshold).
"""

import re
from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connection, transaction
from psycopg import RawCursor
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
T = TypeVar("T")
Row = tuple[Any, ...]

# what two requests of one person racing each other run into; the second try sees the first one's rows
RACES = ("annotation_key_once", "annotation_revision_once", "lease_once_per_person", "lease_item_once_per_person")
TRIES = 5


class Again(Exception):
    """Somebody was quicker; the same request tried once more finds a settled state."""


def rows(sql: str, values: Mapping[str, Any]) -> list[Row]:
    connection.validate_no_broken_transaction()
    connection.ensure_connection()
    text, names = _numbered(sql)
    with connection.wrap_database_errors, RawCursor(connection.connection) as cursor:
        return cursor.execute(text, [values[name] for name in names]).fetchall()  # type: ignore[arg-type]  # no literal


@cache
def _numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """%(name)s as $1, as the server wants it: psycopg looks for the names in a long statement at every call."""
    names: dict[str, int] = {}

    def number(found: re.Match[str]) -> str:
        name = found[1]
        return f"${names.setdefault(name, len(names) + 1)}" if name else "%"

    return re.sub(r"%(?:\((\w+)\)s|%)", number, sql), tuple(names)


def one(sql: str, values: Mapping[str, Any]) -> Row:
    """The row of a statement that always answers with one."""
    return rows(sql, values)[0]


def first(sql: str, values: Mapping[str, Any]) -> Row | None:
    found = rows(sql, values)
    return found[0] if found else None


def in_one_transaction(do: Callable[P, T]) -> Callable[P, T]:
    """One atomic block, tried again when a race undid it."""

    @wraps(do)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        for last in [False] * (TRIES - 1) + [True]:
            try:
                with transaction.atomic():
                    return do(*args, **kwargs)
            except (Again, IntegrityError, OperationalError) as error:
                if last or not _is_race(error):
                    raise
        raise AssertionError("unreachable")

    return run


def _is_race(error: Exception) -> bool:
    """Also two people at the very end of a queue, each waiting for the task that the other is just answering."""
    if isinstance(error, Again | IntegrityError):
        return isinstance(error, Again) or any(name in str(error) for name in RACES)
    return isinstance(error.__cause__, DeadlockDetected)
