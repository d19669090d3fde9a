"""Django's PostgreSQL backend, asking "are you still there?" only of connections that have been quiet.

Django asks before every request; on the hot path that is one round trip in nine. A connection that served a moment ago
is as good as checked: should the database restart just then, one request fails and its connection is made anew.
"""

import time

from django.db.backends.postgresql import base

QUIET = 5.0  # seconds


class DatabaseWrapper(base.DatabaseWrapper):
    last_seen = 0.0

    def close_if_health_check_failed(self) -> None:
        now = time.monotonic()
        quiet, self.last_seen = now - self.last_seen, now
        if quiet > QUIET:
            super().close_if_health_check_failed()
