"""Which encoder suits a project's texts. Torch-free: it reads a vocabulary, no model."""

import os
import socket

from django.core.cache import cache

from apps.content.models import Item
from apps.projects.models import Project
from workers.learning.encoders.choice import Recommendation, recommend

TEXTS = 300
HUB = ("huggingface.co", 443)
PATIENCE = 1.0  # seconds
REMEMBERED = 600  # seconds for which a closed network is not asked again


def for_project(project: Project) -> Recommendation:
    """By the language of the project and what its texts look like to the bundled encoder."""
    newest = Item.objects.filter(project=project).order_by("-pk").values_list("text", flat=True)
    return recommend(project.language, list(newest[:TEXTS]), reachable=lambda _name: hub_is_reachable())


def hub_is_reachable() -> bool:
    """Whether this machine may fetch a model at all; a closed network has none."""
    if os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        return False
    known: bool | None = cache.get("hub-reachable")
    if known is None:
        known = _answers()
        cache.set("hub-reachable", known, REMEMBERED)
    return known


def _answers() -> bool:
    try:
        socket.create_connection(HUB, timeout=PATIENCE).close()
    except OSError:
        return False
    return True
