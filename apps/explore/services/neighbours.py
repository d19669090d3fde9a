"""Texts that are near one another among the vectors: the nearest of one, and what that nearness is worth here."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.core.cache import cache
from django.db import connection, transaction
from numpy.typing import NDArray
from psycopg import sql

from apps.annotation.models import Resolution
from apps.content.models import Item
from apps.explore import map_queries
from apps.explore.services import indexes
from apps.learning import vectors
from apps.projects.models import Project

NEAREST = 24
MOST = 200
EF_SEARCH = 100  # candidates of HNSW's search; more find more of the true neighbours and take longer
SCANNED = 20_000  # vectors that a search may look at until enough of them pass the conditions
_BY_INDEX = (
    f"hnsw.ef_search = {EF_SEARCH}",
    # the index knows neither projects nor truths: the search goes on until enough of what it finds fits
    "hnsw.iterative_scan = strict_order",
    f"hnsw.max_scan_tuples = {SCANNED}",
    "enable_sort = off",  # the conditions tempt the planner to compare every vector after all
)
_ONE_BY_ONE = ("enable_indexscan = off",)  # hashes and bitmaps; an order that HNSW gave would be incomplete

_NEAREST = """
SELECT i.id, 1 - (v.vector::halfvec({dimension}) <=> {vector}) AS similarity
FROM content_vector v
JOIN content_item i ON i.text_hash = v.text_hash
WHERE v.encoder_digest = {digest} AND i.project_id = {project} AND i.split = 'pool' AND i.archived_at IS NULL
  AND i.id <> {item} AND {resolved} EXISTS (SELECT 1 FROM annotation_resolution r WHERE r.item_id = i.id)
ORDER BY v.vector::halfvec({dimension}) <=> {vector} LIMIT {limit}
"""


@dataclass(frozen=True, slots=True)
class Neighbour:
    item: Item
    similarity: float  # cosine
    truth: Resolution | None


def nearest(project: Project, item: Item, *, k: int = NEAREST, labelled: bool = False) -> list[Neighbour] | None:
    """The k nearest pool items of this project, most similar first: those without a truth, or only those with one.

    None while the item has no vector. Through the HNSW index where there is one; otherwise every vector is compared.
    """
    encoding = map_queries.encoding(project)
    if encoding is None:
        return None
    digest = encoding.encoder_digest
    _ids, rows = vectors.of_items([item.pk], digest)
    if not len(rows):
        return None
    found = _search(project, item, digest, rows[0], min(k, MOST), labelled=labelled)
    items = Item.objects.select_related("resolution__label").in_bulk([pk for pk, _similarity in found])
    return [
        Neighbour(items[pk], similarity, getattr(items[pk], "resolution", None))
        for pk, similarity in found
        if pk in items
    ]


def _search(
    project: Project, item: Item, digest: str, vector: NDArray[np.float32], k: int, *, labelled: bool
) -> list[tuple[int, float]]:
    told = "[" + ",".join(f"{float(x):.6g}" for x in vector) + "]"
    query = sql.SQL(_NEAREST).format(
        dimension=sql.Literal(len(vector)),
        vector=sql.SQL("{}::halfvec({})").format(told, len(vector)),
        digest=digest,
        project=project.pk,
        item=item.pk,
        resolved=sql.SQL("" if labelled else "NOT"),
        limit=k,
    )
    if indexes.is_there(digest, len(vector)):
        found = _rows(query, _BY_INDEX)
        if len(found) == k:
            return found
    # what fits the conditions is rare near here, or there is no index
    return _rows(query, _ONE_BY_ONE)


def _rows(query: sql.Composed, plan: Sequence[str]) -> list[tuple[int, float]]:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL {setting}" for setting in plan))
        cursor.execute(query)
        return [(int(pk), float(similarity)) for pk, similarity in cursor.fetchall()]


# --- what nearness is worth -------------------------------------------------------------------------------

MEASURED = 1_500  # labelled texts at most
EACH = 5  # nearest of each
EDGES = (0.9, 0.8, 0.7, 0.6, -1.0)  # cosine; lower ends of the bands
ENOUGH = 20  # pairs: fewer say nothing
KEEP = 60  # seconds

# not what was labelled on this very page: neighbours that got one label in one go agree by force
_LABELLED = """
SELECT r.item_id, coalesce(r.label_id::text, (r.value -> 'labels')::text) FROM annotation_resolution r
WHERE r.project_id = %(project)s AND r.split = 'pool' AND (r.label_id IS NOT NULL OR r.value ? 'labels')
  AND NOT EXISTS (SELECT 1 FROM annotation_change c WHERE c.project_id = r.project_id AND c.kind = 'similar'
                  AND c.created_at = r.changed_at)
ORDER BY hashint8extended(r.item_id, 0) LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Band:
    """Of labelled texts and labelled neighbours this similar: how many have the same label."""

    low: float
    high: float
    pairs: int
    same: int

    @property
    def share(self) -> float | None:
        return self.same / self.pairs if self.pairs >= ENOUGH else None


def worth(project: Project) -> list[Band]:
    """By similarity, highest first; empty before anything can be measured. A minute old at most."""
    key = f"similar-worth:{project.pk}"
    kept: list[Band] | None = cache.get(key)
    if kept is None:
        kept = _worth(project)
        cache.set(key, kept, KEEP)
    return kept


def _worth(project: Project) -> list[Band]:
    encoding = map_queries.encoding(project)
    if encoding is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_LABELLED, {"project": project.pk, "limit": MEASURED})
        truth = dict(cursor.fetchall())
    ids, rows = vectors.of_items(list(truth), encoding.encoder_digest)
    if len(ids) < ENOUGH:
        return []
    names = np.unique([truth[int(pk)] for pk in ids], return_inverse=True)[1]
    place, similarity = among(rows, min(EACH, len(ids) - 1))
    same = names[place] == names[:, None]
    bands, high = [], 1.0
    for low in EDGES:
        within = (similarity >= low) & ((similarity < high) | (high == 1.0))
        bands.append(Band(low, high, int(within.sum()), int(same[within].sum())))
        high = low
    return bands


def band_of(bands: Sequence[Band], similarity: float) -> Band | None:
    return next((band for band in bands if similarity >= band.low), None)


def among(rows: NDArray[np.float32], k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """For each of (n, d) unit rows its k nearest others and the cosines, nearest first."""
    cosine = rows @ rows.T
    np.fill_diagonal(cosine, -2)
    place = np.argsort(-cosine, axis=1, kind="stable")[:, :k]
    return place, np.take_along_axis(cosine, place, axis=1)
