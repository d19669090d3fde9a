"""Decisions about a person's own account."""

import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language_from_request
from django.utils.translation import gettext as _

from apps.accounts.authentication import digest_of
from apps.accounts.keymap import ACTIONS, STANDARD, Action, reserved_for
from apps.accounts.models import ApiToken, User
from apps.common.errors import DomainError, InvalidInput

MOST_TOKENS = 50


def remember_browser_language(*, request: HttpRequest, user: User, **_signal: object) -> None:
    """Notices and mails are written while the browser is away."""
    asked = get_language_from_request(request)
    if asked != (user.browser_language or settings.LANGUAGE_CODE):
        User.objects.filter(pk=user.pk).update(browser_language=asked)


@transaction.atomic
def make_token(user: User, *, name: str, scopes: list[str], days: int | None) -> tuple[ApiToken, str]:
    """The row and the whole token; the token is never to be had again."""
    User.objects.select_for_update().get(pk=user.pk)
    if user.tokens.filter(revoked_at=None).count() >= MOST_TOKENS:
        raise DomainError(_("You have %(n)d tokens. Revoke one you do not use any more.") % {"n": MOST_TOKENS})
    prefix = secrets.token_hex(4)
    token = f"mg_{prefix}_{secrets.token_urlsafe(32)}"
    row = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=prefix,
        digest=digest_of(token),
        scopes=sorted(set(scopes)),
        expires_at=timezone.now() + timedelta(days=days) if days else None,
    )
    return row, token


@transaction.atomic
def revoke_token(user: User, pk: int) -> bool:
    """False when it was revoked before or is not this person's."""
    return bool(ApiToken.objects.filter(user=user, pk=pk, revoked_at=None).update(revoked_at=timezone.now()))


@transaction.atomic
def set_keymap(user: User, wanted: dict[str, str]) -> User:
    """One key per action; what a key does twice is refused in words."""
    given: dict[str, str] = {}
    for action in ACTIONS:
        key = wanted.get(action.name, action.key)
        key = key.lower() if len(key) == 1 else key
        _check_key(key, action)
        for other in ACTIONS:
            if given.get(other.name) == key and (other.place == action.place or not (other.place and action.place)):
                sentence = _("“%(key)s” would do two things: “%(one)s” and “%(two)s”. Give one of them another key.")
                values = {"key": key, "one": other.words, "two": action.words}
                raise InvalidInput(sentence % values, field=action.name)
        given[action.name] = key
    user.keymap = {name: key for name, key in given.items() if STANDARD[name] != key}
    user.save(update_fields=["keymap"])
    return user


def _check_key(key: str, action: Action) -> None:
    field = action.name
    if key in reserved_for(action):
        sentence = _("“%(key)s” is kept for labels and for moving about. Choose another key.")
        raise InvalidInput(sentence % {"key": key}, field=field)
    if key != "Enter" and (len(key) != 1 or not key.isprintable()):
        raise InvalidInput(_("Name one key: a letter, a sign, or Enter."), field=field)
