"""Served answers and feedback of past hours, by the hundred."""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import numpy as np
from django.utils import timezone

from apps.feedback.models import Signal
from apps.projects.models import Label, Project
from apps.registry.models import Deployment, ModelVersion
from apps.serving.models import Served
from apps.trends.models import Bucket

NOW = timezone.now().replace(minute=0, second=0, microsecond=0)


def version(project: Project, number: int = 1, at: datetime | None = None) -> ModelVersion:
    made = ModelVersion.objects.create(
        project=project,
        number=number,
        kind="head",
        encoder=project.encoder,
        encoder_digest="e",
        label_order=[[label.pk, label.name] for label in project.labels.all()],
        snapshot_hash="s",
        seed=0,
        config={},
        path=f"v{number}",
        digest="d",
    )
    values = {"kind": "promote", "sequence": number, "at": at or NOW - timedelta(days=300)}
    Deployment.objects.create(project=project, version=made, **values)
    return made


def served(
    project: Project, of: ModelVersion, label: Label, at: datetime, n: int = 1, texts: Sequence[str] = ()
) -> list[Served]:
    rows = []
    for place in range(len(texts) or n):
        text = texts[place] if texts else ""
        rows.append(
            Served(
                project=project,
                version=of,
                label=label,
                shown=label,
                confidence=0.9,
                consent=bool(text),
                text=text,
                text_hash=hashlib.sha256(text.encode() or uuid4().bytes).digest(),
                at=at,
            )
        )
    return Served.objects.bulk_create(rows)


def signal(project: Project, at: datetime, polarity: int, n: int = 1, **fields: object) -> list[Signal]:
    rows = [
        Signal(project=project, event=uuid4().hex, kind="thumb", polarity=polarity, received_at=at, source="widget")
        for _ in range(n)
    ]
    for row in rows:
        for name, value in fields.items():
            setattr(row, name, value)
    return Signal.objects.bulk_create(rows)


def weeks(project: Project, usual: float, now: float, *, surge_hours: int, rate: int = 50, weeks: int = 3) -> None:
    """Hourly answers up to NOW: the first label with the usual share, then with another one, the second label else."""
    of = version(project)
    hit, other = project.labels.all()[:2]
    hours = weeks * 168
    rng = np.random.default_rng(0)
    shares = np.where(np.arange(hours) < hours - surge_hours, usual, now)
    rows = []
    for hour, (n, share) in enumerate(zip(rng.poisson(rate, hours), shares, strict=True)):
        at = NOW - timedelta(hours=hours - hour)
        k = int(rng.binomial(n, share))
        rows += [bucket(project, of, label, at, count) for label, count in ((hit, k), (other, int(n) - k)) if count]
    Bucket.objects.bulk_create(rows)


def bucket(project: Project, of: ModelVersion, label: Label, at: datetime, n: int) -> Bucket:
    """A count without its rows: as if they had been forgotten."""
    return Bucket(project=project, hour=at, measure="served", label=label, version=of, n=n)
