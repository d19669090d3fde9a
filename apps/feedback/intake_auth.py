"""An intake key opens the intake and no other door."""

import time

from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.authentication import BaseAuthentication

from apps.accounts.authentication import digest_of
from apps.common.errors import DomainError
from apps.feedback.models import IntakeKey
from apps.feedback.services import keys

KNOWN_FOR = 3.0  # seconds until a revoked key is refused by a process that has just used it
MOST_KNOWN = 1_000
_known: dict[str, tuple[float, IntakeKey]] = {}


class KeyRefused(DomainError):
    status = 401


class OriginRefused(DomainError):
    status = 403


def key_of(request: HttpRequest) -> IntakeKey:
    """The live key, with its project, that the request brings. Raises KeyRefused."""
    given = request.META.get("HTTP_X_MARGINALIA_KEY", "")
    if not given:
        scheme, _space, rest = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        given = rest if scheme.lower() == "bearer" else ""
    key = _live_key(given.strip())
    if key is None:
        raise KeyRefused(_("Send a feedback key that is in use: “Authorization: Bearer mk_pub_…”."))
    return key


def _live_key(given: str) -> IntakeKey | None:
    if not given.startswith(tuple(keys.BEGINS.values())) or len(given) > 200:
        return None
    digest, now = digest_of(given), time.monotonic()
    since, key = _known.get(digest, (0.0, None))
    if key is not None and now - since < KNOWN_FOR:
        return key
    live = IntakeKey.objects.filter(revoked_at=None, project__archived_at=None).select_related("project")
    key = live.filter(digest=digest).first()
    _known.pop(digest, None)
    if key is not None:
        if len(_known) >= MOST_KNOWN:
            _known.clear()
        _known[digest] = (now, key)
    return key


def forget_keys() -> None:
    """What this process remembers; it looks again at the next request."""
    _known.clear()


def refuse_foreign_origin(key: IntakeKey, request: HttpRequest) -> None:
    """Only browsers send an origin, and they cannot make one up. Our own pages need not be listed."""
    origin = request.META.get("HTTP_ORIGIN")
    if origin is None:
        return
    if key.kind == IntakeKey.Kind.SECRET:
        raise OriginRefused(_("A secret key does not belong into a web page: everybody could read it there."))
    if origin not in key.origins and origin != own_origin(request):
        raise OriginRefused(_("This key is not meant for %(origin)s. Add it under Feedback keys.") % {"origin": origin})


def own_origin(request: HttpRequest) -> str:
    return f"{request.scheme}://{request.get_host()}"


class IntakeKeyAuthentication(BaseAuthentication):
    """For the OpenAPI document; who asks is looked at by `key_of`."""


class IntakeKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the OpenAPI document names these keys. drf-spectacular finds it by its being loaded."""

    target_class = "apps.feedback.intake_auth.IntakeKeyAuthentication"
    name = "feedback_key"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "A feedback key of the project: mk_pub_… or mk_sec_…",
        }
