"""What the page of similar texts shows."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.content.models import Item, Split
from apps.explore.services import neighbours, proposals
from apps.explore.services.neighbours import Band, Neighbour
from apps.projects.models import Label, Project

QUICK = 9  # labels with a digit
SURE = 0.95  # neighbours this likely to share the label are checked to begin with
WITNESSES = 12  # labelled neighbours that say which label comes first


@dataclass(frozen=True, slots=True)
class Row:
    item: Item
    similarity: float
    band: Band | None
    checked: bool


@dataclass(frozen=True, slots=True)
class Choice:
    label: Label
    key: str
    witnesses: int  # labelled neighbours with it


def page(project: Project, item: Item | None) -> dict[str, Any]:
    labels = list(project.labels.filter(archived_at=None))
    context: dict[str, Any] = {
        "project": project,
        "item": item,
        "labels": labels,
        "several": project.task_kind == Project.TaskKind.MULTI,
        "by_hand": project.task_kind in {Project.TaskKind.SPANS, Project.TaskKind.ENGAGEMENT},
    }
    if context["by_hand"]:
        return context
    if item is None:
        return context | {"proposals": proposals.proposals(project)}
    return context | (_around(project, item, labels) if item.split == Split.POOL else {"held_out": True})


def _around(project: Project, item: Item, labels: Sequence[Label]) -> dict[str, Any]:
    found = neighbours.nearest(project, item)
    if found is None:
        return {"no_vector": True}
    bands = neighbours.worth(project)
    witnesses = neighbours.nearest(project, item, k=WITNESSES, labelled=True) or []
    truth = getattr(Item.objects.select_related("resolution__label").get(pk=item.pk), "resolution", None)
    return {
        "truth": truth,
        "rows": [_row(each, bands) for each in found],
        "bands": [band for band in bands if band.pairs],
        "witnesses": witnesses,
        "choices": _choices(labels, witnesses, truth.label_id if truth else None),
    }


def _row(found: Neighbour, bands: Sequence[Band]) -> Row:
    band = neighbours.band_of(bands, found.similarity)
    sure = band is not None and band.share is not None and band.share >= SURE
    return Row(found.item, found.similarity, band, sure)


def _choices(labels: Sequence[Label], witnesses: Sequence[Neighbour], own: int | None) -> list[Choice]:
    """The item's own label first, then those of labelled neighbours, then the project's order."""
    counts = Counter(each.truth.label_id for each in witnesses if each.truth and each.truth.label_id)
    order = sorted(labels, key=lambda label: (label.pk != own, -counts[label.pk]))
    return [Choice(label, str(place), counts[label.pk]) for place, label in enumerate(order[:QUICK], start=1)]
