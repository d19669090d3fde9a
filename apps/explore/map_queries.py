"""Maps of a project, and what is known about the items on them."""

from dataclasses import dataclass

import numpy as np
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

from apps.content.models import Item
from apps.explore.models import Projection
from apps.learning import binary
from apps.learning.models import Encoding
from apps.projects.models import Project
from apps.registry.models import ModelVersion

State = Projection.State
Ids = NDArray[np.int64]

NOTHING, SEVERAL = -2, -1  # in place of a label: said to be none of them, or more than one

# one label of what was said, by task kind; `said` is a truth or a prediction
_SINGLE = "said.label_id"
_MULTI = (
    "CASE jsonb_array_length(said.value -> 'labels') WHEN 0 THEN -2"
    " WHEN 1 THEN (said.value -> 'labels' ->> 0)::bigint ELSE -1 END"
)
_SPANS = (
    "(SELECT CASE count(DISTINCT span ->> 'label') WHEN 0 THEN -2 WHEN 1 THEN min((span ->> 'label')::bigint)"
    " ELSE -1 END FROM jsonb_array_elements(said.value -> 'spans') span)"
)
_TRUTH = {Project.TaskKind.SINGLE: _SINGLE, Project.TaskKind.MULTI: _MULTI, Project.TaskKind.SPANS: _SPANS}
_PREDICTED = {Project.TaskKind.SINGLE: _SINGLE, Project.TaskKind.MULTI: _SINGLE, Project.TaskKind.SPANS: _SPANS}

_TRUTHS = """
SELECT item_id, label FROM (
    SELECT said.item_id, {label} AS label FROM annotation_resolution said WHERE said.project_id = {project}
) found WHERE label IS NOT NULL
"""
# a hold-out item is labelled blind: before it has its truth, no map may tell what a model thinks of it
_PREDICTIONS = """
SELECT item_id, label, sure FROM (
    SELECT said.item_id, {label} AS label, (1 + round(254 * least(greatest(said.confidence, 0), 1)))::bigint AS sure
    FROM annotation_prediction said JOIN content_item i ON i.id = said.item_id
    WHERE said.version_id = {version} AND (i.split = 'pool'
          OR EXISTS (SELECT 1 FROM annotation_resolution r WHERE r.item_id = i.id))
) found WHERE label IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Said:
    """Of every point: a label's id, NOTHING, SEVERAL, or 0 where nothing is known; and the confidence, 1 … 255 or 0."""

    truth: Ids
    predicted: Ids
    confidence: NDArray[np.uint8]


def newest(project: Project) -> Projection | None:
    """The map that is shown."""
    return Projection.objects.filter(project=project, state=State.SUCCEEDED).order_by("-pk").first()


def latest_try(project: Project) -> Projection | None:
    return Projection.objects.filter(project=project).order_by("-pk").first()


def encoding(project: Project) -> Encoding | None:
    """How the vectors stand; None before the first."""
    return Encoding.objects.filter(project=project).exclude(encoder_digest="").first()


def newest_item(project: Project) -> int:
    found = Item.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True).first()
    return found or 0


def truths(project: Project, ids: Ids) -> Ids:
    """(n,) of ascending ids: the label of each item's truth, 0 where it has none."""
    label = _TRUTH.get(Project.TaskKind(project.task_kind))
    if label is None:
        return np.zeros(len(ids), dtype=np.int64)
    query = sql.SQL(_TRUTHS).format(label=sql.SQL(label), project=project.pk)
    return _laid(ids, binary.copy_integers(connection, query, 2))[:, 0]


def said(project: Project, ids: Ids, version: ModelVersion | None) -> Said:
    kind = Project.TaskKind(project.task_kind)
    guesses = np.zeros((len(ids), 2), dtype=np.int64)
    if version is not None and kind in _PREDICTED:
        query = sql.SQL(_PREDICTIONS).format(label=sql.SQL(_PREDICTED[kind]), version=version.pk)
        guesses = _laid(ids, binary.copy_integers(connection, query, 3))
    return Said(truths(project, ids), guesses[:, 0], guesses[:, 1].astype(np.uint8))


def _laid(ids: Ids, table: Ids) -> Ids:
    """The columns after the first, put where their item stands among `ids`; 0 elsewhere."""
    out = np.zeros((len(ids), table.shape[1] - 1), dtype=np.int64)
    if len(ids) and len(table):
        at = np.minimum(np.searchsorted(ids, table[:, 0]), len(ids) - 1)
        here = ids[at] == table[:, 0]
        out[at[here]] = table[here, 1:]
    return out
