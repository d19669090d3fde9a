"""All points of a map and what is known about them as one binary answer for the canvas.

Four bytes hold the length of a JSON head in UTF-8, padded to a multiple of four; then come, little-endian and each for
all points: the item as a difference from the one before (uint32; the first from the head's `base`), x and y (uint16,
0 … 65535 for −1 … 1), the truth and the prediction (uint16) and the confidence (uint8; 1 … 255 for 0 … 1, 0 for none).
A truth or prediction is 0 for none, 1 for "none of them", 2 for several, and from 3 on a place in the head's `labels`.
"""

import gzip
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.explore import map_files, map_queries
from apps.explore.models import Projection
from apps.projects.models import Project
from apps.registry import queries as registry

FIRST_LABEL = 3
FULL = 65_535


def packed(project: Project, shown: Projection) -> bytes:
    ids, xy = map_files.read(shown.file)
    version = registry.live_version(project)
    said = map_queries.said(project, ids, version)
    labels = list(project.labels.order_by("position", "pk").values("id", "name", "color"))
    order = np.array([label["id"] for label in labels], dtype=np.int64)
    head = {
        "projection": shown.pk,
        "n": len(ids),
        "base": int(ids[0]) if len(ids) else 0,
        "labels": labels,
        "version": str(version) if version else "",
    }
    places = np.round((np.clip(xy, -1, 1).astype(np.float64) + 1) / 2 * FULL)
    parts: list[NDArray[Any]] = [
        np.diff(ids, prepend=ids[:1]).astype("<u4"),
        places[:, 0].astype("<u2"),
        places[:, 1].astype("<u2"),
        _codes(said.truth, order).astype("<u2"),
        _codes(said.predicted, order).astype("<u2"),
        said.confidence,
    ]
    return _head(head) + b"".join(part.tobytes() for part in parts)


def compressed(raw: bytes) -> bytes:
    return gzip.compress(raw, compresslevel=4, mtime=0)


def _codes(said: map_queries.Ids, order: map_queries.Ids) -> map_queries.Ids:
    """Places of label ids; of a label that is not there, nothing is known."""
    out = np.zeros(len(said), dtype=np.int64)
    out[said == map_queries.NOTHING] = 1
    out[said == map_queries.SEVERAL] = 2
    if len(order):
        ascending = np.argsort(order)
        at = np.minimum(np.searchsorted(order[ascending], said), len(order) - 1)
        known = order[ascending][at] == said
        out[known] = ascending[at[known]] + FIRST_LABEL
    return out


def _head(head: dict[str, Any]) -> bytes:
    told = json.dumps(head, ensure_ascii=False).encode()
    told += b" " * (-len(told) % 4)
    return len(told).to_bytes(4, "little") + told
