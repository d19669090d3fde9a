"""What was served is forgotten after the project's days, in slices that hold no lock for long."""

import time
from datetime import timedelta

from django.utils import timezone

from apps.projects.models import Project
from apps.serving import queries
from apps.serving.models import Served

SLICE = 2_000
BUDGET = 20.0  # seconds of one round; the next goes on


def forget_old(budget: float = BUDGET) -> int:
    """How many rows were forgotten. Feedback that points at them keeps what it knows itself."""
    ends, gone = time.monotonic() + budget, 0
    for project in Project.objects.order_by("pk"):
        before = timezone.now() - timedelta(days=queries.policy_of(project).keep_days)
        while True:
            ids = list(Served.objects.filter(project=project, at__lt=before).values_list("pk", flat=True)[:SLICE])
            if ids:
                gone += Served.objects.filter(pk__in=ids).delete()[1].get("serving.Served", 0)
            if time.monotonic() > ends:
                return gone
            if len(ids) < SLICE:
                break
    return gone
