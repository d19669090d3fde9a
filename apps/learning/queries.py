"""Reads of the learning app."""

from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from apps.annotation.models import Resolution
from apps.content.models import Item, Split
from apps.feedback.models import FeedbackPolicy
from apps.learning.models import CurvePoint, Encoding, Repredict, Trainable, TrainingRun
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class LabelCount:
    label: Label
    n: int


_COUNTS = {
    Project.TaskKind.SINGLE: (
        "SELECT label_id, count(*) FROM learning_trainable WHERE project_id = %s AND label_id IS NOT NULL GROUP BY 1"
    ),
    Project.TaskKind.MULTI: (
        "SELECT label::bigint, count(*) FROM learning_trainable, jsonb_array_elements(value -> 'labels') label"
        " WHERE project_id = %s GROUP BY 1"
    ),
    Project.TaskKind.SPANS: (
        "SELECT (span ->> 'label')::bigint, count(*)"
        " FROM learning_trainable, jsonb_array_elements(value -> 'spans') span WHERE project_id = %s GROUP BY 1"
    ),
    # the project's two labels by their age: not clicked, clicked
    Project.TaskKind.ENGAGEMENT: (
        "SELECT l.id, coalesce(sum(CASE WHEN l.id = (SELECT max(id) FROM projects_label m"
        " WHERE m.project_id = t.project_id) THEN (value ->> 'clicked')::bigint"
        " ELSE (value ->> 'shown')::bigint - (value ->> 'clicked')::bigint END), 0)::bigint"
        " FROM learning_trainable t JOIN projects_label l ON l.project_id = t.project_id"
        " WHERE t.project_id = %s AND value -> 'shown' IS NOT NULL GROUP BY 1"
    ),
}


def label_counts(project: Project) -> list[LabelCount]:
    """Active labels in their order, with how many examples each has to learn from: texts, or marked spans."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS[Project.TaskKind(project.task_kind)], [project.pk])
        found = dict(cursor.fetchall())
    active = Label.objects.filter(project=project, archived_at=None)
    if project.task_kind == Project.TaskKind.ENGAGEMENT:
        active = active.order_by("pk")  # the order of the model's classes
    return [LabelCount(label, found.get(label.pk, 0)) for label in active]


def n_examples(project: Project) -> int:
    """Texts with a truth that may be learned from; one with several labels, or with none of them, counts once."""
    return Trainable.objects.filter(project=project).count()


def some_texts(project: Project, most: int) -> list[str]:
    """Texts that will be learned from, for a look at their length."""
    rows = Trainable.objects.filter(project=project).order_by("item_id")
    return list(rows.values_list("item__text", flat=True)[:most])


def listens_to_users(project: Project) -> bool:
    """Whether runs learn from what users said unless somebody decides otherwise."""
    return FeedbackPolicy.objects.filter(project=project, weak_labels=True).exists()


def runs(project: Project) -> QuerySet[TrainingRun]:
    return TrainingRun.objects.filter(project=project).select_related("version", "by").order_by("-pk")


def live_run(project: Project) -> TrainingRun | None:
    return runs(project).filter(state__in=TrainingRun.LIVE).first()


_SNAPSHOT_COUNTS = """
SELECT l.name, count(*) FROM learning_snapshotrow s
CROSS JOIN LATERAL (
    SELECT s.label_id AS label WHERE s.label_id IS NOT NULL
    UNION ALL SELECT said::bigint FROM jsonb_array_elements(s.value -> 'labels') said
    UNION ALL SELECT (span ->> 'label')::bigint FROM jsonb_array_elements(s.value -> 'spans') span
) given
JOIN projects_label l ON l.id = given.label
WHERE s.snapshot_id = %s GROUP BY l.id ORDER BY 2, 1
"""


def snapshot_counts(snapshot_id: int) -> list[tuple[str, int]]:
    """(label, examples or spans) of a frozen snapshot, fewest first."""
    with connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT_COUNTS, [snapshot_id])
        return [(name, n) for name, n in cursor.fetchall()]


Truth = int | dict[str, Any]  # a label's id, or the value of another task kind as in Resolution


def holdout_truth(project: Project) -> list[tuple[int, Any]]:
    """(item, Truth) of every labelled hold-out item, in item order."""
    rows = Resolution.objects.filter(project=project, split=Split.HOLDOUT).order_by("item_id")
    if project.task_kind == Project.TaskKind.SINGLE:
        return list(rows.filter(label__isnull=False).values_list("item_id", "label_id"))
    return list(rows.filter(value__isnull=False).values_list("item_id", "value"))


def newest_item(project: Project, *, pool: bool) -> int:
    """The highest item id: of everything, or of the hold-out alone. One step into an index."""
    items = Item.objects.filter(project=project)
    if not pool:
        items = items.filter(split=Split.HOLDOUT)
    return items.order_by("-pk").values_list("pk", flat=True).first() or 0


def repredict_of(version: ModelVersion) -> Repredict | None:
    return Repredict.objects.filter(version=version).first()


@dataclass(frozen=True, slots=True)
class EncodingProgress:
    done: int
    total: int
    rate: float | None  # items a second
    working: bool
    error: str

    @property
    def finished(self) -> bool:
        return self.done >= self.total

    @property
    def share(self) -> float:
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def eta_seconds(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate and self.working else None


def encoding_progress(project: Project) -> EncodingProgress:
    """How far the vectors have come under the project's present encoder."""
    row = Encoding.objects.filter(project=project).first()
    newest = newest_item(project, pool=True)
    if row is None or (row.encoder, row.asked_runtime) != (project.encoder, project.encoder_runtime):
        return EncodingProgress(0, 1 if newest else 0, None, False, row.error if row else "")
    # the counts on the row are from the last claim; later arrivals show as not yet finished
    total = max(row.total, row.done + 1) if newest > row.through_item else row.done
    return EncodingProgress(row.done, total, row.rate, row.heartbeat_at is not None, row.error)


def encoding_of(project: Project) -> Encoding | None:
    """The row behind the progress: what computes the vectors, and why."""
    return Encoding.objects.filter(project=project).first()


def projects_to_encode() -> list[int]:
    """Projects with items beyond the mark, or with another encoder. One index step per project."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id FROM projects_project p LEFT JOIN learning_encoding e ON e.project_id = p.id"
            " CROSS JOIN LATERAL ("
            " SELECT i.id FROM content_item i WHERE i.project_id = p.id ORDER BY i.id DESC LIMIT 1) newest"
            " WHERE p.archived_at IS NULL"
            " AND (e.project_id IS NULL OR e.encoder <> p.encoder OR e.asked_runtime <> p.encoder_runtime"
            " OR e.through_item < newest.id) ORDER BY p.id"
        )
        return [pk for (pk,) in cursor.fetchall()]


ENOUGH_NEW = 5  # resolutions that call for a refit at once
QUIET = 3.0  # seconds without another one after which fewer will do
BRISK = 0.25  # a refresh this short needs no pause after it; a longer one rests for twice its length
LONGEST_PAUSE = 30.0  # the first refresh copies all vectors; people should not wait for twice that

_REFRESH_DUE = """
SELECT p.id FROM projects_project p
JOIN learning_encoding e ON e.project_id = p.id
LEFT JOIN learning_livehead h ON h.project_id = p.id
LEFT JOIN annotation_arrival a ON a.project_id = p.id
CROSS JOIN LATERAL (
    SELECT count(*) AS n, max(changed_at) AS newest FROM (
        SELECT r.changed_at FROM annotation_resolution r
        WHERE r.project_id = p.id AND r.changed_at > coalesce(h.fitted_through, '-infinity')
        ORDER BY r.changed_at DESC LIMIT %(enough)s) r
) fresh
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(l.id ORDER BY l.id), '[]') AS ids
    FROM projects_label l WHERE l.project_id = p.id AND l.archived_at IS NULL
) active
WHERE p.archived_at IS NULL AND p.task_kind <> 'engagement' AND (%(project)s::bigint IS NULL OR p.id = %(project)s)
AND e.through_item > 0
AND (h.seconds IS NULL OR h.seconds < %(brisk)s
     OR h.fitted_at + least(2 * h.seconds, %(longest)s) * interval '1 second' < clock_timestamp())
AND (
    h.project_id IS NULL
    OR fresh.n >= %(enough)s
    OR (fresh.n > 0 AND fresh.newest < clock_timestamp() - %(quiet)s * interval '1 second')
    OR h.label_order <> active.ids
    -- the pool has grown: every ten seconds while vectors are being computed, and once they are there
    OR (least(e.through_item, a.last_item) > h.seen_through AND h.fitted_at < clock_timestamp()
        - CASE WHEN e.heartbeat_at IS NULL THEN interval '0.5 seconds' ELSE interval '10 seconds' END)
    -- some time after: an answer that was taken back, or one whose commit came late
    OR (h.fitted_at BETWEEN clock_timestamp() - interval '40 seconds' AND clock_timestamp() - interval '20 seconds'
        AND h.n_labels <> (SELECT count(*) FROM learning_trainable t WHERE t.project_id = p.id))
)
ORDER BY p.id
"""


def projects_to_refresh(project_id: int | None = None) -> list[int]:
    """Projects whose live head should look again; a few index steps each."""
    with connection.cursor() as cursor:
        cursor.execute(
            _REFRESH_DUE,
            {"project": project_id, "enough": ENOUGH_NEW, "quiet": QUIET, "brisk": BRISK, "longest": LONGEST_PAUSE},
        )
        return [pk for (pk,) in cursor.fetchall()]


def curve_points(project: Project, most: int = 400) -> list[CurvePoint]:
    """The newest points of the learning curve, oldest first; one per number of labels, the last of each."""
    rows = CurvePoint.objects.filter(project=project).order_by("n_labels", "-revision").distinct("n_labels")
    return list(rows)[-most:]


def newest_curve_point(project: Project) -> int | None:
    """Its revision."""
    rows = CurvePoint.objects.filter(project=project).order_by("-revision")
    return rows.values_list("revision", flat=True).first()
