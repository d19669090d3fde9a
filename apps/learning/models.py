from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class Encoding(models.Model):
    """Background computation of one project's vectors under its encoder; the row is the progress bar."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    encoder = models.CharField(max_length=300, blank=True)  # whose digest this is; differs after a change of mind
    encoder_digest = models.CharField(max_length=64, blank=True)
    through_item = models.BigIntegerField(default=0)  # every item up to here has a vector, and no lower id can appear
    total = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    rate = models.FloatField(null=True)  # texts a second, smoothed
    error = models.TextField(blank=True)
    attempt = models.PositiveIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)  # set while a worker is at it
    asked_at = models.DateTimeField(null=True)  # when a worker was last woken for it


class LiveHead(models.Model):
    """Frozen encoder + linear head, refitted after every few labels. Orders the queue, fills suggestions."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    revision = models.PositiveIntegerField(default=0)
    encoder_digest = models.CharField(max_length=64, blank=True)
    weights = models.BinaryField(null=True)  # safetensors
    label_order = models.JSONField(default=list)  # label ids in the order of the probabilities
    n_labels = models.PositiveIntegerField(default=0)  # resolutions it was fitted on
    fitted_through = models.DateTimeField(null=True)  # newest Resolution.changed_at it has seen
    fitted_at = models.DateTimeField(null=True)
    seconds = models.FloatField(null=True)  # of the last refresh, end to end
    seen_through = models.BigIntegerField(default=0)  # the pool it chose from: items up to here
    timing = models.JSONField(default=dict)  # seconds by step of the last refresh


class CurvePoint(models.Model):
    """Live head on the labelled hold-out after a refit; what the learning curve draws."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()
    n_labels = models.PositiveIntegerField()
    n_holdout = models.PositiveIntegerField()
    accuracy = models.FloatField()
    low = models.FloatField()
    high = models.FloatField()
    macro_f1 = models.FloatField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "revision"], name="curve_point_once")]

    @property
    def accuracy_percent(self) -> str:
        return f"{100 * self.accuracy:.1f}"

    @property
    def low_percent(self) -> str:
        return f"{100 * self.low:.1f}"

    @property
    def high_percent(self) -> str:
        return f"{100 * self.high:.1f}"


class Snapshot(models.Model):
    """The resolutions a run was trained on, frozen. `hash` covers (text hash, label name) in item order."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    hash = models.CharField(max_length=64)
    n_items = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=timezone.now)


class SnapshotRow(models.Model):
    """The composite key (item, split) with CHECK split = 'pool' keeps hold-out items out of training."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="rows")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    split = models.CharField(max_length=8, default="pool")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "item"], name="snapshot_item_once"),
            models.CheckConstraint(condition=Q(split="pool"), name="snapshot_never_holdout"),
        ]


class TrainingRun(models.Model):
    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        CANCELLING = "cancelling", _("cancelling")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")
        SUCCEEDED = "succeeded", _("succeeded")
        REFUSED = "refused", _("refused")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=16, choices=ModelVersion.Kind.choices)
    config = models.JSONField(default=dict)  # encoder, epochs, learning rate …, as resolved
    seed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)  # the fence
    heartbeat_at = models.DateTimeField(null=True)
    progress = models.FloatField(default=0)  # 0..1
    curve = models.JSONField(default=list)  # [{"step", "epoch", "loss", "dev_accuracy"?} …]
    log_tail = models.TextField(blank=True)
    error = models.TextField(blank=True)  # a sentence
    snapshot = models.ForeignKey(Snapshot, on_delete=models.SET_NULL, null=True, related_name="+")
    version = models.OneToOneField(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="run")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    LIVE = (State.QUEUED, State.RUNNING, State.CANCELLING)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["queued", "running", "cancelling"]),
                name="run_one_live_per_project",
            ),
        ]


class Repredict(models.Model):
    """Background prediction of a version: the hold-out after training, the whole pool on promotion."""

    version = models.OneToOneField(ModelVersion, on_delete=models.CASCADE, primary_key=True, related_name="+")
    wanted_pool = models.BooleanField(default=False)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)


class Evaluation(models.Model):
    """A version on the labelled hold-out as it stood; per-item answers are its Predictions."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="evaluations")
    holdout_hash = models.CharField(max_length=64)
    n = models.PositiveIntegerField()
    metrics = models.JSONField()  # accuracy, low, high, macro_f1 (+interval), per_class, confusion, ece, nll
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "holdout_hash"], name="evaluation_once")]


class Trainable(models.Model):
    """A database view: the current truths that may be learned from. Hold-out items are not in it."""

    item = models.OneToOneField(Item, on_delete=models.DO_NOTHING, primary_key=True, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.DO_NOTHING, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.DO_NOTHING, related_name="+")
    changed_at = models.DateTimeField()
    text_hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "learning_trainable"
