from django.db import transaction

from apps.projects.models import Project
from apps.serving.models import ServingPolicy


@transaction.atomic
def change(project: Project, *, keep_days: int, threshold: float, explore: float) -> ServingPolicy:
    """From the next answer on."""
    values = {"keep_days": keep_days, "threshold": threshold, "explore": explore}
    policy, _made = ServingPolicy.objects.update_or_create(project=project, defaults=values)
    return policy
