"""Freezing what a run learns from. The only source is the view of trainable truths, which has no hold-out rows."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.db import connection, transaction

from apps.learning.models import Snapshot, SnapshotRow
from apps.learning.services import weak
from apps.projects.models import Label, Project

_LABEL = """
INSERT INTO learning_snapshotrow (snapshot_id, item_id, split, label_id)
SELECT %(snapshot)s, item_id, 'pool', label_id FROM learning_trainable
WHERE project_id = %(project)s AND label_id = ANY(%(labels)s)
"""
# what other labels were given besides is left out of the truth: the model cannot answer with them
_LABELS = """
INSERT INTO learning_snapshotrow (snapshot_id, item_id, split, value)
SELECT %(snapshot)s, item_id, 'pool', jsonb_build_object('labels', coalesce(
    (SELECT jsonb_agg(said ORDER BY said) FROM jsonb_array_elements(value -> 'labels') said
     WHERE said::bigint = ANY(%(labels)s)), '[]'))
FROM learning_trainable WHERE project_id = %(project)s AND value -> 'labels' IS NOT NULL
"""
_SPANS = """
INSERT INTO learning_snapshotrow (snapshot_id, item_id, split, value)
SELECT %(snapshot)s, item_id, 'pool', jsonb_build_object('spans', coalesce(
    (SELECT jsonb_agg(span ORDER BY place)
     FROM jsonb_array_elements(value -> 'spans') WITH ORDINALITY said (span, place)
     WHERE (span ->> 'label')::bigint = ANY(%(labels)s)), '[]'))
FROM learning_trainable WHERE project_id = %(project)s AND value -> 'spans' IS NOT NULL
"""
_COUNTS = """
INSERT INTO learning_snapshotrow (snapshot_id, item_id, split, value)
SELECT %(snapshot)s, item_id, 'pool', value FROM learning_trainable
WHERE project_id = %(project)s AND (value ->> 'shown')::bigint > 0
"""
_COPY = {
    Project.TaskKind.SINGLE: _LABEL,
    Project.TaskKind.MULTI: _LABELS,
    Project.TaskKind.SPANS: _SPANS,
    Project.TaskKind.ENGAGEMENT: _COUNTS,
}


@transaction.atomic
def take(project: Project, labels: Sequence[Label], *, with_users: bool = False) -> Snapshot:
    """The current truths of these labels, frozen; `with_users` also what users said of other texts."""
    snapshot = Snapshot.objects.create(project=project, hash="", n_items=0)
    values: dict[str, Any] = {"snapshot": snapshot.pk, "project": project.pk, "labels": [label.pk for label in labels]}
    with connection.cursor() as cursor:
        cursor.execute(_COPY[Project.TaskKind(project.task_kind)], values)
    snapshot.hash, snapshot.n_items = fingerprint(_truths(snapshot, {label.pk: label.name for label in labels}))
    if with_users:
        weak.freeze(snapshot, labels)
    snapshot.save(update_fields=["hash", "n_items", "checks"])
    return snapshot


def _truths(snapshot: Snapshot, names: dict[int, str]) -> Iterator[tuple[bytes, str]]:
    """(text hash, truth as text) in item order; labels by name, so that the hash means the same anywhere."""
    rows = SnapshotRow.objects.filter(snapshot=snapshot).order_by("item_id")
    for text, label, value in rows.values_list("item__text_hash", "label_id", "value").iterator(chunk_size=10_000):
        yield bytes(text), names[label] if value is None else spelled(value, names)


def spelled(value: dict[str, Any], names: dict[int, str]) -> str:
    """The truth of another task kind in one fixed spelling."""
    if "shown" in value:
        return f"{value['clicked']}/{value['shown']}"
    if "labels" in value:
        return json.dumps(sorted(names[label] for label in value["labels"]))
    return json.dumps([[span["start"], span["end"], names[span["label"]]] for span in value["spans"]])


def fingerprint(pairs: Iterable[tuple[bytes, str]]) -> tuple[str, int]:
    """SHA-256 over (text hash, length of the truth, truth) in item order, and how many there were.

    The length keeps "a" + "bc" apart from "ab" + "c".
    """
    digest, n = hashlib.sha256(), 0
    for text_hash, truth in pairs:
        encoded = truth.encode()
        digest.update(text_hash + len(encoded).to_bytes(4, "big") + encoded)
        n += 1
    return digest.hexdigest(), n
