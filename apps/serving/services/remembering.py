"""Served rows go in by COPY: one statement for a whole request, in a fraction of what building an INSERT takes."""

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from apps.serving.models import Served

_COLUMNS = (
    *("id", "project_id", "version_id", "external_id", "subject", "consent", "text", "text_hash", "language"),
    *("label_id", "confidence", "probabilities", "value", "shown_id", "propensity", "at"),
)
_COPY = f"COPY serving_served ({', '.join(_COLUMNS)}) FROM STDIN"


def remember(rows: Sequence[Served]) -> None:
    with connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        for row in rows:
            copy.write_row([_value(row, name) for name in _COLUMNS])
    for row in rows:
        row._state.adding, row._state.db = False, connection.alias


def _value(row: Served, name: str) -> Any:
    value = getattr(row, name)
    if name == "probabilities" and value is not None:
        return "[" + ",".join([f"{number:.5g}" for number in value]) + "]"
    return json.dumps(value) if name == "value" and value is not None else value
