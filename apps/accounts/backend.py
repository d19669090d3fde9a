from allauth.account.auth_backends import AuthenticationBackend

from apps.accounts.models import User

_BY_ID = "SELECT * FROM accounts_user WHERE id = %s AND is_active"


class EmailBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    def get_user(self, user_id: int) -> User | None:
        """Raw, because every request passes here and building the query takes Django longer than running it."""
        return next(iter(User.objects.raw(_BY_ID, [user_id])), None)
