from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.content.models import Item
from apps.feedback.models import Signal
from apps.projects.models import Label, Project
from apps.registry.models import Deployment, ModelVersion


class Encoding(models.Model):
    """Background computation of one project's vectors under its encoder; the row is the progress bar."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    encoder = models.CharField(max_length=300, blank=True)  # whose digest this is; differs after a change of mind
    encoder_digest = models.CharField(max_length=64, blank=True)
    through_item = models.BigIntegerField(default=0)  # every item up to here has a vector, and no lower id can appear
    total = models.BigIntegerField(default=0)
    done = models.BigIntegerField(default=0)
    rate = models.FloatField(null=True)  # texts a second, smoothed
    asked_runtime = models.CharField(max_length=10, default="auto")  # the project's wish when it was computed
    runtime = models.CharField(max_length=16, blank=True)  # what computes them: onnx-int8, onnx-fp32, torch …
    parity = models.TextField(blank=True)  # sentences: why that one, and how it compares with fp32 on this host
    error = models.TextField(blank=True)
    attempt = models.PositiveIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True)  # set while a worker is at it
    asked_at = models.DateTimeField(null=True)  # when a worker was last woken for it


class LiveHead(models.Model):
    """Frozen encoder + linear head, refitted after every few labels. Orders the queue, fills suggestions.

    A project of spans has no head; its row says what the queue was last ordered from all the same.
    """

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
    stability = models.JSONField(default=dict)  # how its answers on fixed pool items moved; services/stopping.py


class CurvePoint(models.Model):
    """Live head on the labelled hold-out after a refit; what the learning curve draws.

    `accuracy` is the share of right answers; for several labels a text the micro-F1, as `measure` says.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()
    n_labels = models.PositiveIntegerField()
    n_holdout = models.PositiveIntegerField()
    measure = models.CharField(max_length=16, default="accuracy")
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


class SamplingRound(models.Model):
    """One choice of what people see next: which strategy chose how many, and from what state of knowledge."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    revision = models.PositiveIntegerField()  # of the live head that it belongs to
    strategy = models.CharField(max_length=30)
    n = models.PositiveIntegerField()
    reasons = models.JSONField(default=dict)  # reason -> how many of the n
    labels_so_far = models.PositiveIntegerField()
    pool = models.PositiveIntegerField()  # items that could have been chosen
    seconds = models.FloatField()
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "revision"], name="sampling_round_once")]


class Snapshot(models.Model):
    """The resolutions a run was trained on, frozen. `hash` covers (text hash, truth) in item order."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    hash = models.CharField(max_length=64)
    n_items = models.PositiveIntegerField()
    checks = models.JSONField(null=True)  # how often users proved right; None where they were not to be listened to
    created_at = models.DateTimeField(default=timezone.now)


class SnapshotRow(models.Model):
    """The composite key (item, split) with CHECK split = 'pool' keeps hold-out items out of training."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="rows")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    split = models.CharField(max_length=8, default="pool")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+")
    value = models.JSONField(null=True)  # truths of the other task kinds, as in Resolution

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["snapshot", "item"], name="snapshot_item_once"),
            models.CheckConstraint(
                condition=Q(label__isnull=False) ^ Q(value__isnull=False), name="snapshot_label_or_value"
            ),
            models.CheckConstraint(condition=Q(split="pool"), name="snapshot_never_holdout"),
        ]


class SnapshotWeak(models.Model):
    """What users said of one text, frozen. A trigger refuses texts that are held out or have a truth, by their hash,
    and texts without consent; what is erased from the signals is gone from here."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="weak")
    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="+")  # whose text it is
    text_hash = models.BinaryField(max_length=32)
    voices = models.JSONField()  # [{"claim", "label": id, "source", "person": number within the snapshot} …]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["snapshot", "text_hash"], name="weak_text_once")]


class TrainingRun(models.Model):
    class Kind(models.TextChoices):
        HEAD = "head", _("Published head")
        TRANSFORMER = "transformer", _("Fine-tuned transformer")
        SEARCH = "search", _("Search for the best settings")
        ONNX = "onnx", _("Export to ONNX")
        PRUNE = "prune", _("Pruning")
        DISTIL = "distil", _("Distillation")
        ENSEMBLE = "ensemble", _("Ensemble of versions")

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        CANCELLING = "cancelling", _("cancelling")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")
        SUCCEEDED = "succeeded", _("succeeded")
        REFUSED = "refused", _("refused")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    config = models.JSONField(default=dict)  # encoder, labels, parents (version numbers), options …, as resolved
    seed = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)  # the fence
    heartbeat_at = models.DateTimeField(null=True)
    progress = models.FloatField(default=0)  # 0..1
    curve = models.JSONField(default=list)  # [{"step", "epoch", "loss", "lr"?, "dev_accuracy"?, "dev"? {…}} …]
    log_tail = models.TextField(blank=True)
    error = models.TextField(blank=True)  # a sentence
    snapshot = models.ForeignKey(Snapshot, on_delete=models.SET_NULL, null=True, related_name="+")
    version = models.OneToOneField(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="run")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    LIVE = (State.QUEUED, State.RUNNING, State.CANCELLING)
    DERIVED = (Kind.ONNX, Kind.PRUNE, Kind.DISTIL, Kind.ENSEMBLE)  # made of versions that are there already

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=["queued", "running", "cancelling"]),
                name="run_one_live_per_project",
            ),
        ]


class SearchTrial(models.Model):
    """One attempt of a search for the best settings."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    params = models.JSONField(default=dict)
    value = models.FloatField(null=True)  # the metric on the run's dev part
    state = models.CharField(max_length=16)  # running, complete, pruned, failed
    seconds = models.FloatField(null=True)
    curve = models.JSONField(default=list)  # [[epoch, value] …]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="search_trial_once")]


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


class FlipReview(models.Model):
    """Items that are answered differently since a promotion, put to people: once for each deployment."""

    deployment = models.OneToOneField(Deployment, on_delete=models.CASCADE, primary_key=True, related_name="+")
    flips = models.PositiveIntegerField(default=0)  # unlabelled pool items with another answer
    items = models.JSONField(default=list)  # ids of those that people were asked about
    at = models.DateTimeField(default=timezone.now)


class Trainable(models.Model):
    """A database view: the current truths that may be learned from. Hold-out items are not in it.

    Either `label` or `value` is there, by the project's task kind.
    """

    item = models.OneToOneField(Item, on_delete=models.DO_NOTHING, primary_key=True, related_name="+")
    project = models.ForeignKey(Project, on_delete=models.DO_NOTHING, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.DO_NOTHING, null=True, related_name="+")
    value = models.JSONField(null=True)
    changed_at = models.DateTimeField()
    text_hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "learning_trainable"
