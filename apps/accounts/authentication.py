"""`Authorization: Bearer mg_<prefix>_<secret>`: found by the SHA-256 of the whole token, which is all we keep of it."""

import hashlib
from datetime import timedelta
from functools import lru_cache

from django.db import connection
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from apps.accounts.models import ApiToken, User

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


@lru_cache(maxsize=1)
def _columns() -> tuple[list[str], list[str], str]:
    """Of the token and of its owner, whose keys on pages no request of a program needs; and the query for both."""
    token = [field.attname for field in ApiToken._meta.concrete_fields]
    user = [field.attname for field in User._meta.concrete_fields if field.name != "keymap"]
    named = [*(f"t.{name}" for name in token), *(f"u.{name}" for name in user)]
    joined = f"{ApiToken._meta.db_table} t JOIN {User._meta.db_table} u ON u.id = t.user_id"
    return token, user, f"SELECT {', '.join(named)} FROM {joined} WHERE t.digest = %s"  # noqa: S608 - names of ours


def _find(digest: str) -> ApiToken | None:
    # by hand: every request of a program passes here, and Django takes longer to build this query than it runs
    of_token, of_user, query = _columns()
    with connection.cursor() as cursor:
        cursor.execute(query, [digest])
        row = cursor.fetchone()
    if row is None:
        return None
    token = ApiToken.from_db(connection.alias, of_token, row[: len(of_token)])
    token.user = User.from_db(connection.alias, of_user, row[len(of_token) :])
    return token


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    stale = Q(last_used_at=None) | Q(last_used_at__lt=now - USED_AT_MOST_EVERY)
    if token.last_used_at is None or token.last_used_at < now - USED_AT_MOST_EVERY:
        ApiToken.objects.filter(stale, pk=token.pk).update(last_used_at=now)
