"""What a project does with feedback: one row, made when somebody first changes it."""

from typing import Any

from django.db import transaction

from apps.feedback.models import FeedbackPolicy
from apps.projects.models import Project

FIELDS = ("person_cap", "allowed_breaks", "flip_review", "weak_labels", "rewards")


def of(project: Project) -> FeedbackPolicy:
    """As it stands; the defaults where nobody has decided anything."""
    return FeedbackPolicy.objects.filter(project=project).first() or FeedbackPolicy(project=project)


@transaction.atomic
def change(project: Project, **fields: Any) -> FeedbackPolicy:
    """Only the fields that are given; what two people change at once both stays."""
    assert set(fields) <= set(FIELDS)  # noqa: S101
    FeedbackPolicy.objects.get_or_create(project=project)
    if fields:
        FeedbackPolicy.objects.filter(project=project).update(**fields)
    return of(project)
