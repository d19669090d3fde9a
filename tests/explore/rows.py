"""What the explorer filters by, made by the dozen."""

from collections.abc import Mapping

from django.utils import timezone

from apps.annotation.models import Annotation, Resolution
from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from tests.explore.test_items import version_of

Surely = Mapping[Item, tuple[Label, float, float]]  # label, confidence, margin


def truth(item: Item, label: Label, *, how: str = "single", agreement: float | None = None) -> Resolution:
    made, _new = Resolution.objects.update_or_create(
        item=item,
        defaults={
            "project": item.project,
            "split": item.split,
            "label": label,
            "how": how,
            "agreement": agreement,
            "changed_at": timezone.now(),
        },
    )
    return made


def predicted(project: Project, number: int, said: Surely) -> ModelVersion:
    from apps.annotation.models import Prediction

    version = version_of(project, number, {})
    Prediction.objects.bulk_create(
        Prediction(
            item=item, version=version, label=label, confidence=confidence, margin=margin, probabilities=[0.9, 0.1]
        )
        for item, (label, confidence, margin) in said.items()
    )
    return version


def opinion(item: Item, annotator: object, label: Label | None = None, **more: object) -> Annotation:
    from uuid import uuid4

    given = {"project": item.project, "item": item, "annotator": annotator, "key": uuid4(), "label": label}
    return Annotation.objects.create(**given, **({"outcome": "scratch"} | more))
