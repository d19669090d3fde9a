"""Intake keys: made, shown once, revoked. Only the SHA-256 stays."""

import re
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.authentication import digest_of
from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.feedback.models import IntakeKey
from apps.projects.models import Project

MOST_KEYS = 50
MOST_ORIGINS = 50
BEGINS = {IntakeKey.Kind.PUBLISHABLE: "mk_pub_", IntakeKey.Kind.SECRET: "mk_sec_"}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]")


@transaction.atomic
def make(
    project: Project,
    by: User | None,
    *,
    name: str,
    kind: IntakeKey.Kind,
    origins: Iterable[str] = (),
    per_minute: int,
    per_day: int,
    key: str = "",
) -> tuple[IntakeKey, str]:
    """The row and the whole key, which is never to be had again. `key` is given only where it must be known later."""
    Project.objects.select_for_update().get(pk=project.pk)
    if IntakeKey.objects.filter(project=project, revoked_at=None).count() >= MOST_KEYS:
        raise DomainError(_("This project has %(n)d keys. Revoke one that is not used any more.") % {"n": MOST_KEYS})
    allowed = list(dict.fromkeys(origin_of(origin) for origin in origins))
    if len(allowed) > MOST_ORIGINS:
        raise InvalidInput(_("A key may name %(n)d origins.") % {"n": MOST_ORIGINS}, field="origins")
    if kind == IntakeKey.Kind.SECRET and allowed:
        raise InvalidInput(_("A secret key stays between servers: it has no origins."), field="origins")
    key = key or f"{BEGINS[kind]}{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    row = IntakeKey.objects.create(
        project=project,
        name=name,
        kind=kind,
        prefix=key[:15],
        digest=digest_of(key),
        origins=allowed,
        per_minute=per_minute,
        per_day=per_day,
        by=by,
    )
    return row, key


@transaction.atomic
def revoke(project: Project, pk: int) -> bool:
    """False when it was revoked before or is not this project's."""
    live = IntakeKey.objects.filter(project=project, pk=pk, revoked_at=None)
    return bool(live.update(revoked_at=timezone.now()))


def origin_of(given: str) -> str:
    """As browsers write it: scheme, host, a port that is not the scheme's own. Raises InvalidInput."""
    refusal = InvalidInput(
        _("“%(origin)s” is no origin. Write it as https://shop.example.org, without a path.") % {"origin": given[:80]},
        field="origins",
    )
    try:
        parts = urlsplit(given.strip().lower())
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise refusal from None
    try:
        host = f"[{host}]" if ":" in host else host.encode("idna").decode() if not host.isascii() else host
    except UnicodeError:
        raise refusal from None
    beside = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in {"http", "https"} or beside or not _HOST.fullmatch(host):
        raise refusal
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in {None, usual} else "")
