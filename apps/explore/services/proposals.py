"""Where many unlabelled texts lie close together: good places to label several at once."""

from dataclasses import dataclass

import numpy as np
from django.core.cache import cache
from django.db import connection

from apps.content.models import Item
from apps.explore import map_queries
from apps.explore.services.neighbours import among
from apps.learning import vectors
from apps.projects.models import Project

DRAWN = 1_200  # texts looked at; a random part
AROUND = 8  # nearest of each that say how dense it is
SHOWN = 9
APART = 0.75  # of the density: what is nearer to a proposal than this belongs to it
KEEP = 30  # seconds

# random places between the first and the last item, and the next item from each: quick at any size
_DRAWN = """
WITH ends AS (
    SELECT min(id) AS low, max(id) AS high FROM content_item WHERE project_id = %(project)s
), places AS (
    SELECT low + floor(random() * (high - low + 1))::bigint AS place FROM ends, generate_series(1, %(n)s)
)
SELECT DISTINCT i.id FROM places
JOIN LATERAL (SELECT id, split, archived_at FROM content_item
              WHERE project_id = %(project)s AND id >= place ORDER BY id LIMIT 1) i ON true
WHERE i.split = 'pool' AND i.archived_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM annotation_resolution r WHERE r.item_id = i.id)
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    item: Item
    like: list[Item]  # a few of those around it
    similarity: float  # mean cosine with those around it


def proposals(project: Project) -> list[Proposal]:
    """Densest first, each from another part of the content. Empty where nothing unlabelled has a vector."""
    key = f"similar-proposals:{project.pk}"
    chosen: list[tuple[int, list[int], float]] | None = cache.get(key)
    if chosen is None:
        chosen = _chosen(project)
        cache.set(key, chosen, KEEP)
    wanted = {pk for item, like, _similarity in chosen for pk in [item, *like]}
    items = Item.objects.filter(project=project, resolution=None, archived_at=None).in_bulk(wanted)
    return [
        Proposal(items[pk], [items[other] for other in like if other in items], similarity)
        for pk, like, similarity in chosen
        if pk in items
    ]


def _chosen(project: Project) -> list[tuple[int, list[int], float]]:
    encoding = map_queries.encoding(project)
    if encoding is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_DRAWN, {"project": project.pk, "n": 2 * DRAWN})
        drawn = [pk for (pk,) in cursor.fetchall()][:DRAWN]
    ids, rows = vectors.of_items(drawn, encoding.encoder_digest)
    if len(ids) <= AROUND:
        return []
    place, cosine = among(rows, AROUND)
    density = cosine.mean(axis=1)
    taken: list[int] = []
    for at in np.argsort(-density, kind="stable"):
        if all(rows[at] @ rows[other] < APART * density[other] for other in taken):
            taken.append(int(at))
        if len(taken) == SHOWN:
            break
    return [(int(ids[at]), [int(ids[other]) for other in place[at, :3]], float(density[at])) for at in taken]
