"""Projects whose items are labelled by what people click: how much of that there is."""

from dataclasses import dataclass

from apps.common.rows import rows
from apps.projects.models import Project

_TOTALS = """
SELECT count(*) FILTER (WHERE r.item_id IS NOT NULL), coalesce(sum((r.value ->> 'shown')::bigint), 0),
       coalesce(sum((r.value ->> 'clicked')::bigint), 0), count(*)
FROM content_item i LEFT JOIN annotation_resolution r ON r.item_id = i.id AND r.value -> 'shown' IS NOT NULL
WHERE i.project_id = %(project)s
"""


@dataclass(frozen=True, slots=True)
class Totals:
    counted: int  # items that were shown
    shown: int
    clicked: int
    items: int

    @property
    def rate(self) -> float | None:
        return self.clicked / self.shown if self.shown else None


def totals(project: Project) -> Totals:
    ((counted, shown, clicked, items),) = rows(_TOTALS, {"project": project.pk})
    return Totals(counted, int(shown), int(clicked), items)
