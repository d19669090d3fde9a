"""Reads: which versions there are, which one serves, and how that came about."""

from django.db.models import Max, QuerySet

from apps.projects.models import Project
from apps.registry.models import Deployment, ModelVersion


def versions(project: Project) -> QuerySet[ModelVersion]:
    return ModelVersion.objects.filter(project=project).order_by("-number")


def deployments(project: Project) -> QuerySet[Deployment]:
    """Newest first; the first one serves."""
    return Deployment.objects.filter(project=project).select_related("version", "previous", "by").order_by("-sequence")


def serving(project: Project) -> Deployment | None:
    return deployments(project).first()


def live_version(project: Project) -> ModelVersion | None:
    newest = serving(project)
    return newest.version if newest else None


def has_served(version: ModelVersion) -> bool:
    return Deployment.objects.filter(version=version).exists()


def next_number(project: Project) -> int:
    newest: int | None = ModelVersion.objects.filter(project=project).aggregate(top=Max("number"))["top"]
    return (newest or 0) + 1
