"""Publishing a refitted head: the queue's top, the head and its point on the curve change together or not at all."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from apps.annotation import services as annotation
from apps.learning.models import CurvePoint, LiveHead, SamplingRound
from apps.projects.models import Project

LOCK = 0x4EAD  # first half of the advisory lock; the second is the project


@dataclass(frozen=True, slots=True)
class Sampled:
    """How the top of the queue was chosen."""

    strategy: str
    reasons: dict[str, int]
    pool: int  # items that could have been chosen
    seconds: float


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a refresh found out. `weights` is None while there is nothing to fit on."""

    revision: int
    encoder_digest: str
    weights: bytes | None
    label_order: list[int]
    n_labels: int
    fitted_through: datetime | None
    seen_through: int
    stability: dict[str, Any] | None = None  # a new record for stopping.py; None leaves the old one
    sampled: Sampled | None = None


@dataclass(frozen=True, slots=True)
class HoldoutScore:
    n: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    measure: str = "accuracy"


@contextmanager
def alone(project_id: int) -> Iterator[bool]:
    """True for one worker at a time; the lock ends with its connection, however that ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK, project_id])
        (mine,) = cursor.fetchone()
        try:
            yield mine
        finally:
            if mine:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK, project_id])


@transaction.atomic
def publish(
    project: Project, fitted: Fitted, choices: Sequence[annotation.TopChoice], score: HoldoutScore | None
) -> None:
    """Raises LiveHead.DoesNotExist when another worker has published in between; the next refresh sees its state."""
    LiveHead.objects.get_or_create(project=project)
    head = LiveHead.objects.select_for_update().get(project=project, revision=fitted.revision - 1)
    annotation.set_top(project, choices)
    # only what is new is written: the record of stability is large and seldom changes
    names = ["revision", "encoder_digest", "weights", "label_order", "n_labels", "fitted_through", "seen_through"]
    names += ["stability"] if fitted.stability is not None else []
    for name in names:
        setattr(head, name, getattr(fitted, name))
    head.fitted_at, head.timing = timezone.now(), {}
    head.save(update_fields=[*names, "fitted_at", "timing"])
    if fitted.sampled is not None:
        _note_round(project, fitted, fitted.sampled)
    if score is not None:
        CurvePoint.objects.create(
            project=project,
            revision=fitted.revision,
            n_labels=fitted.n_labels,
            n_holdout=score.n,
            accuracy=score.accuracy,
            low=score.low,
            high=score.high,
            macro_f1=score.macro_f1,
            measure=score.measure,
        )


def _note_round(project: Project, fitted: Fitted, sampled: Sampled) -> None:
    SamplingRound.objects.create(
        project=project,
        revision=fitted.revision,
        strategy=sampled.strategy,
        n=sum(sampled.reasons.values()),
        reasons=sampled.reasons,
        labels_so_far=fitted.n_labels,
        pool=sampled.pool,
        seconds=round(sampled.seconds, 4),
    )


def took(project: Project, revision: int, timing: dict[str, float]) -> None:
    """What the refresh cost, by step; the pause before the next one follows from it."""
    rounded = {step: round(seconds, 4) for step, seconds in timing.items()}
    LiveHead.objects.filter(project=project, revision=revision).update(
        seconds=sum(timing.values()), timing=rounded, fitted_at=timezone.now()
    )
