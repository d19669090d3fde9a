"""A day of complaints: bank questions that a model got wrong, in the words of many people, grouped as the product does."""

import csv
import hashlib
import random
from datetime import timedelta
from pathlib import Path

from django.utils import timezone

from apps.feedback.models import Signal, Ticket
from apps.feedback.services import grouping
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion

BANK = Path(__file__).parents[2] / "apps/config/demo/banking77.csv"
COMMENTS = ("where is it??", "no", "this is not what I asked", "", "", "", "third time I ask", "")
DAY = 24 * 3600.0


def crowd(project: Project, n: int, *, data: Path = BANK, questions: int = 160, seed: int = 0) -> list[Ticket]:
    """`n` complaints about so many different questions, few of them asked by many, most by one or two."""
    rng = random.Random(seed)
    with data.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rng.shuffle(rows)
    labels = _labels(project, sorted({row["label"] for row in rows[:questions]}))
    version = _version(project, labels)
    asked = [(row["text"], labels[row["label"]], _wrong(rng, labels, row["label"])) for row in rows[:questions]]
    weights = [1 / (place + 1) ** 0.8 for place in range(questions)]
    chosen = rng.choices(asked, weights, k=n)
    Signal.objects.bulk_create(
        _signal(rng, project, version, place, text, wanted, predicted)
        for place, (text, wanted, predicted) in enumerate(chosen)
    )
    while grouping.group(project):
        pass
    return list(Ticket.objects.filter(project=project).order_by("-priority", "number"))


def _labels(project: Project, names: list[str]) -> dict[str, Label]:
    spelled = [name.replace("_", " ") for name in names]
    Label.objects.bulk_create(
        [
            Label(project=project, name=name, position=place, color=place % 12 + 1)
            for place, name in enumerate(spelled, start=project.labels.count() + 1)
        ],
        ignore_conflicts=True,
    )
    found = {label.name: label for label in project.labels.all()}
    return {name: found[words] for name, words in zip(names, spelled, strict=True)}


def _version(project: Project, labels: dict[str, Label]) -> ModelVersion:
    return ModelVersion.objects.create(
        project=project,
        number=1,
        kind=ModelVersion.Kind.HEAD,
        encoder=project.encoder,
        encoder_digest="e",
        label_order=[[label.pk, label.name] for label in labels.values()],
        snapshot_hash="s",
        seed=0,
        config={},
        path="none",
        digest="d",
    )


def _wrong(rng: random.Random, labels: dict[str, Label], right: str) -> Label:
    return labels[rng.choice([name for name in labels if name != right])]


def _signal(
    rng: random.Random,
    project: Project,
    version: ModelVersion,
    place: int,
    text: str,
    wanted: Label,
    predicted: Label,
) -> Signal:
    said = _as_typed(rng, text)
    at = timezone.now() - timedelta(seconds=rng.uniform(0, DAY))
    return Signal(
        project=project,
        event=f"crowd-{place}",
        kind=Signal.Kind.LABEL,
        polarity=-1,
        version=version,
        consent=True,
        text=said,
        text_hash=hashlib.sha256(said.encode()).digest(),
        predicted=predicted,
        wanted=wanted,
        confidence=round(rng.uniform(0.4, 0.95), 2),
        comment=rng.choice(COMMENTS),
        subject=f"person-{place}",
        language="en",
        source="widget",
        occurred_at=at,
        received_at=at,
    )


def _as_typed(rng: random.Random, text: str) -> str:
    """The same question as different hands type it."""
    return rng.choice([text, text, text.lower(), text.rstrip("?.!"), text.rstrip("?.!") + "??", f"{text} "]).strip()
