"""What has to be done before a start, and is quick when there is nothing to do. Several machines may try at once."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.config import doctor

LOCK = 0x4D617267  # "Marg"


class Command(BaseCommand):
    help = "Migrate, make the cache table where one is used, and collect static files; only what is due."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        for finding in (*doctor.database(), *doctor.extensions()):
            if finding.wrong:
                raise CommandError(finding.text)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
            try:
                self.migrate()
            finally:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        self.collect_static()

    def migrate(self) -> None:
        executor = MigrationExecutor(connection)
        due = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if due:
            self.stdout.write(f"bringing the database up to date ({len(due)} migrations)")
            call_command("migrate", interactive=False, verbosity=0)
        if settings.CACHES["default"]["BACKEND"].endswith("DatabaseCache"):
            call_command("createcachetable", verbosity=0)

    def collect_static(self) -> None:
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        state = _static_state()
        if stamp.exists() and stamp.read_text() == state:
            return
        call_command("collectstatic", interactive=False, verbosity=0)
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(state)


def _static_state() -> str:
    """Changes whenever a static file of ours or of an installed app does."""
    seen = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list(["CVS", ".*", "*~"]):
            stat = Path(storage.path(name)).stat()
            seen.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return seen.hexdigest()
