from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from apps.content.models import Item
from apps.feedback.models.tickets import Ticket
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class RegressionCase(models.Model):
    """A text with the answer it must get. Every new version is asked; a version's answer is its Prediction."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="regression_cases")
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="cases")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="regression_cases")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+")
    value = models.JSONField(null=True)  # the expected answer of the other task kinds, as in Resolution
    failed = models.ManyToManyField(ModelVersion, related_name="+")  # known to get it wrong when it was born
    pinned = models.BooleanField(default=True)  # counts at the gate
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)
    retired_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    why_retired = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item"], condition=Q(retired_at=None), name="case_one_live_per_item"),
            models.CheckConstraint(condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="case_expects"),
        ]
