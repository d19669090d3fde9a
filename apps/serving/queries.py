"""Reads: what answers for a project now, and what was answered."""

import datetime
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.projects.models import Project
from apps.registry.models import Deployment, ModelVersion
from apps.serving.models import Served, ServingPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    keep_days: int
    threshold: float
    explore: float


@dataclass(frozen=True, slots=True)
class Serving:
    """The live version, the one before it, and how a project answers."""

    live: ModelVersion
    previous: ModelVersion | None
    policy: Policy

    @property
    def versions(self) -> list[ModelVersion]:
        return [self.live, self.previous] if self.previous else [self.live]


def policy_of(project: Project) -> ServingPolicy:
    """Not saved while it says no more than the defaults."""
    return ServingPolicy.objects.filter(project=project).first() or ServingPolicy(project=project)


_SERVING = """
SELECT d.version_id, d.previous_id, p.keep_days, p.threshold, p.explore
FROM registry_deployment d LEFT JOIN serving_servingpolicy p ON p.project_id = d.project_id
WHERE d.project_id = %s ORDER BY d.sequence DESC LIMIT 1
"""


def serving(project: Project) -> Serving | None:
    """One short query: versions never change, so each process keeps those it has seen."""
    with connection.cursor() as cursor:
        cursor.execute(_SERVING, [project.pk])
        row = cursor.fetchone()
    if row is None:
        return None
    live, previous, *policy = row
    if policy[0] is None:
        standard = ServingPolicy()
        policy = [standard.keep_days, standard.threshold, standard.explore]
    return Serving(_version(live), _version(previous) if previous else None, Policy(*policy))


@lru_cache(maxsize=64)
def _version(pk: int) -> ModelVersion:
    return ModelVersion.objects.get(pk=pk)


def most_wanted(n: int) -> list[ModelVersion]:
    """The live versions that should be loaded, those asked most lately first, then those deployed most lately."""
    newest = Deployment.objects.filter(project=OuterRef("pk")).order_by("-sequence")
    last = Served.objects.filter(project=OuterRef("pk")).order_by("-at")
    rows = (
        Project.objects.filter(archived_at=None, deployments__isnull=False)
        .annotate(
            live=Subquery(newest.values("version")[:1]),
            since=Subquery(newest.values("at")[:1]),
            asked=Subquery(last.values("at")[:1]),
        )
        .distinct()
        .values_list("live", "asked", "since")
    )
    beginning = datetime.datetime.min.replace(tzinfo=datetime.UTC)
    ranked = sorted(rows, key=lambda row: (row[1] or beginning, row[2]), reverse=True)[:n]
    found = ModelVersion.objects.in_bulk([live for live, _asked, _since in ranked])
    return [found[live] for live, _asked, _since in ranked]


def labels_of(version: ModelVersion) -> list[tuple[int, str]]:
    """In the order of the probabilities, by the names that they bear today."""
    ids = [int(pk) for pk, _name in version.label_order]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, name FROM projects_label WHERE id = ANY(%s)", [ids])
        names = dict(cursor.fetchall())
    return [(pk, names.get(pk, str(old))) for pk, (_pk, old) in zip(ids, version.label_order, strict=True)]


def served(project: Project) -> QuerySet[Served]:
    """Newest first."""
    rows = Served.objects.filter(project=project).select_related("version", "label", "shown")
    return rows.order_by("-at", "-pk")


@dataclass(frozen=True)
class Page:
    rows: list[Served]
    next: str


def page(rows: QuerySet[Served], after: str, limit: int) -> Page:
    """Ids are random, so the place is the time and the id of the last row that was seen."""
    if after:
        at, pk = _place(after)
        rows = rows.filter(Q(at__lt=at) | Q(at=at, pk__lt=pk))
    found = list(rows[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    return Page(found, _mark(found[-1]) if more else "")


def _mark(row: Served) -> str:
    return urlsafe_b64encode(f"{row.at.isoformat()}|{row.pk.hex}".encode()).decode().rstrip("=")


def _place(mark: str) -> tuple[datetime.datetime, UUID]:
    try:
        at, _bar, pk = urlsafe_b64decode(mark + "=" * (-len(mark) % 4)).decode("ascii").partition("|")
        found = datetime.datetime.fromisoformat(at)
        if found.tzinfo is None:
            raise ValueError(at)
        return found, UUID(hex=pk)
    except ValueError as error:
        raise InvalidInput(_("This page mark is not one of ours. Start from the first page."), field="after") from error
