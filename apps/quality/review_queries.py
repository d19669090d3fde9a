"""A sample of accepted answers to look at again, and how often each person's were found right."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation
from apps.annotation.services.golds import Accuracy
from apps.common.rows import rows
from apps.projects.models import Project
from apps.quality.models import Review
from apps.registry import queries as registry

LATEST = 20_000  # answers of the project among which the sample is drawn
LATELY = timedelta(hours=1)
BANDS: Mapping[str, tuple[float, float]] = {"low": (-1.0, 0.5), "middle": (0.5, 0.9), "high": (0.9, 2.0)}

# the order of a hash is as good as chance and stays: a sample that is looked at twice is the same one.
# An answer given after a rejection comes first, because its author waits for a word.
_SAMPLE = """
WITH latest AS (
    SELECT id, item_id, annotator_id, revision, task_id, label_id, value, shown, hidden
    FROM annotation_annotation
    WHERE project_id = %(project)s AND NOT retracted AND NOT late
    ORDER BY id DESC LIMIT %(latest)s
), accepted AS (
    SELECT a.id, a.annotator_id, v.id AS review,
           EXISTS (SELECT 1 FROM annotation_annotation b JOIN quality_review w ON w.annotation_id = b.id
                   WHERE b.item_id = a.item_id AND b.annotator_id = a.annotator_id AND b.revision < a.revision
                     AND w.verdict = 'rejected' OFFSET 0) AS again
    FROM latest a
    JOIN annotation_resolution r ON r.item_id = a.item_id AND r.how IN ('single', 'consensus')
    LEFT JOIN annotation_task t ON t.id = a.task_id
    LEFT JOIN quality_review v ON v.annotation_id = a.id
    LEFT JOIN annotation_prediction p ON p.item_id = a.item_id AND p.version_id = %(version)s
    WHERE a.annotator_id <> %(reader)s AND t.reason IS DISTINCT FROM 'gold'
      AND (a.label_id = r.label_id OR a.value = r.value)
      AND NOT EXISTS (SELECT 1 FROM annotation_annotation b WHERE b.item_id = a.item_id
                      AND b.annotator_id = a.annotator_id AND b.revision > a.revision OFFSET 0)
      AND (%(annotator)s::bigint IS NULL OR a.annotator_id = %(annotator)s)
      AND (%(label)s::bigint IS NULL OR a.label_id = %(label)s OR a.value -> 'labels' @> to_jsonb(%(label)s::bigint)
           OR a.value -> 'spans' @> jsonb_build_array(jsonb_build_object('label', %(label)s::bigint)))
      AND (%(low)s::float8 IS NULL
           OR coalesce(p.confidence, (coalesce(a.shown, a.hidden) -> 'probabilities' ->> 0)::float8)
              BETWEEN %(low)s AND %(high)s)
), drawn AS (
    SELECT id, annotator_id, review,
           row_number() OVER (PARTITION BY annotator_id ORDER BY again DESC, md5(id::text)) AS place
    FROM accepted
)
SELECT id, review IS NULL FROM drawn WHERE place <= %(each)s ORDER BY place, annotator_id
"""


@dataclass(frozen=True)
class Sampling:
    annotator: int | None = None
    label: int | None = None
    confidence: str = ""  # a name in BANDS
    each: int = 20  # answers of each person


@dataclass(frozen=True)
class Sample:
    waiting: list[int]  # annotations, in the order in which they are looked at
    size: int

    @property
    def looked_at(self) -> int:
        return self.size - len(self.waiting)


def sample(project: Project, reader: User, by: Sampling) -> Sample:
    live = registry.live_version(project)
    low, high = BANDS.get(by.confidence, (None, None))
    found = rows(
        _SAMPLE,
        {
            "project": project.pk,
            "reader": reader.pk,
            "version": live.pk if live else None,
            "annotator": by.annotator,
            "label": by.label,
            "low": low,
            "high": high,
            "each": by.each,
            "latest": LATEST,
        },
    )
    return Sample([pk for pk, waits in found if waits], len(found))


def looked_at(project: Project, pks: Sequence[int]) -> list[Annotation]:
    """In this order."""
    found = Annotation.objects.filter(project=project).select_related("item", "label", "annotator").in_bulk(list(pks))
    return [found[pk] for pk in pks if pk in found]


def earlier_words(shown: Sequence[Annotation]) -> dict[int, Review]:
    """By annotation: what a reviewer said last of this person's answers to the text before."""
    said = Review.objects.filter(annotation__item__in={one.item_id for one in shown})
    said = said.exclude(annotation__in=[one.pk for one in shown]).select_related("by", "annotation__label")
    newest = {(word.annotation.item_id, word.annotator_id): word for word in said.order_by("pk")}
    found = {one.pk: newest.get((one.item_id, one.annotator_id)) for one in shown}
    return {pk: word for pk, word in found.items() if word is not None}


def last_word(project: Project, reader: User) -> Review | None:
    """What this person could still take back while they sit here."""
    mine = Review.objects.filter(project=project, by=reader, created_at__gt=timezone.now() - LATELY)
    return mine.select_related("annotation__item", "annotator").order_by("-pk").first()


@dataclass(frozen=True)
class Reviewed:
    user: User
    accuracy: Accuracy  # approved, of all that were looked at
    fixed: int
    rejected: int
    unanswered: int  # sent back, and not looked at again yet


def by_author(project: Project, *, since: datetime | None = None, until: datetime | None = None) -> list[Reviewed]:
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    found = Review.objects.filter(project=project)
    if since is not None:
        found = found.filter(created_at__gte=since)
    if until is not None:
        found = found.filter(created_at__lt=until)
    said = found.values_list("annotator", "verdict", "answered_at")
    for author, verdict, answered_at in said.iterator(chunk_size=5_000):
        counts[author][verdict] += 1
        counts[author]["open"] += bool(verdict == Review.Verdict.REJECTED and answered_at is None)
    people = User.objects.filter(pk__in=counts).order_by("name", "email")
    return [_reviewed(user, counts[user.pk]) for user in people]


def _reviewed(user: User, n: "Counter[str]") -> Reviewed:
    total = sum(n[verdict] for verdict in Review.Verdict.values)
    accuracy = Accuracy(n[Review.Verdict.APPROVED], total)
    return Reviewed(user, accuracy, n[Review.Verdict.FIXED], n[Review.Verdict.REJECTED], n["open"])


def sent_back(project: Project, user: User) -> QuerySet[Review]:
    """What this person has still to look at again, oldest first."""
    later = Q(item=OuterRef("annotation__item"), annotator=OuterRef("annotator"))
    newer = Annotation.objects.filter(later, revision__gt=OuterRef("annotation__revision"))
    waiting = Review.objects.filter(project=project, annotator=user, verdict=Review.Verdict.REJECTED, answered_at=None)
    found = waiting.exclude(Exists(newer)).filter(annotation__item__archived_at=None)
    return found.select_related("annotation__item", "annotation__label", "by").order_by("pk")
