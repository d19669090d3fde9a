"""The figures of agreement, computed once per state of the answers: at once for few, by a worker for many.

They are kept in the cache alone. What is lost is computed again: the page asks as long as it waits.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db.models import Max
from django.utils import timezone

from apps.annotation import opinion_table
from apps.annotation.models import Annotation, Resolution
from apps.common.wake import wake_on_commit
from apps.projects.models import Label, Project
from apps.quality import anchoring
from apps.quality.agreement_figures import Figures, figures

SHAPE = 1  # of what is kept; another number forgets it all
KEPT = 24 * 3600
FRESH = timedelta(minutes=10)  # for which figures of many answers are shown as they are
AT_ONCE = {Project.TaskKind.SINGLE: 10_000, Project.TaskKind.MULTI: 5_000, Project.TaskKind.SPANS: 3_000}  # answers
BUSY = 300  # seconds after which a computation counts as lost


@dataclass(frozen=True, slots=True)
class Wanted:
    weeks: int = 0  # how far back; 0 for all
    label: int | None = None

    @property
    def since(self) -> datetime | None:
        return timezone.now() - timedelta(weeks=self.weeks) if self.weeks else None

    def key(self, project: Project, what: str = "agreement") -> str:
        return f"{what}:{SHAPE}:{project.pk}:{self.weeks}:{self.label or 0}"


@dataclass(frozen=True, slots=True)
class Found:
    figures: Figures | None
    at: datetime | None
    pending: bool  # a worker computes newer ones


@dataclass(frozen=True, slots=True)
class _Kept:
    mark: tuple[Any, ...]
    at: datetime
    figures: Figures


def look(project: Project, wanted: Wanted) -> Found:
    kept: _Kept | None = cache.get(wanted.key(project))
    mark = _mark(project)
    if kept is not None and (kept.mark == mark or (_many(project) and timezone.now() - kept.at < FRESH)):
        return Found(kept.figures, kept.at, pending=False)
    if not _many(project):
        kept = reckon(project, wanted)
        return Found(kept.figures, kept.at, pending=False)
    waiting: list[Wanted] = cache.get(_waiting(project)) or []
    if wanted not in waiting:
        cache.set(_waiting(project), [*waiting, wanted], KEPT)
    wake_on_commit("quality.measure", project.pk)
    return Found(kept.figures if kept else None, kept.at if kept else None, pending=True)


def look_at_anchoring(project: Project, wanted: Wanted) -> anchoring.Anchoring | None:
    """One statement reads it; of many answers its result is kept as long as the other figures."""
    if not _many(project):
        return anchoring.measured(project, wanted.since)
    key = wanted.key(project, "anchoring")
    kept: tuple[anchoring.Anchoring | None] | None = cache.get(key)
    if kept is None:
        kept = (anchoring.measured(project, wanted.since),)
        cache.set(key, kept, FRESH.total_seconds())
    return kept[0]


def reckon_waiting(project: Project) -> None:
    """What pages wait for; in a worker. Two of them never compute the same."""
    for wanted in cache.get(_waiting(project)) or []:
        if cache.add(wanted.key(project, "agreement-busy"), 1, BUSY):
            try:
                reckon(project, wanted)
                left = [one for one in cache.get(_waiting(project)) or [] if one != wanted]
                cache.set(_waiting(project), left, KEPT)
            finally:
                cache.delete(wanted.key(project, "agreement-busy"))


def reckon(project: Project, wanted: Wanted) -> _Kept:
    mark = _mark(project)
    said = opinion_table.table(project, since=wanted.since)
    kept = _Kept(mark, timezone.now(), figures(said, truths(project, said.shared().items.tolist()), wanted.label))
    cache.set(wanted.key(project), kept, KEPT)
    return kept


def truths(project: Project, items: list[int]) -> dict[int, Any]:
    """Item id to label id or value."""
    found = Resolution.objects.filter(project=project, item__in=set(items)).exclude(how=Resolution.How.BEHAVIOUR)
    return {
        item: label if value is None else value for item, label, value in found.values_list("item", "label", "value")
    }


def _mark(project: Project) -> tuple[Any, ...]:
    """Another one when an answer, a truth or a merge of labels came since."""
    answer = Annotation.objects.filter(project=project).aggregate(last=Max("pk"))["last"]
    truth = Resolution.objects.filter(project=project).aggregate(last=Max("changed_at"))["last"]
    return answer, truth, Label.objects.filter(project=project, merged_into__isnull=False).count()


def _many(project: Project) -> bool:
    most = AT_ONCE.get(Project.TaskKind(project.task_kind), 0)
    return Annotation.objects.filter(project=project).order_by()[: most + 1].count() > most


def _waiting(project: Project) -> str:
    return f"agreement-waiting:{SHAPE}:{project.pk}"
