from django.db.models import QuerySet
from django.utils import timezone

from apps.accounts.models import ApiToken, User


def tokens_of(user: User) -> QuerySet[ApiToken]:
    """Those that still open something come first."""
    return user.tokens.order_by("-revoked_at", "-pk").filter(revoked_at=None)


def is_expired(token: ApiToken) -> bool:
    return token.expires_at is not None and token.expires_at <= timezone.now()
