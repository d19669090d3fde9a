import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class ServingPolicy(models.Model):
    """How a project answers and what it remembers of it. No row means the defaults below."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    keep_days = models.PositiveIntegerField(
        _("days to keep what was served"), default=90, validators=[MinValueValidator(1), MaxValueValidator(3650)]
    )
    threshold = models.FloatField(
        _("show an answer from this probability on"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    explore = models.FloatField(
        _("share of answers drawn from the probabilities"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(0.2)],
    )


class Served(models.Model):
    """One answer given to the host product. Immutable; forgotten after the project's days.

    `propensity` is the probability with which exactly `shown` was shown under the policy of that moment: 1 without
    exploration, None where nobody can say it (spans, several labels).
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)  # the prediction id that feedback points at
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    external_id = models.CharField(max_length=200, blank=True)  # of the host's item, if it has one
    subject = models.CharField(max_length=64, blank=True)  # pseudonym of whom it was shown to
    consent = models.BooleanField(default=False)
    text = models.TextField(blank=True)  # only with consent
    text_hash = models.BinaryField(max_length=32)  # SHA-256 of the UTF-8 bytes
    language = models.CharField(max_length=10, blank=True)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)  # likeliest
    confidence = models.FloatField()
    probabilities = HalfVectorField(null=True)  # in the version's label order; none for spans
    value = models.JSONField(null=True)  # multi {"labels": [id …]}, spans {"spans": [{start, end, label, score} …]}
    shown = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    propensity = models.FloatField(null=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(consent=True) | Q(text=""), name="served_text_needs_consent"),
        ]
        indexes = [
            models.Index(fields=["project", "at"], name="served_time"),
            models.Index(fields=["project", "external_id"], condition=~Q(external_id=""), name="served_external"),
        ]
