"""Raw material of feedback: a version, answers it served, signals about them."""

import hashlib
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.utils import timezone

from apps.feedback.models import IntakeKey, Signal
from apps.feedback.services import intake, keys
from apps.projects.models import Label, Project
from apps.projects.subjects import pseudonym
from apps.registry.models import ModelVersion
from apps.serving.models import Served

TEXT = "Where is my card?"


def version(project: Project, number: int = 1) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project,
        number=number,
        kind=ModelVersion.Kind.HEAD,
        encoder=project.encoder,
        encoder_digest="e",
        label_order=[[label.pk, label.name] for label in project.labels.all()],
        snapshot_hash="s",
        seed=0,
        config={},
        path="none",
        digest="d",
    )


def served(
    project: Project,
    label: Label | None = None,
    *,
    text: str = TEXT,
    consent: bool = True,
    subject: str = "",
    **more: Any,
) -> Served:
    """One answer of version 1 (made when it is missing)."""
    label = label or project.labels.all()[0]
    live = ModelVersion.objects.filter(project=project, number=1).first() or version(project)
    fields = {"confidence": 0.62, "shown": label, "propensity": 1.0, "language": "en"} | more
    return Served.objects.create(
        project=project,
        version=live,
        label=label,
        consent=consent,
        text=text if consent else "",
        text_hash=hashlib.sha256(text.encode()).digest(),
        subject=pseudonym(project, subject),
        **fields,
    )


def thumb(of: Served, *, up: bool = False, **more: Any) -> dict[str, Any]:
    return {"id": str(uuid4()), "kind": "thumb", "prediction": str(of.pk), "up": up, **more}


def signal(project: Project, event: dict[str, Any]) -> Signal:
    """Through the door, as a client's event."""
    (receipt,) = intake.receive(None, project, [event])
    if receipt.refusal:
        raise receipt.refusal
    return Signal.objects.get(project=project, event=receipt.id)


def complaint(
    project: Project, predicted: Label, wanted: Label | None = None, *, text: str = TEXT, subject: str = "", **more: Any
) -> Signal:
    """Somebody says that `predicted` is wrong, and perhaps what would be right."""
    of = served(project, predicted, text=text)
    about = {"prediction": str(of.pk), "consent": True, "subject": subject} | more
    if wanted is None:
        return signal(project, {"kind": "thumb", "up": False} | about)
    return signal(project, {"kind": "label", "label": wanted.name} | about)


def aged(given: Signal, days: float) -> Signal:
    """The same signal, as if it had come in so many days ago."""
    at = timezone.now() - timedelta(days=days)
    Signal.objects.filter(pk=given.pk).update(occurred_at=at, received_at=at)
    given.refresh_from_db()
    return given


def key(project: Project, kind: IntakeKey.Kind = IntakeKey.Kind.PUBLISHABLE, **more: Any) -> tuple[IntakeKey, str]:
    """(row, the key itself)"""
    fields = {"name": "shop", "origins": [], "per_minute": 1_000, "per_day": 100_000} | more
    return keys.make(project, None, kind=kind, **fields)
