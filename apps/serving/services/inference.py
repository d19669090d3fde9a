"""The way to the inference process, whose troubles become sentences."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from django.utils.translation import gettext as _

from apps.registry.models import ModelVersion
from apps.serving.services.unavailable import Unavailable
from workers.serve import wire
from workers.serve.client import Busy, Client, Down, Refused
from workers.serve.wire import Name

T = TypeVar("T")


def client() -> Client:
    """Raises Down where there is no address."""
    return _client(_address(), settings.SECRET_KEY)


@lru_cache(maxsize=4)
def _client(url: str, secret: str) -> Client:
    return Client(url, wire.key(secret))


def _address() -> str:
    """The settings were read when this process began; a process tree that was started later left a note."""
    if settings.SERVE_URL:
        return str(settings.SERVE_URL)
    note = Path(settings.HOME) / "run" / "serve.url"
    return note.read_text().strip() if note.exists() else ""


def ask(question: Callable[[Client], T]) -> T:
    """Raises Unavailable (503) with a sentence."""
    try:
        return question(client())
    except Busy as error:
        sentence = _("The model is asked more than it can answer now. Try again in %(n)d s.") % {"n": error.retry_after}
        raise Unavailable(sentence, retry_after=error.retry_after) from error
    except Refused as error:
        raise Unavailable(_("The model cannot answer: %(why)s") % {"why": str(error)}, retry_after=30) from error
    except Down as error:
        raise Unavailable from error


def name_of(version: ModelVersion) -> Name:
    return (version.path, version.digest)
