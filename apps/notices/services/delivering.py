"""Sends what waits: at least once, in order for each thing, with growing pauses, and not for ever.

A claim is a lease: the attempt is counted and the next one scheduled before anything is sent, in a transaction of
its own, so that a worker that dies in between costs a second sending and nothing else.
"""

import json
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common import outbound
from apps.notices import signing
from apps.notices.models import Delivery, Webhook
from apps.notices.services.telling import tell
from apps.projects.models import Role

AT_ONCE = 16
ENOUGH = 10.0  # seconds after which other work has its turn
_LOCK = "notices.deliver"
LEASE = timedelta(seconds=60)  # longer than one attempt can take
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 6 * 3600.0  # seconds
MOST_ATTEMPTS = 15  # about two days
DISABLE_AFTER = timedelta(days=3)  # of nothing but failures

_CLAIM = """
UPDATE notices_delivery SET attempts = attempts + 1, tried_at = %(now)s, due_at = %(lease)s
WHERE id IN (
    SELECT d.id FROM notices_delivery d JOIN notices_webhook w ON w.id = d.webhook_id
    WHERE d.state = 'waiting' AND d.due_at <= %(now)s AND w.disabled_at IS NULL AND NOT EXISTS (
        SELECT FROM notices_delivery e
        WHERE e.webhook_id = d.webhook_id AND e.about = d.about AND e.state = 'waiting' AND e.id < d.id
    )
    ORDER BY d.due_at LIMIT %(most)s FOR UPDATE OF d SKIP LOCKED
)
RETURNING id
"""


@dataclass(frozen=True)
class Outcome:
    delivery: Delivery
    status: int | None
    error: str
    milliseconds: int | None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def deliver() -> int:
    """What is due; the number of attempts. Slow receivers hold one worker for a while, never two."""
    if not cache.add(_LOCK, 1, timeout=60):
        return 0
    try:
        return _rounds()
    finally:
        cache.delete(_LOCK)


def _rounds() -> int:
    done, enough = 0, time.monotonic() + ENOUGH
    while time.monotonic() < enough and (claimed := _claim()):
        with ThreadPoolExecutor(AT_ONCE) as threads:  # they only wait for others; rows are written here
            for outcome in threads.map(_send, claimed):
                _note(outcome)
        done += len(claimed)
    return done


def _claim() -> Sequence[Delivery]:
    now = timezone.now()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_CLAIM, {"now": now, "lease": now + LEASE, "most": AT_ONCE})
        claimed = [pk for (pk,) in cursor.fetchall()]
    return list(Delivery.objects.filter(pk__in=claimed).select_related("webhook__project").order_by("pk"))


def _send(delivery: Delivery) -> Outcome:
    webhook, uid = delivery.webhook, str(delivery.uid)
    told = {
        "id": uid,
        "type": delivery.event,
        "timestamp": delivery.created_at.isoformat(),
        "project": webhook.project.slug,
        "data": delivery.payload,
    }
    body = json.dumps(told, ensure_ascii=False).encode()
    try:
        sent = outbound.post(webhook.url, body, signing.headers(webhook, uid, int(timezone.now().timestamp()), body))
    except (outbound.Refused, outbound.Unreachable) as failure:
        return Outcome(delivery, None, str(failure)[:300], None)
    return Outcome(delivery, sent.status, _complaint(sent.status), sent.milliseconds)


def _complaint(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return _("It answered with a redirect, which is not followed. Enter the final address.")
    return _("It answered with an error.")


@transaction.atomic
def _note(outcome: Outcome) -> None:
    delivery = outcome.delivery
    values: dict[str, Any] = {"status": outcome.status, "error": outcome.error, "milliseconds": outcome.milliseconds}
    if outcome.taken:
        values["state"] = Delivery.State.DONE
    elif delivery.attempts >= MOST_ATTEMPTS:
        values["state"] = Delivery.State.GIVEN_UP
    else:
        values["due_at"] = timezone.now() + pause(delivery.attempts)
    # fenced by the attempt: what was given back and claimed anew meanwhile is another worker's to judge
    rows = Delivery.objects.filter(pk=delivery.pk, attempts=delivery.attempts, state=Delivery.State.WAITING)
    if rows.update(**values) and outcome.taken:
        Webhook.objects.filter(pk=delivery.webhook_id).exclude(failing_since=None).update(failing_since=None)
    elif not outcome.taken:
        _count_against(delivery.webhook)


def pause(attempts: int) -> timedelta:
    """Doubling, and somewhere between half and all of it, so that what failed together does not return together."""
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempts - 1))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311


def _count_against(webhook: Webhook) -> None:
    now = timezone.now()
    Webhook.objects.filter(pk=webhook.pk, failing_since=None).update(failing_since=now)
    why = _("Every delivery failed for three days.")
    switched_off = Webhook.objects.filter(
        pk=webhook.pk, disabled_at=None, failing_since__lt=now - DISABLE_AFTER
    ).update(disabled_at=now, disabled_why=why)
    if not switched_off:
        return
    administrators = User.objects.filter(
        memberships__project=webhook.project_id, memberships__role=Role.ADMINISTRATOR, is_active=True
    )
    tell(
        administrators,
        project=webhook.project,
        kind="webhook",
        title=lambda: _("The webhook to %(url)s is switched off") % {"url": webhook.url},
        body=lambda: _("Every delivery failed for three days. What waits is kept; switch it on when it answers again."),
        url=reverse("webhook", args=[webhook.project.slug, webhook.pk]),
        key=f"webhook-{webhook.pk}-off-{now:%Y%m%d%H%M}",
    )


@transaction.atomic
def forget() -> int:
    """Old deliveries go; what waits stays."""
    old = timezone.now() - timedelta(days=30)
    gone, _rows = Delivery.objects.filter(created_at__lt=old).exclude(state=Delivery.State.WAITING).delete()
    return gone
