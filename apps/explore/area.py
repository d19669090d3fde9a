"""A part of a map as an address says it: "map;x,y;x,y;…"."""

import math

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from apps.common.errors import InvalidInput
from apps.explore import map_files
from apps.explore.models import Projection
from apps.projects.models import Project
from workers.learning.regions import inside

MOST_CORNERS = 200
LEAST_CORNERS = 3


def items_in(project: Project, area: str) -> list[int]:
    """Ids, ascending, of the items that the area of this project's map encloses. Raises InvalidInput in words."""
    number, outline = _read(area)
    found = Projection.objects.filter(project=project, pk=number, state=Projection.State.SUCCEEDED).first()
    gone = InvalidInput(
        _("This area belongs to a map that is not kept any more. Draw it again on the map."), field="area"
    )
    if found is None or not found.file:
        raise gone
    try:
        ids, xy = map_files.read(found.file)
    except OSError as error:
        raise gone from error
    return [int(item) for item in ids[inside(xy, outline)]]


def text(projection: int, outline: list[tuple[float, float]]) -> str:
    return ";".join([str(projection), *(f"{x:g},{y:g}" for x, y in outline)])


def _read(area: str) -> tuple[int, NDArray[np.float64]]:
    try:
        number, *corners = area.split(";")
        if not LEAST_CORNERS <= len(corners) <= MOST_CORNERS or not number.isascii() or len(number) > 18:
            raise ValueError
        outline = [[float(part) for part in corner.split(",")] for corner in corners]
        if any(len(corner) != 2 or not all(math.isfinite(part) for part in corner) for corner in outline):
            raise ValueError
        return int(number), np.array(outline)
    except ValueError as error:
        raise InvalidInput(_("This is not an area of a map. Draw it on the map."), field="area") from error
