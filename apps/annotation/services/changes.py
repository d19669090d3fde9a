"""Acts on many truths at once, each with a name, a list of what was before, and a way back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from apps.accounts.models import User
from apps.annotation.models import Change
from apps.projects.models import Project


@contextmanager
def within(project: Project, by: User, kind: Change.Kind, what: dict[str, Any] | None = None) -> Iterator[Change]:
    """One transaction. Past truths of everything that changes inside carry this Change; set its `n` before the end."""
    with transaction.atomic():
        change = Change.objects.create(project=project, by=by, kind=kind, what=what or {})
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('marginalia.change', %s, true)", [str(change.pk)])
            yield change
            cursor.execute("SELECT set_config('marginalia.change', '', true)")
        change.save(update_fields=["n", "what"])
