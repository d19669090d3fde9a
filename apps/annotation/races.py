"""One request, tried again when another one was quicker."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, transaction
from psycopg.errors import DeadlockDetected

P = ParamSpec("P")
T = TypeVar("T")

# what two requests of one person racing each other run into; the second try sees the first one's rows
RACES = ("annotation_key_once", "annotation_revision_once", "lease_once_per_person", "lease_item_once_per_person")
TRIES = 5


class Again(Exception):
    """Somebody was quicker; the same request tried once more finds a settled state."""


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
