from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation

from apps.accounts.models import User


class PersonalLocaleMiddleware(LocaleMiddleware):
    """The language a person chose wins over what the browser asks for."""

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponseBase], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        # not in process_request: who is signed in is known only after AuthenticationMiddleware
        user = getattr(request, "user", None)
        if isinstance(user, User) or getattr(user, "is_authenticated", False):
            language = getattr(user, "language", "")
            if language and translation.check_for_language(language):
                translation.activate(language)
                request.LANGUAGE_CODE = translation.get_language()  # type: ignore[attr-defined]
