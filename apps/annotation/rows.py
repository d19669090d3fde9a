"""Hand-written SQL of the queue: run it, get rows. Every statement runs on Django's connection and transaction."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from django.db import IntegrityError, connection, transaction

T = TypeVar("T")
Row = tuple[Any, ...]

# what two requests of one person racing each other run into; the second try sees the first one's rows
RACES = ("annotation_key_once", "annotation_revision_once", "lease_once_per_person")


class Again(Exception):
    """Somebody was quicker; the same request tried once more finds a settled state."""


def rows(sql: str, values: Mapping[str, Any]) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


def one(sql: str, values: Mapping[str, Any]) -> Row | None:
    found = rows(sql, values)
    return found[0] if found else None


def _is_race(error: IntegrityError) -> bool:
    return any(name in str(error) for name in RACES)


def in_one_transaction(do: Callable[..., T]) -> Callable[..., T]:
    """One atomic block, tried again when a race of the same person with themselves undid it."""

    @wraps(do)
    def run(*args: Any, **kwargs: Any) -> T:
        for _ in range(4):
            try:
                with transaction.atomic():
                    return do(*args, **kwargs)
            except Again:
                continue
            except IntegrityError as error:
                if not _is_race(error):
                    raise
        with transaction.atomic():
            return do(*args, **kwargs)

    return run
