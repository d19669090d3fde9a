from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.annotation.models import Task
from apps.content.models import Item
from apps.projects.models import Label, Project


@dataclass(frozen=True)
class Suggestion:
    """What a doubted truth might be instead, in the shape of a truth."""

    label: Label | None
    value: dict[str, Any] | None


class SuspectRun(models.Model):
    """One look for label errors over all truths of the pool, with out-of-fold probabilities."""

    class State(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("done")
        FAILED = "failed", _("failed")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="suspect_runs")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    looked_at = models.PositiveIntegerField(default=0)  # truths
    flagged = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    heartbeat_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)  # the lead asks no further

    LIVE = (State.QUEUED, State.RUNNING)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=Q(state__in=["queued", "running"]), name="suspect_run_one_live"
            )
        ]


class Suspect(models.Model):
    """A truth that the model doubts."""

    class State(models.TextChoices):
        LISTED = "listed", _("listed")
        ASKED = "asked", _("people are asked again")
        WRONG = "wrong", _("it was wrong")
        RIGHT = "right", _("it was right")

    run = models.ForeignKey(SuspectRun, on_delete=models.CASCADE, related_name="suspects")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="+")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+")  # given
    value = models.JSONField(null=True)
    # several labels: the one whose absence or presence is least believable
    suggested = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+")
    suggested_value = models.JSONField(null=True)
    score = models.FloatField()  # label quality, 0 is surely wrong
    rank = models.PositiveIntegerField()
    state = models.CharField(max_length=6, choices=State.choices, default=State.LISTED)
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+")
    # when somebody was asked or judged it; without, a truth that changed by chance tells nothing about the list
    asked_at = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "item"], name="suspect_once_a_run")]
        indexes = [models.Index(fields=["run", "rank"], name="suspect_rank")]

    @property
    def instead(self) -> Suggestion:
        return Suggestion(self.suggested if self.suggested_value is None else None, self.suggested_value)
