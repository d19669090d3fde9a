"""Hand-written SQL: run it, get rows. Every statement runs on Django's connection and transaction.

Django's own cursors merge values into the text, so the database plans every statement anew, and planning the long ones
takes it longer than running them. Here the values travel apart and the statements are prepared (settings:
prepare_threshold).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model
from psycopg import RawCursor

Row = tuple[Any, ...]
M = TypeVar("M", bound=Model)


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


def columns(model: type[Model], alias: str) -> str:
    """What a statement selects first for `made`."""
    return ", ".join(f'{alias}."{field.column}"' for field in model._meta.concrete_fields)


def made(model: type[M], row: Row) -> M:
    """The object of a row that begins with `columns`: what every request reads, at a third of what `raw()` costs."""
    names, readers = _readers(model)
    values = list(row[: len(names)])
    for place, field, read in readers:
        values[place] = read(values[place], field, connection)
    return model.from_db(connection.alias, names, values)


@cache
def _readers(model: type[Model]) -> tuple[list[str], list[tuple[int, Any, Callable[[Any, Any, Any], Any]]]]:
    fields: Sequence[Any] = model._meta.concrete_fields  # the types know no converters
    readers = [
        (place, field.cached_col, read)
        for place, field in enumerate(fields)
        for read in field.get_db_converters(connection)
    ]
    return [field.attname for field in fields], readers
