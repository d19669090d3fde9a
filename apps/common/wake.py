"""Wake-ups upward: a lower floor may tell the broker that something changed, without knowing who listens.

The message carries no state and may be lost: beat asks the same question every second. It only saves that second.
"""

import logging
import time

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = logging.getLogger(__name__)
_LEAST_GAP = 0.1  # seconds between two wake-ups of one kind and id from one process
_last: dict[tuple[str, int], float] = {}  # when the latest wake-up is delivered; may lie ahead


def wake_on_commit(task: str, pk: int) -> None:
    transaction.on_commit(lambda: _wake(task, pk), robust=True)


def _wake(task: str, pk: int) -> None:
    """At once after a pause; in a burst one more at the end of the gap, so that no change goes unannounced."""
    now = time.monotonic()
    last = _last.get((task, pk), -_LEAST_GAP)
    if last > now:
        return
    wait = max(0.0, last + _LEAST_GAP - now)
    _last[task, pk] = now + wait
    try:
        current_app.send_task(task, args=[pk], countdown=wait or None, retry=False)
    except (OSError, OperationalError) as error:
        # a broker that is down costs a second of delay, never the answer that was just saved
        log.warning("could not wake %s: %s", task, error)
