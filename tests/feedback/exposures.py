"""Answers as they were served and what people did with them, made by hand: by one, or by the thousand."""

import hashlib
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import numpy as np
from django.db import connection
from django.utils import timezone

from apps.annotation.models import Prediction
from apps.content.models import Item
from apps.feedback.models import Signal
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from apps.serving.models import Served
from tests.feedback.make import version

_n = count(1)


def serve(project: Project, by: ModelVersion, label: Label, **fields: Any) -> Served:
    text = fields.pop("words", f"text {next(_n)}")
    values = {"confidence": 0.75, "shown": label, "propensity": 1.0, "language": "en"} | fields
    digest = hashlib.sha256(text.encode()).digest()
    return Served.objects.create(project=project, version=by, label=label, text_hash=digest, **values)


def react(served: Served, *kinds: str, **fields: Any) -> None:
    """Behaviour as the intake stores it."""
    Signal.objects.bulk_create(signal_of(served, kind, **fields) for kind in kinds)


def signal_of(served: Served, kind: str, **fields: Any) -> Signal:
    drawn = served.shown_id is not None and served.shown_id != served.label_id
    values: dict[str, Any] = {
        "served": served,
        "version_id": served.version_id,
        "predicted_id": served.shown_id or served.label_id,
        "confidence": None if drawn else served.confidence,
        "language": served.language,
        "subject": served.subject,
        "state": "kept",
        "occurred_at": served.at,
        "value": {"ms": 2000} if kind == "dwell" else None,
    }
    return Signal(project_id=served.project_id, event=f"b{next(_n)}", kind=kind, **values | fields)


# three kinds of text by label: how sure the model is of each label, how often each is accepted, what v2 would say
SURE = np.array([[0.7, 0.2, 0.1], [0.5, 0.4, 0.1], [0.4, 0.3, 0.3]])
TAKEN = np.array([[0.8, 0.3, 0.1], [0.3, 0.8, 0.1], [0.3, 0.2, 0.7]])
OTHER = np.array([0, 1, 2])


def worth() -> float:
    """What v2 earns per answer."""
    return float(TAKEN[np.arange(3), OTHER].mean())


def simulate(project: Project, n: int, explore: float, *, seed: int = 4, at: datetime | None = None) -> None:
    """`n` answers of v1, whose likeliest label is always the first; v2 has predicted every text."""
    first, second = version(project, 1), version(project, 2)
    labels = list(project.labels.order_by("position"))
    rng, at = np.random.default_rng(seed), at or timezone.now() - timedelta(days=1)
    items, served, signals, predictions = [], [], [], []
    for place in range(n):
        kind = int(rng.integers(3))
        sure = SURE[kind]
        shown = int(rng.choice(3, p=sure)) if rng.random() < explore else 0
        digest = hashlib.sha256(f"text {place}".encode()).digest()
        items.append(
            Item(project=project, external_id=f"i{place}", text=f"text {place}", text_hash=digest, split="pool")
        )
        one = Served(
            project=project,
            version=first,
            external_id=f"i{place}",
            text_hash=digest,
            label=labels[0],
            confidence=sure[0],
            shown=labels[shown],
            propensity=explore * sure[shown] + (1 - explore) * (shown == 0),
            at=at,
        )
        served.append(one)
        signals.append(signal_of(one, "shown"))
        if rng.random() < TAKEN[kind, shown]:
            signals.append(signal_of(one, "accepted"))
        predictions.append((place, kind))
    made = Item.objects.bulk_create(items)
    Served.objects.bulk_create(served)
    Signal.objects.bulk_create(signals)
    Prediction.objects.bulk_create(
        Prediction(
            item=made[place],
            version=second,
            label=labels[OTHER[kind]],
            confidence=0.6,
            margin=0.3,
            probabilities=[0.6, 0.3, 0.1],
        )
        for place, kind in predictions
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum has done long before a log is this long: a blind plan takes seconds
