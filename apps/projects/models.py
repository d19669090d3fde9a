from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Role(models.TextChoices):
    VIEWER = "viewer", _("Viewer")
    ANNOTATOR = "annotator", _("Annotator")
    REVIEWER = "reviewer", _("Reviewer")
    PRODUCT_MANAGER = "product_manager", _("Product manager")
    ADMINISTRATOR = "administrator", _("Administrator")


class Project(models.Model):
    class TaskKind(models.TextChoices):
        SINGLE = "single", _("One label per text")
        MULTI = "multi", _("Several labels per text")
        SPANS = "spans", _("Labelled spans in the text")
        ENGAGEMENT = "engagement", _("Click-through: will people click?")

    class Consensus(models.TextChoices):
        MAJORITY = "majority", _("majority")
        DAWID_SKENE = "dawid_skene", _("Dawid–Skene: everybody's habits are estimated")
        CROWDLAB = "crowdlab", _("CROWDLAB: people and the model weigh in together")

    class EncoderRuntime(models.TextChoices):
        AUTO = "auto", _("the fastest that gives the same answers here")
        TORCH = "torch", _("PyTorch")
        ONNX_FP32 = "onnx-fp32", _("ONNX Runtime")
        ONNX_INT8 = "onnx-int8", _("ONNX Runtime, 8-bit weights")

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(_("name"), max_length=120)
    task_kind = models.CharField(_("task kind"), max_length=10, choices=TaskKind.choices, default=TaskKind.SINGLE)
    language = models.CharField(_("language"), max_length=10, default="en")
    guidelines = models.TextField(_("guidelines"), blank=True)  # Markdown, sanitised when shown
    labels_closed = models.BooleanField(_("only known labels may be imported"), default=False)
    encoder = models.CharField(_("encoder"), max_length=300)  # minilm-l6, a Hugging Face id, or a path
    encoder_runtime = models.CharField(
        _("how vectors are computed"), max_length=10, choices=EncoderRuntime.choices, default=EncoderRuntime.AUTO
    )
    seed = models.PositiveIntegerField(default=0)

    # how the queue is made (design, section 3)
    strategy = models.CharField(_("sampling"), max_length=30, default="auto")  # or a name in sampling.STRATEGIES
    wanted = models.PositiveSmallIntegerField(
        _("people per item"), default=1, validators=[MinValueValidator(1), MaxValueValidator(20)]
    )
    random_share = models.FloatField(
        _("random share"), default=0.15, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    holdout_share = models.FloatField(
        _("hold-out share"), default=0.2, validators=[MinValueValidator(0), MaxValueValidator(1)]
    )
    holdout_target = models.PositiveIntegerField(_("hold-out items to label"), default=400)
    holdout_fraction = models.FloatField(
        _("part of new content held out"), default=0.1, validators=[MinValueValidator(0), MaxValueValidator(0.5)]
    )
    holdout_cap = models.PositiveIntegerField(_("hold-out items at most"), default=1000)
    lease_seconds = models.PositiveIntegerField(default=600, validators=[MinValueValidator(30)])

    # how people label, and how their labels are looked after
    overlap_share = models.FloatField(
        _("share of texts that several people label"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    overlap_wanted = models.PositiveSmallIntegerField(
        _("people for those"), default=3, validators=[MinValueValidator(2), MaxValueValidator(20)]
    )
    blind_share = models.FloatField(
        _("share without a suggestion, to measure anchoring"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    overlapping = models.BooleanField(_("spans may overlap and lie inside one another"), default=False)
    undecided_reasons = models.JSONField(_("reasons why somebody cannot decide"), default=list, blank=True)
    consensus = models.CharField(
        _("how several answers become one"), max_length=12, choices=Consensus.choices, default=Consensus.MAJORITY
    )
    adjudicate_below = models.FloatField(
        _("a reviewer decides below this certainty"),
        default=0.5,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    gold_share = models.FloatField(
        _("share of gold items in the queue"), default=0.0, validators=[MinValueValidator(0), MaxValueValidator(0.5)]
    )
    gold_floor = models.FloatField(
        _("pause people whose gold accuracy is surely below"),
        default=0.0,
        validators=[MinValueValidator(0), MaxValueValidator(1)],
    )
    training_items = models.PositiveSmallIntegerField(_("gold items a newcomer begins with"), default=0)
    ranking_shown = models.BooleanField(_("annotators see how they compare"), default=False)

    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    joined_at = models.DateTimeField(default=timezone.now)
    paused_at = models.DateTimeField(null=True)  # gets no tasks until somebody lets them go on
    paused_why = models.CharField(max_length=300, blank=True)
    trained_at = models.DateTimeField(null=True)  # went through the newcomers' gold items, or was let off

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="member_once")]


class Invitation(models.Model):
    """The only way in for a new person. The link holds a random secret; the row keeps its SHA-256."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=16, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)


class Label(models.Model):
    """Archived, never deleted: old truths and old model versions keep pointing at it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(_("name"), max_length=120)
    group = models.CharField(_("group"), max_length=120, blank=True)  # the upper of two levels; search finds it too
    description = models.TextField(_("description"), blank=True)
    examples = models.TextField(_("examples"), blank=True)  # one text a line
    color = models.PositiveSmallIntegerField(_("colour"), default=1)  # 1..12, a --label-N token
    hotkey = models.CharField(_("key"), max_length=1, blank=True)
    position = models.PositiveIntegerField(default=0)
    archived_at = models.DateTimeField(null=True)
    # what truths with this label say since; old versions and old answers that name it mean this one
    merged_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="merged")

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], name="label_name_once"),
            models.UniqueConstraint(
                fields=["project", "hotkey"],
                condition=~Q(hotkey="") & Q(archived_at=None),
                name="label_hotkey_once",
            ),
            models.CheckConstraint(condition=Q(color__gte=1, color__lte=12), name="label_color_1_to_12"),
        ]

    def __str__(self) -> str:
        return self.name
