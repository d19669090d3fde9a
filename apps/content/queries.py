from dataclasses import dataclass
from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone

from apps.content.models import ImportJob, Item, RejectedRow, Split
from apps.projects.models import Project


def imports(project: Project) -> QuerySet[ImportJob]:
    return ImportJob.objects.filter(project=project).select_related("by").order_by("-pk")


def items(project: Project) -> QuerySet[Item]:
    return Item.objects.filter(project=project)


def first_rejected(job: ImportJob, most: int = 20) -> list[RejectedRow]:
    return list(job.rejected.order_by("line")[:most])


@dataclass(frozen=True)
class Totals:
    pool: int
    holdout: int
    labelled: int  # items that came with a label

    @property
    def all(self) -> int:
        return self.pool + self.holdout


def totals(project: Project) -> Totals:
    counted: dict[Any, int] = dict(
        items(project).order_by().values_list("split").annotate(number=Count("pk")).values_list("split", "number")
    )
    labelled = items(project).filter(given__isnull=False).exclude(given__label="", given__value=None).count()
    return Totals(counted.get(Split.POOL, 0), counted.get(Split.HOLDOUT, 0), labelled)


@dataclass(frozen=True)
class Progress:
    percent: int
    seconds_left: int | None
    rows_per_second: int | None


def progress(job: ImportJob) -> Progress:
    if job.state == ImportJob.State.SUCCEEDED:
        return Progress(100, None, _rate(job))
    if not job.total_bytes or job.started_at is None:
        return Progress(0, None, None)
    share = min(1.0, job.done_bytes / job.total_bytes)
    spent = (timezone.now() - job.started_at).total_seconds()
    left = int(spent / share * (1 - share)) + 1 if share > 0.01 and spent > 1 else None
    return Progress(int(share * 100), left, _rate(job))


def _rate(job: ImportJob) -> int | None:
    if job.started_at is None:
        return None
    spent = ((job.finished_at or timezone.now()) - job.started_at).total_seconds()
    return int(job.rows_read / spent) if spent > 0.05 else None
