"""A token may do what its scopes name and its owner's role allows, whichever is less."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from apps.accounts.models import ApiToken, User

if TYPE_CHECKING:  # rest_framework.views loads the permissions named in the settings, this module among them
    from rest_framework.views import APIView

READING = frozenset({"GET", "HEAD", "OPTIONS"})


class HasScope(BasePermission):
    """Signed in, and, with a token, holding the scope that the view names for the method.

    A view says `scopes = {"POST": "annotate"}`. What it does not name needs `read` to read and `manage` to write.
    """

    message = ""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.user, User) or not request.user.is_active:
            return False
        token = request.auth
        if not isinstance(token, ApiToken):
            return True  # a browser session acts as the person
        needed = scope_for(view, request.method or "GET")
        self.message = _("This token lacks the scope “%(scope)s”.") % {"scope": needed}
        return needed in token.scopes or ApiToken.Scope.MANAGE in token.scopes


def scope_for(view: APIView, method: str) -> str:
    scopes: dict[str, str] = getattr(view, "scopes", {})
    standard = ApiToken.Scope.READ if method in READING else ApiToken.Scope.MANAGE
    return str(scopes.get(method, standard))
