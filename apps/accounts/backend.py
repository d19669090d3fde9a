from allauth.account.auth_backends import AuthenticationBackend

from apps.accounts.models import User
from apps.common.rows import columns, first, made

_BY_ID = f"SELECT {columns(User, 'u')} FROM accounts_user u WHERE id = %(id)s AND is_active"  # noqa: S608  # names of columns


class EmailBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    def get_user(self, user_id: int) -> User | None:
        """By hand, because every request passes here."""
        found = first(_BY_ID, {"id": user_id})
        return made(User, found) if found else None
