"""Whom the host product talks about: one-way names that differ from project to project."""

import hashlib
import hmac
from functools import lru_cache

from django.conf import settings

from apps.projects.models import Project

MOST_CHARACTERS = 200  # of the key that a host sends


def pseudonym(project: Project, key: str) -> str:
    """64 hex digits for one person of one project; "" for nobody.

    Without SECRET_KEY nobody can tell who it is, or whether two projects speak of the same person.
    """
    if not key:
        return ""
    return hmac.new(_salt(project.pk, settings.SECRET_KEY), key.encode(), hashlib.sha256).hexdigest()


@lru_cache(maxsize=1_024)
def _salt(project_id: int, secret: str) -> bytes:
    digest = hmac.new(secret.encode(), f"subject:{project_id}".encode(), hashlib.sha256)
    return digest.hexdigest()[:32].encode()
