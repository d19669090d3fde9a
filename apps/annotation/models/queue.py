import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from apps.content.models import Item, Split
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class Prediction(models.Model):
    """Immutable. One item under one version.

    Single and multi: the full probability vector in that version's label order, `label` the likeliest. Spans: `value`
    is {"spans": [{"start", "end", "label", "score"}]}, `confidence` the length-normalised likelihood of the reading,
    `margin` the mean margin of its least sure tokens.
    """

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="predictions")
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+", db_index=False)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    confidence = models.FloatField()
    margin = models.FloatField()  # likeliest minus second likeliest
    probabilities = HalfVectorField(null=True)
    value = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "item"], include=["label"], name="prediction_once"),
            models.CheckConstraint(
                condition=Q(probabilities__isnull=False, label__isnull=False) | Q(value__isnull=False),
                name="prediction_says_something",
            ),
        ]
        # what the explorer filters and sorts by, each in the order of its pages; the labels of a value have one in SQL
        indexes = [
            models.Index(fields=["label", "version", "item"], name="prediction_label"),
            models.Index(fields=["version", "confidence", "item"], name="prediction_confidence"),
            models.Index(fields=["version", "margin", "item"], name="prediction_margin"),
        ]


class Task(models.Model):
    """One wish for people to look at an item. `state` with its partial index is what hand-out reads."""

    class State(models.TextChoices):
        OPEN = "open", _("open")  # a free place
        FULL = "full", _("handed out")  # all wanted places leased or answered
        DONE = "done", _("done")
        CLOSED = "closed", _("closed")
        GOLD = "gold", _("gold item")  # for everybody once, mixed in by hand-out; never open

    class Reason(models.TextChoices):
        COLD_START = "cold_start", _("a typical example of its kind, to begin with")
        UNCERTAIN = "uncertain", _("the model is unsure about it")
        RANDOM = "random", _("drawn at random, to keep the picture honest")
        HOLDOUT = "holdout", _("held out, to measure the model")
        FEEDBACK = "feedback", _("users complained about the answer")
        FLIP = "flip", _("the new model answers differently")
        CHOSEN = "chosen", _("chosen by hand")
        SUSPECT = "suspect", _("its label may be wrong")
        GOLD = "gold", _("gold item")  # said to reviewers only

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tasks", db_index=False)  # task_page
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="tasks")
    split = models.CharField(max_length=8, choices=Split.choices)  # of the item; composite key in the database
    reason = models.CharField(max_length=12, choices=Reason.choices, default=Reason.RANDOM)
    score = models.FloatField(null=True)  # what the reason measured, for example the margin
    rank = models.BigIntegerField()  # smaller is sooner; below TOP is what the live head put there
    wanted = models.PositiveSmallIntegerField(default=1)
    taken = models.PositiveSmallIntegerField(default=0)  # places leased or answered; the row lock guards it
    state = models.CharField(max_length=6, choices=State.choices, default=State.OPEN)
    # {"head": revision, "labels": [id …], "probabilities": [p …]}; several labels: also "thresholds": [t …];
    # spans: {"version": number, "spans": [{"start", "end", "label", "score"} …]}
    suggestion = models.JSONField(null=True)
    audience = models.ForeignKey("Audience", on_delete=models.SET_NULL, null=True, related_name="tasks")  # null: all
    others_until = models.DateTimeField(null=True)  # till then it is for people who have not answered its item yet
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    TOP = 1_000_000  # ranks below are chosen by the head, ranks above are the random order of arrival
    LAST = TOP + (1 << 53)  # hold-out tasks beyond the target wait here

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"], condition=Q(state__in=["open", "full"]), name="task_one_live_per_item"
            ),
            models.CheckConstraint(condition=Q(taken__lte=F("wanted")), name="task_not_overbooked"),
            models.CheckConstraint(
                condition=Q(reason="holdout") ^ Q(split="pool"), name="task_holdout_only_as_holdout"
            ),
            models.CheckConstraint(
                condition=Q(split="pool") | Q(suggestion=None), name="task_holdout_is_labelled_blind"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="task_page"),
            models.Index(fields=["project", "rank"], condition=Q(state="open", audience=None), name="task_queue"),
            models.Index(
                fields=["audience", "rank"], condition=Q(state="open", audience__isnull=False), name="task_queue_named"
            ),
            models.Index(fields=["project", "id"], condition=Q(state="gold"), name="task_gold"),
            models.Index(fields=["project", "reason", "item"], condition=~Q(reason="random"), name="task_reason"),
            models.Index(
                fields=["project", "rank"], condition=Q(state="open", split="holdout"), name="task_holdout_open"
            ),
        ]


class Audience(models.Model):
    """Named people or a group that a task is for. Without a name it was made for one occasion."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="audiences")
    name = models.CharField(max_length=120, blank=True)
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="audiences")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "name"], condition=~Q(name=""), name="audience_name_once")
        ]


class Lease(models.Model):
    """A person's hold on a task; unique for ever, so nobody meets the same task twice.

    Nor the same item, unless it is asked about again on purpose (a complaint, a flip, a suspicion, a choice by hand):
    a trigger writes `item` and `again` from the task, and a unique index refuses the rest.
    """

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        ANSWERED = "answered", _("answered")
        SKIPPED = "skipped", _("skipped")
        EXPIRED = "expired", _("expired")

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="leases")
    # goes with its task; unchecked, because the trigger takes it from there
    item = models.ForeignKey(
        Item, on_delete=models.DO_NOTHING, null=True, related_name="+", db_constraint=False, db_index=False
    )
    again = models.BooleanField(default=False, db_default=False)  # this person had the item before, on another task
    # no index of its own: hand-out would fall for it and read all that a person ever had
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    token = models.UUIDField(default=uuid.uuid4, unique=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ACTIVE)
    claimed_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    shown = models.JSONField(null=True)  # the task's suggestion as it stood when this person got it
    hidden = models.JSONField(null=True)  # the same, kept back: drawn for the blind share
    around = True  # no column: False where the hand-out saw that its text has neither a thread nor comments

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["task", "annotator"], name="lease_once_per_person"),
            models.UniqueConstraint(
                fields=["item", "annotator"], condition=Q(again=False), name="lease_item_once_per_person"
            ),
        ]
        indexes = [
            models.Index(fields=["annotator"], condition=Q(state="active"), name="lease_active_of"),
            models.Index(fields=["expires_at"], condition=Q(state="active"), name="lease_active_expiry"),
        ]


class Arrival(models.Model):
    """How far this project's items have been taken in (tasks opened, imported labels resolved)."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    last_item = models.BigIntegerField(default=0)
    # so large a share, and so many people, waiting tasks may have been made with; more than the project's settings
    # say only until overlap.py has been over them
    overlap_share = models.FloatField(default=0.0)
    overlap_wanted = models.PositiveSmallIntegerField(default=0)
