"""The map as a table: each part of it with its commonest labels and a way to its texts."""

from dataclasses import dataclass

import numpy as np

from apps.content.models import Item
from apps.explore import area, map_files, map_queries
from apps.explore.models import Projection
from apps.projects.models import Label, Project
from workers.learning.regions import inside

SHOWN = 3  # labels of a part


@dataclass(frozen=True, slots=True)
class Count:
    label: Label
    n: int


@dataclass(frozen=True, slots=True)
class Part:
    number: int
    typical: Item | None
    n: int
    labelled: int
    counts: list[Count]
    area: str


def parts(project: Project, shown: Projection) -> list[Part]:
    ids, xy = map_files.read(shown.file)
    truth = map_queries.truths(project, ids)
    labels = {label.pk: label for label in project.labels.all()}
    typical = Item.objects.filter(project=project).in_bulk([region["typical"] for region in shown.regions])
    found = []
    for number, region in enumerate(shown.regions, start=1):
        within = truth[inside(xy, np.array(region["outline"]))]
        known, counts = np.unique(within[within > 0], return_counts=True)
        common = [
            (labels[int(known[at])], int(counts[at])) for at in np.argsort(-counts)[:SHOWN] if int(known[at]) in labels
        ]
        found.append(
            Part(
                number=number,
                typical=typical.get(region["typical"]),
                n=len(within),
                labelled=int((within != 0).sum()),
                counts=[Count(label, n) for label, n in common],
                area=area.text(shown.pk, region["outline"]),
            )
        )
    return found
