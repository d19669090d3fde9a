from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.projects.models import Project


class Projection(models.Model):
    """A map of the content: two dimensions for every vector, in a file below HOME/files."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("done")
        FAILED = "failed", _("failed")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="projections")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    encoder_digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    file = models.CharField(max_length=300, blank=True)
    n = models.PositiveIntegerField(default=0)  # points
    total = models.PositiveIntegerField(default=0)  # texts that had a vector; more than n where a random part is drawn
    quality = models.JSONField(default=dict)  # workers.learning.projection.Quality
    regions = models.JSONField(default=list)  # [{"outline": [[x, y] …], "typical": item, "n": points inside} …]
    seconds = models.FloatField(null=True)
    progress = models.FloatField(default=0)  # 0..1
    attempt = models.PositiveSmallIntegerField(default=0)  # the fence
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(state__in=["queued", "running"]), name="projection_one_at_a_time"
            )
        ]
