"""One map, from the vectors in the database to a file of points."""

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from numpy.typing import NDArray
from psycopg import sql

from apps.content.models import Item
from apps.explore import map_files, map_queries
from apps.explore.models import Projection
from apps.explore.services import projection
from apps.learning import binary
from workers.learning.projection import project
from workers.learning.regions import inside, regions
from workers.learning.types import LearningError

log = logging.getLogger(__name__)

MOST = 200_000  # points; of more texts a random part is drawn
PARTS = 1 << 20  # of the numbers that a hash falls into
BEAT = 10.0  # seconds
SAY = 1.0  # seconds between two reports of progress

_VECTORS = """
SELECT i.id, v.vector FROM content_item i
JOIN content_vector v ON v.encoder_digest = {digest} AND v.text_hash = i.text_hash
WHERE i.project_id = {project} AND i.archived_at IS NULL AND (hashint8extended(i.id, {seed}) & {mask}) < {below}
ORDER BY i.id
"""


def draw(pk: int) -> None:
    """Bring a queued map to its end."""
    held = projection.claim(pk)
    if held is None:
        return
    folder = Path(settings.HOME) / "cache" / "maps" / f"{held.pk}-{held.attempt}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _beating(held):
            _draw(held, folder)
    except projection.Superseded:
        pass
    except LearningError as error:
        projection.fail(held, str(error))
    except Exception as error:
        log.exception("map %s failed", held.pk)
        sentence = _("Something unexpected happened (%(kind)s). The worker's log has the details.")
        projection.fail(held, sentence % {"kind": type(error).__name__})
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _draw(held: Projection, folder: Path) -> None:
    started = time.monotonic()
    total = Item.objects.filter(project=held.project_id, archived_at=None).count()
    ids, rows = _gathered(held, folder / "rows.f16", total)
    truth = map_queries.truths(held.project, ids)
    found = project(rows, seed=held.project.seed, labels=np.where(truth > 0, truth, -1), report=_Teller(held))
    name = map_files.keep(ids, found.xy)
    written = projection.finish(
        held,
        file=name,
        n=len(ids),
        total=total if total > MOST else len(ids),
        quality=asdict(found.quality),
        regions=_regions(ids, found.xy, held.project.seed),
        seconds=time.monotonic() - started,
    )
    if not written:
        map_files.remove(name)


def _gathered(held: Projection, path: Path, total: int) -> tuple[NDArray[np.int64], NDArray[np.float16]]:
    """(n,) items ascending and their (n, d) vectors, which lie on the disk and not in memory."""
    below = PARTS if total <= MOST else int(PARTS * MOST / total)
    query = sql.SQL(_VECTORS).format(
        digest=held.encoder_digest, project=held.project_id, seed=held.project.seed, mask=PARTS - 1, below=below
    )
    ids: list[NDArray[np.int64]] = []
    dimension = 0
    with path.open("wb") as out, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '64MB'")
        for block_ids, block in binary.copy_vectors(connection, query):
            ids.append(block_ids)
            dimension = block.shape[1]
            out.write(block.tobytes())
    if not ids:
        raise LearningError(_("There are no vectors to draw a map of: wait until the first ones are computed."))
    every = np.concatenate(ids)
    return every, np.memmap(path, dtype=np.float16, mode="r", shape=(len(every), dimension))


def _regions(ids: NDArray[np.int64], xy: NDArray[np.float32], seed: int) -> list[dict[str, Any]]:
    """What the table beside the map lists, most points first."""
    found = [
        {
            "outline": region.outline,
            "typical": int(ids[region.typical]),
            "n": int(inside(xy, np.array(region.outline)).sum()),
        }
        for region in regions(xy, seed=seed)
    ]
    return sorted(found, key=lambda region: -int(str(region["n"])))


class _Teller:
    """Hears about progress often and writes it down once a second. Raises Superseded when the map was taken over."""

    def __init__(self, held: Projection) -> None:
        self.held, self.last = held, 0.0

    def __call__(self, share: float) -> None:
        if time.monotonic() - self.last < SAY:
            return
        self.last = time.monotonic()
        if not projection.report(self.held, share):
            raise projection.Superseded("")


@contextmanager
def _beating(held: Projection) -> Iterator[None]:
    """t-SNE says nothing for a minute: meanwhile a thread with a connection of its own keeps the row alive."""
    done = threading.Event()

    def beat() -> None:
        try:
            while not done.wait(BEAT):
                projection.report(held)
        finally:
            connection.close()

    thread = threading.Thread(target=beat, name=f"map-{held.pk}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
