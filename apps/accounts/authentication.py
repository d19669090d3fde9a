"""`Authorization: Bearer mg_<prefix>_<secret>`: found by the SHA-256 of the whole token, which is all we keep of it."""

import hashlib
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts.models import ApiToken, User
from apps.common.rows import columns, first, made

SCHEME = "Bearer"
USED_AT_MOST_EVERY = timedelta(minutes=1)  # last_used_at is for people; a write per request would be for nobody


def digest_of(token: str) -> str:
    # 256 random bits need no slow hash: there is nothing to guess
    return hashlib.sha256(token.encode()).hexdigest()


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _space, given = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        token = _find(digest_of(given.strip()))
        now = timezone.now()
        if token is None or token.revoked_at or (token.expires_at and token.expires_at <= now):
            raise AuthenticationFailed(_("This token is unknown, revoked or expired. Make a new one under API tokens."))
        if not token.user.is_active:
            raise AuthenticationFailed(_("The account of this token is switched off."))
        _note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


_BY_DIGEST = f"""
SELECT {columns(ApiToken, "t")}, {columns(User, "u")}
FROM accounts_apitoken t JOIN accounts_user u ON u.id = t.user_id WHERE t.digest = %(digest)s
"""  # noqa: S608  # names of columns


def _find(digest: str) -> ApiToken | None:
    """By hand, because every request of a program passes here."""
    found = first(_BY_DIGEST, {"digest": digest})
    if found is None:
        return None
    token = made(ApiToken, found)
    token.user = made(User, found[len(ApiToken._meta.concrete_fields) :])
    return token


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_AT_MOST_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USED_AT_MOST_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
