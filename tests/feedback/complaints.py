"""Signals, tickets and versions made by hand."""

import hashlib
import itertools
from typing import Any

from django.utils import timezone

from apps.feedback.models import Signal, Ticket
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion

_events = itertools.count()


def label(project: Project, place: int = 0) -> Label:
    return list(project.labels.order_by("position"))[place]


def version(project: Project, number: int = 1) -> ModelVersion:
    found = ModelVersion.objects.filter(project=project, number=number).first()
    return found or ModelVersion.objects.create(
        project=project,
        number=number,
        kind=ModelVersion.Kind.HEAD,
        encoder=project.encoder,
        encoder_digest="e" * 64,
        label_order=[[found.pk, found.name] for found in project.labels.all()],
        snapshot_hash="s",
        seed=0,
        config={},
        path="none",
        digest="d",
    )


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def signal(project: Project, text: str = "", **given: Any) -> Signal:
    """A thumb down unless it says otherwise."""
    values: dict[str, Any] = {
        "event": f"event-{next(_events)}",
        "kind": Signal.Kind.THUMB,
        "polarity": -1,
        "consent": bool(text),
        "text": text,
        "text_hash": digest(text) if text else None,
        "subject": f"person-{next(_events)}",
        "source": "widget",
    }
    return Signal.objects.create(project=project, **values | given)


def ticket(project: Project, number: int = 1, text: str = "Where is my card?", **given: Any) -> Ticket:
    values: dict[str, Any] = {
        "text": text,
        "text_hash": digest(text) if text else None,
        "predicted": label(project, 0),
        "wanted": label(project, 1),
        "created_at": timezone.now(),
    }
    return Ticket.objects.create(project=project, number=number, **values | given)
