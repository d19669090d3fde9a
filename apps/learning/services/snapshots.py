"""Freezing what a run learns from. The only source is the view of trainable truths, which has no hold-out rows."""

import hashlib
from collections.abc import Iterable, Sequence

from django.db import connection, transaction

from apps.learning.models import Snapshot, SnapshotRow
from apps.projects.models import Label, Project

COPY_ROWS = """
INSERT INTO learning_snapshotrow (snapshot_id, item_id, split, label_id)
SELECT %s, item_id, 'pool', label_id FROM learning_trainable WHERE project_id = %s AND label_id = ANY(%s)
"""


@transaction.atomic
def take(project: Project, labels: Sequence[Label]) -> Snapshot:
    """The current truths of these labels, frozen."""
    snapshot = Snapshot.objects.create(project=project, hash="", n_items=0)
    with connection.cursor() as cursor:
        cursor.execute(COPY_ROWS, [snapshot.pk, project.pk, [label.pk for label in labels]])
    rows = SnapshotRow.objects.filter(snapshot=snapshot).order_by("item_id")
    pairs = rows.values_list("item__text_hash", "label__name").iterator(chunk_size=10_000)
    snapshot.hash, snapshot.n_items = fingerprint((bytes(text), name) for text, name in pairs)
    snapshot.save(update_fields=["hash", "n_items"])
    return snapshot


def fingerprint(pairs: Iterable[tuple[bytes, str]]) -> tuple[str, int]:
    """SHA-256 over (text hash, length of the label name, label name) in item order, and how many there were.

    The length keeps "a" + "bc" apart from "ab" + "c".
    """
    digest, n = hashlib.sha256(), 0
    for text_hash, name in pairs:
        encoded = name.encode()
        digest.update(text_hash + len(encoded).to_bytes(4, "big") + encoded)
        n += 1
    return digest.hexdigest(), n
