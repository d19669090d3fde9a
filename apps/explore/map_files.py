"""Where maps lie: below HOME/files/maps. A count, then the item of every point ascending, then the points."""

import os
import uuid
from functools import lru_cache
from pathlib import Path

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

MAGIC = b"MGMAP001"
Ids = NDArray[np.int64]
Plane = NDArray[np.float32]


def folder() -> Path:
    path = Path(settings.HOME) / "files" / "maps"
    path.mkdir(parents=True, exist_ok=True)
    return path


def keep(ids: Ids, xy: Plane) -> str:
    """Our name of the file, which is whole or not there."""
    name = f"{uuid.uuid4().hex}.map"
    path = folder() / name
    with path.with_suffix(".new").open("xb") as out:
        out.write(MAGIC + np.array([len(ids)], dtype="<i8").tobytes())
        out.write(ids.astype("<i8").tobytes() + xy.astype("<f4").tobytes())
        out.flush()
        os.fsync(out.fileno())
    path.with_suffix(".new").rename(path)
    return name


@lru_cache(maxsize=8)
def read(name: str) -> tuple[Ids, Plane]:
    """(n,) items and (n, 2) points. A file never changes, so that it can be kept."""
    raw = (folder() / Path(name).name).read_bytes()
    n = int(np.frombuffer(raw, "<i8", 1, len(MAGIC))[0])
    start = len(MAGIC) + 8
    if not raw.startswith(MAGIC) or len(raw) != start + 16 * n:
        raise OSError(f"{name} is no map")
    return np.frombuffer(raw, "<i8", n, start), np.frombuffer(raw, "<f4", 2 * n, start + 8 * n).reshape(n, 2)


def remove(name: str) -> None:
    if name:
        (folder() / Path(name).name).unlink(missing_ok=True)
