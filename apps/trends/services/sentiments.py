"""The manager's word on which labels speak ill and which well."""

from django.db import transaction

from apps.projects.models import Label, Project
from apps.trends.models import Watch


@transaction.atomic
def say(project: Project, *, negative: list[int], positive: list[int]) -> Watch:
    """Empty lists say that the project is not about sentiment: complaints are looked at instead."""
    known = set(Label.objects.filter(project=project).values_list("pk", flat=True))
    values = {
        "negative": sorted(known & set(negative)),
        "positive": sorted((known & set(positive)) - set(negative)),
        "sentiment_set": True,
    }
    return Watch.objects.update_or_create(project=project, defaults=values)[0]
