"""Predictions into PostgreSQL's binary COPY format, a whole chunk at a time and without a Python object per row."""

import json
from collections.abc import Sequence

import numpy as np
from django.db import connection
from numpy.typing import NDArray

from apps.learning.binary import HEADER, TRAILER
from workers.learning.types import SpanAnswer

COPY = (
    "COPY annotation_prediction (item_id, version_id, label_id, confidence, margin, probabilities) "
    "FROM STDIN WITH (FORMAT BINARY)"
)
COPY_VALUES = (
    "COPY annotation_prediction (item_id, version_id, label_id, confidence, margin, probabilities, value) FROM STDIN"
)
Probabilities = NDArray[np.float32]  # (n, k)


def _row(k: int) -> np.dtype[np.void]:
    """Every field is preceded by its length in bytes; a halfvec is its dimension, a zero and k half floats."""
    return np.dtype(
        [
            ("fields", ">i2"),
            *(part for name in ("item", "version", "label") for part in ((f"{name}_bytes", ">i4"), (name, ">i8"))),
            *(part for name in ("confidence", "margin") for part in ((f"{name}_bytes", ">i4"), (name, ">f8"))),
            ("vector_bytes", ">i4"),
            ("dimension", ">u2"),
            ("zero", ">u2"),
            ("probabilities", ">f2", (k,)),
        ]
    )


def encoded(
    items: NDArray[np.int64], version: int, label_ids: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> bytes:
    """(n,) item ids and (n, k) probabilities in the order of label_ids (k,)."""
    n, k = probabilities.shape
    rows = np.zeros(n, dtype=_row(k))
    # one class alone has no second: its margin is its probability
    top = np.sort(probabilities, axis=1)[:, -2:]
    rows["fields"] = 6
    for name in ("item", "version", "label", "confidence", "margin"):
        rows[f"{name}_bytes"] = 8
    rows["item"], rows["version"] = items, version
    rows["label"] = label_ids[probabilities.argmax(axis=1)]
    rows["confidence"] = top[:, -1]
    rows["margin"] = top[:, -1] - (top[:, 0] if k > 1 else 0)
    rows["vector_bytes"], rows["dimension"] = 4 + 2 * k, k
    rows["probabilities"] = probabilities
    return HEADER + rows.tobytes() + TRAILER


def store(
    items: NDArray[np.int64], version: int, label_ids: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.write(encoded(items, version, label_ids, probabilities))


def store_spans(items: Sequence[int], version: int, order: Sequence[int], answers: Sequence[SpanAnswer]) -> None:
    """What a span model said of each text; `order` gives the label ids."""
    with connection.cursor() as cursor, cursor.copy(COPY_VALUES) as copy:
        for item, answer in zip(items, answers, strict=True):
            spans = [
                {"start": span.start, "end": span.end, "label": order[span.label], "score": round(span.score, 4)}
                for span in answer.spans
            ]
            margin = max(0.0, min(1.0, answer.margin))
            value = json.dumps({"spans": spans, "tokens": answer.tokens})
            copy.write_row((item, version, None, answer.confidence, margin, None, value))


def store_labels(
    items: Sequence[int], version: int, order: Sequence[int], probabilities: Probabilities, thresholds: Sequence[float]
) -> None:
    """What a model of several labels said: all its probabilities, and the labels that reached their thresholds.

    The margin is how far the least decided label lies from its threshold, the confidence that of the likeliest label.
    """
    limits = np.asarray(thresholds or [0.5] * len(order), dtype=np.float32)
    said, nearest = probabilities >= limits, np.abs(probabilities - limits).min(axis=1)
    likeliest = probabilities.argmax(axis=1)
    with connection.cursor() as cursor, cursor.copy(COPY_VALUES) as copy:
        for row, item in enumerate(items):
            p = probabilities[row]
            labels = sorted(order[place] for place in np.flatnonzero(said[row]).tolist())
            vector = "[" + ",".join(f"{value:.4g}" for value in p) + "]"
            at = int(likeliest[row])
            copy.write_row(
                (item, version, order[at], float(p[at]), float(nearest[row]), vector, json.dumps({"labels": labels}))
            )
