"""One look over the pool's truths: which of them does a model doubt that never saw them?

One label and several: heads fitted on the cached vectors, each text answered by a head of the other folds. Spans: what
the newest version said of a text that its own training did not hold. Hold-out items are never looked at.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import regex
from django.db import connection
from django.utils.translation import gettext_noop
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from apps.annotation.models import Resolution
from apps.annotation.services import values
from apps.content.models import Item
from apps.learning import lessons, vectors
from apps.learning.models import Encoding
from apps.projects.models import Label, Project
from workers.learning import quality
from workers.learning.heads.crossfit import out_of_fold_probabilities
from workers.learning.types import LabelIssues, LearningError

MOST = 20_000  # truths of one look; of more a random part is taken
FEWEST = 50  # truths below which a model knows too little to doubt anybody
LISTED = 2_000
# of the heads, on purpose less than a suggestion needs: one that can fit every error cannot doubt any of them
STIFFNESS = 3.0
NOTHING: dict[str, Any] = {"spans": []}
TOKEN = regex.compile(r"[\p{Han}]|[\p{L}\p{N}\p{M}]+|\S")


@dataclass(frozen=True, slots=True)
class Doubt:
    item: int
    score: float  # 0 is surely wrong
    label: int | None = None
    value: dict[str, Any] | None = None
    suggested: int | None = None
    suggested_value: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    looked_at: int
    doubts: list[Doubt]  # most doubtful first


def search(project: Project) -> Found:
    """Raises LearningError with a sentence where there is not enough to look with. The same labels, the same list."""
    rng = np.random.default_rng(project.seed)
    with threadpool_limits(1, user_api="blas"):
        match project.task_kind:
            case Project.TaskKind.SINGLE | Project.TaskKind.MULTI:
                return _by_head(project, rng)
            case Project.TaskKind.SPANS:
                return _by_version(project, rng)
    raise LearningError(gettext_noop("Behaviour labels these items; there is nobody's label to doubt."))


def _by_head(project: Project, rng: np.random.Generator) -> Found:
    labels = Label.objects.filter(project=project, archived_at=None).order_by("pk")
    order = list(labels.values_list("pk", flat=True))
    items, said, x = _examples(project, order, rng)
    p = out_of_fold_probabilities(x, said, n_classes=len(order), c=STIFFNESS, rng=rng)
    if said.ndim == 1:
        issues = quality.find_label_errors(said, p)
        differs = issues.suggested != said
    else:
        issues = quality.find_multilabel_errors(said, p)
        differs = ((p > 0.5) != said).any(axis=1)
    rows = _open_to_doubt(items, issues, differs)
    doubts = [
        _of_label(int(items[row]), float(issues.score[row]), int(said[row]), int(issues.suggested[row]), order)
        if said.ndim == 1
        else _of_labels(int(items[row]), float(issues.score[row]), said[row], int(issues.suggested[row]), order)
        for row in rows
    ]
    return Found(len(items), doubts)


def _examples(
    project: Project, order: Sequence[int], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[Any], NDArray[np.float32]]:
    """Ids, truths and vectors of the pool's labelled texts."""
    encoding = Encoding.objects.filter(project=project).first()
    if encoding is None or not encoding.encoder_digest:
        raise LearningError(gettext_noop("The texts have no vectors yet. Look again when they are computed."))
    truths = lessons.read(project, order)
    if truths.said.ndim == 1:
        truths = truths.at(truths.said >= 0)
    if len(truths) > MOST:
        truths = truths.at(np.sort(rng.choice(len(truths), MOST, replace=False)))
    ids, x = vectors.of_items(truths.items.tolist(), encoding.encoder_digest)
    truths = truths.at(np.isin(truths.items, ids))
    ascending = np.argsort(truths.items)
    if len(ids) < FEWEST:
        raise LearningError(
            gettext_noop("With fewer than 50 labels a model cannot doubt any of them. Label more first.")
        )
    if not lessons.teachable(truths.said):
        raise LearningError(gettext_noop("All labels are the same, so none can be told from another."))
    return ids, truths.said[ascending], x


def _of_label(item: int, score: float, given: int, suggested: int, order: Sequence[int]) -> Doubt:
    return Doubt(item, score, label=order[given], suggested=order[suggested])


def _of_labels(item: int, score: float, given: NDArray[np.bool_], doubted: int, order: Sequence[int]) -> Doubt:
    """The doubted label is taken away where it stands, and put where it does not."""
    labels = {order[place] for place in np.flatnonzero(given).tolist()}
    other = labels ^ {order[doubted]}
    return Doubt(
        item,
        score,
        value={"labels": sorted(labels)},
        suggested=order[doubted],
        suggested_value={"labels": sorted(other)},
    )


# of each labelled text the newest version that did not learn from it
_UNSEEN = """
SELECT DISTINCT ON (r.item_id) r.item_id, p.value, p.confidence
FROM annotation_resolution r
JOIN annotation_prediction p ON p.item_id = r.item_id AND p.value -> 'spans' IS NOT NULL
JOIN registry_modelversion v ON v.id = p.version_id
WHERE r.project_id = %s AND r.split = 'pool' AND r.value -> 'spans' IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM learning_trainingrun t JOIN learning_snapshotrow s ON s.snapshot_id = t.snapshot_id
                  WHERE t.version_id = v.id AND s.item_id = r.item_id)
ORDER BY r.item_id, v.number DESC
"""


def _by_version(project: Project, rng: np.random.Generator) -> Found:
    with connection.cursor() as cursor:
        cursor.execute(_UNSEEN, [project.pk])
        rows = cursor.fetchall()
    said = {item: (json.loads(v) if isinstance(v, str) else v, float(sure)) for item, v, sure in rows}
    ids = np.array(sorted(said), dtype=np.int64)
    if len(ids) > MOST:
        ids = np.sort(rng.choice(ids, MOST, replace=False))
    if len(ids) < FEWEST:
        raise LearningError(
            gettext_noop(
                "Doubt needs 50 labelled texts that a version has read without having learned from them: "
                "label on after a training, and let the version predict the pool."
            )
        )
    texts = dict(Item.objects.filter(pk__in=ids.tolist()).values_list("pk", "text"))
    truths = dict(Resolution.objects.filter(item__in=ids.tolist()).values_list("item_id", "value"))
    order = list(Label.objects.filter(project=project).order_by("pk").values_list("pk", flat=True))
    tags: list[NDArray[np.int64]] = []
    p: list[NDArray[np.float64]] = []
    for item in ids.tolist():
        value, sure = said[item]
        given, likely = _tags(texts[item], truths[item] or NOTHING, value, sure, order)
        tags.append(given)
        p.append(likely)
    issues = quality.find_span_errors(tags, p)
    doubts = []
    for row in _open_to_doubt(ids, issues, issues.flagged):
        item = int(ids[row])
        other = _plain(texts[item], said[item][0])
        if values.parts(other) != values.parts(truths[item]):
            doubts.append(Doubt(item, float(issues.score[row]), value=truths[item], suggested_value=other))
    return Found(len(ids), doubts)


def _tags(
    text: str, truth: dict[str, Any], said: dict[str, Any], sure: float, order: Sequence[int]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Words as (t,) given tags, 0 outside, and (t, k + 1) probabilities out of the scores of predicted spans."""
    places = [match.span() for match in TOKEN.finditer(text)]
    given = _painted(places, truth["spans"], order)
    likely = _painted(places, said["spans"], order)
    score = np.full(len(places), min(max(sure, 0.5), 1.0))
    for span in said["spans"]:
        inside = [at for at, (start, end) in enumerate(places) if start < span["end"] and end > span["start"]]
        score[inside] = min(max(float(span.get("score", sure)), 0.0), 1.0)
    k = len(order) + 1
    p = np.repeat(((1 - score) / max(1, k - 1))[:, None], k, axis=1)
    p[np.arange(len(places)), likely] = score
    return given, p


def _painted(places: Sequence[tuple[int, int]], spans: Sequence[Any], order: Sequence[int]) -> NDArray[np.int64]:
    tags = np.zeros(len(places), dtype=np.int64)
    for span in spans:
        for at, (start, end) in enumerate(places):
            if start < span["end"] and end > span["start"] and span["label"] in order:
                tags[at] = order.index(span["label"]) + 1
    return tags


def _plain(text: str, said: dict[str, Any]) -> dict[str, Any]:
    """A prediction as a truth would be stored."""
    spans = [
        {"start": one["start"], "end": one["end"], "label": one["label"], "quote": text[one["start"] : one["end"]]}
        for one in said["spans"]
    ]
    return {"spans": sorted(spans, key=lambda one: (one["start"], one["end"])), "text_hash": values.text_hash(text)}


def _open_to_doubt(items: NDArray[np.int64], issues: LabelIssues, differs: NDArray[np.bool_]) -> list[int]:
    """Rows that are flagged or answered otherwise, the least believable first, without what a reviewer has decided.

    The flags alone are careful and miss a fourth of the errors; the score puts the others behind them in good order.
    """
    doubted = np.flatnonzero(issues.flagged | differs)
    order = doubted[np.argsort(issues.score[doubted], kind="stable")]
    hows = [Resolution.How.SINGLE, Resolution.How.CONSENSUS, Resolution.How.IMPORTED]
    found = Resolution.objects.filter(item__in=items[order].tolist(), how__in=hows, item__archived_at=None)
    free = set(found.values_list("item_id", flat=True))
    return [int(row) for row in order if int(items[row]) in free][: 2 * LISTED]
