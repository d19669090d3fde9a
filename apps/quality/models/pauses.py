from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.projects.models import Project


class Pause(models.Model):
    """Somebody gets no tasks for a while. What they answer after they may go on is counted anew."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="pauses")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )  # null: the rule
    right = models.PositiveIntegerField(default=0)  # gold answers at that time
    answered = models.PositiveIntegerField(default=0)
    paused_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"], condition=Q(lifted_at=None), name="pause_one_open_per_person"
            )
        ]
