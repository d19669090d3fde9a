from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.projects.models import Project


class ModelVersion(models.Model):
    """Immutable: a database trigger refuses every UPDATE. The weights lie below HOME/models/<path>."""

    class Kind(models.TextChoices):
        HEAD = "head", _("Published head")
        TRANSFORMER = "transformer", _("Fine-tuned transformer")
        ONNX = "onnx", _("ONNX export")
        ENSEMBLE = "ensemble", _("Ensemble of versions")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    encoder = models.CharField(max_length=300)
    encoder_digest = models.CharField(max_length=64)
    task = models.CharField(max_length=10, choices=Project.TaskKind.choices, default=Project.TaskKind.SINGLE)
    label_order = models.JSONField()  # [[label id, name], …] in the order of the probabilities
    thresholds = models.JSONField(default=list)  # multi: a label is said from this probability on
    snapshot_hash = models.CharField(max_length=64)
    seed = models.PositiveIntegerField()
    config = models.JSONField()
    metrics = models.JSONField(default=dict)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    path = models.CharField(max_length=300)
    digest = models.CharField(max_length=64)  # SHA-256 of the weights file
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="version_number_once")]

    def __str__(self) -> str:
        return f"v{self.number}"


class Deployment(models.Model):
    """The newest row of a project says what serves. Rolling back adds a row; nothing is copied."""

    class Kind(models.TextChoices):
        PROMOTE = "promote", _("Promoted")
        ROLLBACK = "rollback", _("Rolled back")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="deployments")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployments")
    previous = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    verdict = models.JSONField(default=dict)  # the comparison that the decision was made on
    why = models.TextField(blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    sequence = models.PositiveIntegerField()  # 1, 2, 3 … per project: two promotions at once cannot both be next

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "sequence"], name="deployment_sequence_once")]
