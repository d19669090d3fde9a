from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from apps.serving.models import Served


class FeedbackPolicy(models.Model):
    """What a project does with feedback. No row means the defaults below."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    person_cap = models.PositiveSmallIntegerField(
        _("signals of one person that count in a day"), default=3, validators=[MinValueValidator(1)]
    )
    allowed_breaks = models.PositiveIntegerField(_("pinned regression cases that a version may break"), default=0)
    flip_review = models.PositiveIntegerField(_("flipped items to look at after a promotion"), default=50)
    weak_labels = models.BooleanField(_("let users' corrections into training, as weak labels"), default=False)
    rewards = models.BooleanField(_("points for contributors"), default=False)


class IntakeKey(models.Model):
    """Lets a host product send feedback, and nothing else. The key itself is shown once; its SHA-256 stays."""

    class Kind(models.TextChoices):
        PUBLISHABLE = "publishable", _("publishable: in web pages and apps")
        SECRET = "secret", _("secret: between servers, in batches")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="intake_keys")
    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=12, choices=Kind.choices, default=Kind.PUBLISHABLE)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)
    origins = models.JSONField(default=list)  # ["https://shop.example.org", …]; a browser elsewhere is refused
    per_minute = models.PositiveIntegerField(
        _("events a minute, from one address"), default=60, validators=[MinValueValidator(1)]
    )
    per_day = models.PositiveIntegerField(
        _("events a day"), default=100_000, validators=[MinValueValidator(1), MaxValueValidator(1_000_000_000)]
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    revoked_at = models.DateTimeField(null=True)


class Signal(models.Model):
    """One event of feedback as it came in. The grouping job gives it a state and, where it complains, a ticket."""

    class Kind(models.TextChoices):
        THUMB = "thumb", _("thumb")  # value {"up": bool}
        RATING = "rating", _("rating")  # value {"rating": 2, "of": 5}
        LABEL = "label", _("corrected label")  # wanted
        SPANS = "spans", _("corrected spans")  # value {"spans": [{start, end, label, quote} …]}
        COMMENT = "comment", _("comment")
        ANSWER = "answer", _("survey answer")  # value {"survey", "question", "answer"}
        SHOWN = "shown", _("shown")
        CLICKED = "clicked", _("clicked")
        ACCEPTED = "accepted", pgettext_lazy("by a user", "accepted")
        DISMISSED = "dismissed", pgettext_lazy("by a user", "dismissed")
        DWELL = "dwell", _("time spent")  # value {"ms": 3200}

    BEHAVIOUR = (Kind.SHOWN, Kind.CLICKED, Kind.ACCEPTED, Kind.DISMISSED, Kind.DWELL)

    class State(models.TextChoices):
        NEW = "new", _("new")
        GROUPED = "grouped", _("in a ticket")
        KEPT = "kept", _("counted")  # praise and behaviour: nothing to triage
        ASIDE = "aside", _("set aside")  # spam, a burst, one person's flood; never deleted

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="signals", db_index=False)
    key = models.ForeignKey(IntakeKey, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    event = models.CharField(max_length=64)  # the client's id of it: sending twice stores once
    kind = models.CharField(max_length=9, choices=Kind.choices)
    polarity = models.SmallIntegerField(default=0)  # −1 complains, +1 praises, 0 neither
    served = models.ForeignKey(Served, on_delete=models.SET_NULL, null=True, related_name="+")
    item = models.ForeignKey(Item, on_delete=models.SET_NULL, null=True, related_name="+")
    version = models.ForeignKey(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    text = models.TextField(blank=True)  # what the model was asked about; only with consent
    text_hash = models.BinaryField(max_length=32, null=True)
    predicted = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    wanted = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    confidence = models.FloatField(null=True)
    value = models.JSONField(null=True)
    comment = models.TextField(blank=True)
    subject = models.CharField(max_length=64, blank=True)  # HMAC of the host's key for the person
    address = models.CharField(max_length=64, blank=True)  # HMAC of the network address, to see bursts
    consent = models.BooleanField(default=False)
    language = models.CharField(max_length=10, blank=True)
    source = models.CharField(max_length=60, blank=True)  # widget, api, demo, survey, or what the host says
    state = models.CharField(max_length=7, choices=State.choices, default=State.NEW)
    why_aside = models.CharField(max_length=200, blank=True)  # stays when somebody brings it back: not caught twice
    counted = models.BooleanField(db_default=False)  # a complaint within its person's cap of that day: makes reach
    ticket = models.ForeignKey("feedback.Ticket", on_delete=models.SET_NULL, null=True, related_name="signals")
    occurred_at = models.DateTimeField(default=timezone.now)  # by the host's clock
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "event"], name="signal_event_once"),
            models.CheckConstraint(condition=Q(consent=True) | Q(text=""), name="signal_text_needs_consent"),
        ]
        indexes = [
            models.Index(fields=["project", "id"], condition=Q(state="new"), name="signal_new"),
            models.Index(fields=["project", "received_at"], name="signal_time"),
            models.Index(fields=["project", "kind", "occurred_at"], name="signal_kind_time"),
        ]
