from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.annotation.models import Annotation
from apps.projects.models import Project


class Review(models.Model):
    """A second look at an accepted answer."""

    class Verdict(models.TextChoices):
        APPROVED = "approved", _("approved")
        FIXED = "fixed", pgettext_lazy("an answer", "fixed")
        REJECTED = "rejected", _("sent back to its author")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="reviews")
    annotation = models.OneToOneField(Annotation, on_delete=models.CASCADE, related_name="review")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=8, choices=Verdict.choices)
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True)  # the author has looked at a rejection again

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(verdict="rejected") | ~Q(reason=""), name="review_rejects_with_a_reason"
            )
        ]
        indexes = [
            models.Index(
                fields=["project", "annotator"],
                condition=Q(verdict="rejected", answered_at=None),
                name="review_sent_back",
            )
        ]
