"""The pool's vectors on this machine's disk, copied out of PostgreSQL once and appended to ever after.

Only pool items are ever written here, so whoever scores or samples from it cannot meet a hold-out item.
"""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection, transaction
from numpy.typing import NDArray
from psycopg import sql

from apps.learning import binary

log = logging.getLogger(__name__)

PROBES = 16  # rows compared with the database when a process opens the files for the first time

_POOL = """
SELECT i.id, v.vector FROM content_item i
JOIN content_vector v ON v.encoder_digest = {digest} AND v.text_hash = i.text_hash
WHERE i.project_id = {project} AND i.split = 'pool' AND i.id > {after} AND i.id <= {through}
"""
_BY_ID = """
SELECT i.id, v.vector FROM content_item i
JOIN content_vector v ON v.encoder_digest = {digest} AND v.text_hash = i.text_hash
WHERE i.id = ANY({ids}::bigint[])
"""


class Damaged(Exception):
    """The files do not hold what they should; they are thrown away and written again."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Vectors of a project's pool items in the order of the file; `rows` is a memory map."""

    ids: NDArray[np.int64]  # (n,)
    rows: NDArray[np.float16]  # (n, d)
    through: int  # items up to this id have been looked at
    _order: NDArray[np.int64]  # rows by ascending id
    _sorted: NDArray[np.int64]  # ids ascending

    def __len__(self) -> int:
        return len(self.ids)

    def places(self, item_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Row of each item; -1 where it is not in the pool."""
        if not len(self.ids):
            return np.full(len(item_ids), -1, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._sorted, item_ids), len(self._sorted) - 1)
        return np.where(self._sorted[at] == item_ids, self._order[at], -1)


_open: dict[tuple[int, str], Pool] = {}  # of this process; the pages behind it are shared by all


def pool(project_id: int, digest: str, through: int) -> Pool:
    """The pool up to item `through`, brought up to date from the database first."""
    key = (project_id, digest)
    kept = _open.get(key)
    if kept is not None and kept.through >= through:
        return kept
    folder = _folder(project_id, digest)
    with _locked(folder):
        try:
            found = _refreshed(folder, project_id, digest, through, probe=kept is None)
        except (Damaged, OSError, ValueError) as error:
            log.warning("vectors of project %s are read again from the database: %s", project_id, error)
            _clear(folder)
            found = _refreshed(folder, project_id, digest, through, probe=False)
    if kept is None:
        _drop_others(folder, project_id)
    for other in [k for k in _open if k[0] == project_id and k != key]:
        del _open[other]
    _open[key] = found
    return found


def of_items(item_ids: Sequence[int], digest: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(ids, vectors) of those items that have one, straight from the database, ascending by id."""
    query = sql.SQL(_BY_ID).format(digest=digest, ids=sql.Literal([int(i) for i in item_ids]))
    blocks = list(binary.copy_vectors(connection, query)) if item_ids else []
    if not blocks:
        return np.empty(0, dtype=np.int64), np.empty((0, 0), dtype=np.float32)
    ids = np.concatenate([ids for ids, _ in blocks])
    order = np.argsort(ids)
    return ids[order], np.concatenate([rows for _, rows in blocks]).astype(np.float32)[order]


def forget(project_id: int) -> None:
    """Throw away what this machine keeps of a project."""
    for key in [k for k in _open if k[0] == project_id]:
        del _open[key]
    for folder in _root().glob(f"{project_id}-*"):
        shutil.rmtree(folder, ignore_errors=True)


def _root() -> Path:
    return Path(settings.HOME) / "cache" / "vectors"


def _folder(project_id: int, digest: str) -> Path:
    folder = _root() / f"{project_id}-{digest[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _drop_others(folder: Path, project_id: int) -> None:
    """Vectors of an encoder that is no longer used; the database still has them."""
    for other in _root().glob(f"{project_id}-*"):
        if other != folder:
            shutil.rmtree(other, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _clear(folder: Path) -> None:
    # unlinked, not truncated: another process may have the old files mapped
    for name in ("meta.json", "ids.i64", "rows.f16"):
        (folder / name).unlink(missing_ok=True)


def _refreshed(folder: Path, project_id: int, digest: str, through: int, *, probe: bool) -> Pool:
    meta = _meta(folder, digest)
    if probe and meta["rows"]:
        _check(_mapped(folder, meta), digest)
    if meta["through"] < through:
        meta = _append(folder, project_id, digest, meta, through)
    return _mapped(folder, meta)


def _meta(folder: Path, digest: str) -> dict[str, Any]:
    path = folder / "meta.json"
    if not path.exists():
        _clear(folder)
        return {"digest": digest, "rows": 0, "dimension": 0, "through": 0}
    meta: dict[str, Any] = json.loads(path.read_text())
    if meta.get("digest") != digest or not {"rows", "dimension", "through"} <= meta.keys():
        raise Damaged("they belong to another encoder")
    return meta


def _append(folder: Path, project_id: int, digest: str, meta: dict[str, Any], through: int) -> dict[str, Any]:
    query = sql.SQL(_POOL).format(digest=digest, project=project_id, after=meta["through"], through=through)
    rows, dimension = meta["rows"], meta["dimension"]
    with (
        _opened_at(folder / "ids.i64", rows * 8) as ids_file,
        _opened_at(folder / "rows.f16", rows * dimension * 2) as rows_file,
        transaction.atomic(),
    ):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL work_mem = '256MB'")
        for ids, block in binary.copy_vectors(connection, query):
            if dimension not in (0, block.shape[1]):
                raise Damaged("the length of the vectors has changed")
            dimension = block.shape[1]
            ids_file.write(ids.tobytes())
            rows_file.write(block.tobytes())
            rows += len(ids)
        for file in (ids_file, rows_file):
            file.flush()
            os.fsync(file.fileno())
    meta = {"digest": digest, "rows": rows, "dimension": dimension, "through": through}
    temporary = folder / "meta.json.new"
    temporary.write_text(json.dumps(meta))
    temporary.replace(folder / "meta.json")
    return meta


@contextmanager
def _opened_at(path: Path, size: int) -> Iterator[Any]:
    """For appending at `size`; what an interrupted writer left behind it is cut off."""
    with path.open("r+b" if path.exists() else "w+b") as file:
        if file.seek(0, os.SEEK_END) < size:
            raise Damaged(f"{path.name} is too short")
        file.truncate(size)
        file.seek(size)
        yield file


def _mapped(folder: Path, meta: dict[str, Any]) -> Pool:
    n, dimension = meta["rows"], meta["dimension"]
    if not n:
        empty = np.empty(0, dtype=np.int64)
        return Pool(empty, np.empty((0, dimension), dtype=np.float16), meta["through"], empty, empty)
    # numpy refuses to map past the end of a file with a ValueError, which is damage too
    ids = np.array(np.memmap(folder / "ids.i64", dtype="<i8", mode="r", shape=(n,)), dtype=np.int64)
    rows = np.memmap(folder / "rows.f16", dtype="<f2", mode="r", shape=(n, dimension))
    order = np.argsort(ids, kind="stable")
    ascending = ids[order]
    if ascending[0] <= 0 or (ascending[1:] == ascending[:-1]).any():
        raise Damaged("an item is in them twice")
    return Pool(ids, rows, meta["through"], order, ascending)


def _check(found: Pool, digest: str) -> None:
    """Compare a few rows, the newest among them, with the database. Items deleted since then are no damage."""
    n = len(found)
    some = np.unique(np.append(np.linspace(0, n - 1, min(PROBES, n), dtype=np.int64), n - 1))
    ids, stored = of_items([int(i) for i in found.ids[some]], digest)
    if not len(ids):  # not one of them is left: these are the files of another database
        raise Damaged("the database does not know them")
    if not np.array_equal(stored, np.asarray(found.rows[found.places(ids)], dtype=np.float32)):
        raise Damaged("they differ from the database")
