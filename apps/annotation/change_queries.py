from dataclasses import dataclass

from django.db.models import QuerySet

from apps.annotation.models import Change
from apps.projects.models import Project


def changes(project: Project) -> QuerySet[Change]:
    return Change.objects.filter(project=project).select_related("by").order_by("-pk")


@dataclass(frozen=True)
class Touched:
    """How many things speak of some labels."""

    truths: int
    gold: int
    holdout: int
    answers: int
