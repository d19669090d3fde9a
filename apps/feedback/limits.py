"""How many events a key, an address and a project may send. All of a request is admitted, or none of it.

A window opens with its first event. Counters live in Redis or Valkey, changed by one script; where there is none, or
while it does not answer, they live in an unlogged table of the database. Changing over opens a new window.
"""

import ipaddress
import math
import random
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

import redis
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from redis.backoff import NoBackoff
from redis.retry import Retry

from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import IntakeKey

MINUTE, DAY = 60, 24 * 60 * 60
PROJECT_PER_DAY = 20_000_000  # whatever its keys say; about a hundred a second, all day and all night
PATIENCE = 0.25  # seconds for Redis or Valkey
TRIED_AGAIN_AFTER = 5.0
FORGOTTEN_EVERY = 1_000  # requests, between two sweeps of the table

_TAKE = """
local n = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  if tonumber(redis.call('GET', key) or '0') + n > tonumber(ARGV[2 * i]) then
    return redis.call('PTTL', key)
  end
end
for i, key in ipairs(KEYS) do
  if redis.call('INCRBY', key, n) == n then redis.call('EXPIRE', key, ARGV[2 * i + 1]) end
end
return -3
"""
_ADMITTED, _NO_WINDOW = -3, -2  # PTTL says −2 where there is no such key

_COUNT = """
INSERT INTO feedback_intake_count AS c (bucket, used, ends)
VALUES (%(bucket)s, %(n)s, clock_timestamp() + make_interval(secs => %(window)s))
ON CONFLICT (bucket) DO UPDATE SET
    used = CASE WHEN c.ends <= clock_timestamp() THEN 0 ELSE c.used END + %(n)s,
    ends = CASE WHEN c.ends <= clock_timestamp() THEN excluded.ends ELSE c.ends END
RETURNING used, extract(epoch FROM ends - clock_timestamp())
"""


class TooMany(DomainError):
    status = 429

    def __init__(self, retry_after: float) -> None:
        super().__init__(_("Too many events. Send the rest later."))
        self.retry_after = max(1, math.ceil(retry_after))  # seconds


@dataclass(frozen=True, slots=True)
class Limit:
    bucket: str
    most: int
    window: int  # seconds


def admit(key: IntakeKey, address: str, n: int) -> None:
    """Takes `n` places in every window, or raises TooMany and takes none. `address` is a pseudonym already."""
    limits = [
        Limit(f"intake:address:{key.pk}:{address}", key.per_minute, MINUTE),
        Limit(f"intake:key:{key.pk}", key.per_day, DAY),
        Limit(f"intake:project:{key.project_id}", PROJECT_PER_DAY, DAY),
    ]
    for limit in limits:
        if n > limit.most:
            raise InvalidInput(_("At most %(n)d events at once with this key.") % {"n": limit.most}, field="events")
    take(limits, n)


def take(limits: list[Limit], n: int = 1) -> None:
    """The same for windows of somebody else's making: TooMany, and none taken, where one of them is full."""
    wait = _take(limits, n)
    if wait is not None:
        raise TooMany(wait)


def _take(limits: list[Limit], n: int) -> float | None:
    """None, or the seconds until the full window ends."""
    if Health.wanted():
        try:
            return _take_in_redis(limits, n)
        except redis.RedisError:
            Health.down()
    return _take_in_database(limits, n)


class Health:
    """A server that does not answer is not asked again for a few seconds: nobody waits for it in between."""

    asked_again = 0.0

    @classmethod
    def wanted(cls) -> bool:
        return settings.BROKER_URL.startswith(("redis://", "rediss://")) and time.monotonic() >= cls.asked_again

    @classmethod
    def forget(cls) -> None:
        cls.asked_again = 0.0

    @classmethod
    def down(cls) -> None:
        cls.asked_again = time.monotonic() + TRIED_AGAIN_AFTER


def _take_in_redis(limits: list[Limit], n: int) -> float | None:
    arguments = [n, *(value for limit in limits for value in (limit.most, limit.window))]
    answer = int(_script(settings.BROKER_URL)(keys=[limit.bucket for limit in limits], args=arguments))
    if answer == _ADMITTED:
        return None
    return MINUTE if answer == _NO_WINDOW else answer / 1000


@cache
def _script(url: str) -> Any:
    retry = Retry(NoBackoff(), 1)  # a connection that went stale is made anew; more would be waiting
    client = redis.Redis.from_url(
        url, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE, retry=retry, max_connections=64
    )
    return client.register_script(_TAKE)


def _take_in_database(limits: list[Limit], n: int) -> float | None:
    wait = None
    with transaction.atomic(), connection.cursor() as cursor:
        for limit in sorted(limits, key=lambda one: one.bucket):  # one order, so that nobody waits in a circle
            cursor.execute(_COUNT, {"bucket": limit.bucket, "n": n, "window": limit.window})
            used, left = cursor.fetchone()
            if used > limit.most:
                wait = float(left)
        if random.randrange(FORGOTTEN_EVERY) == 0:  # noqa: S311 - when to sweep is no secret
            cursor.execute("DELETE FROM feedback_intake_count WHERE ends < now() - interval '1 day'")
        if wait is not None:
            transaction.set_rollback(True)
    return wait


def address_of(request: HttpRequest) -> str:
    """The client's network: an IPv4 address or an IPv6 /64. What a header claims counts only behind trusted proxies."""
    given = request.META.get("REMOTE_ADDR", "")
    proxies = settings.ALLAUTH_TRUSTED_PROXY_COUNT
    if proxies:
        # each proxy appends whom it saw; what stands further left was written by the client itself
        passed = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",") if part.strip()]
        given = passed[-proxies] if len(passed) >= proxies else given
    try:
        address = ipaddress.ip_address(given)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(address), 64), strict=False))
    return str(address)
