from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.feedback.models.intake import Signal
from apps.feedback.models.tickets import Ticket
from apps.projects.models import Project


class RewardRule(models.Model):
    """How many points a contribution is worth."""

    class Outcome(models.TextChoices):
        SENT = "sent", _("was sent")
        RIGHT = "right", _("proved right")
        FIXED = "fixed", _("led to a fix")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=9, choices=Signal.Kind.choices)
    outcome = models.CharField(max_length=5, choices=Outcome.choices)
    points = models.PositiveIntegerField(_("points"))
    per_day = models.PositiveIntegerField(_("at most a day, per person"), default=10)  # contributions that earn
    since = models.DateTimeField(default=timezone.now)  # what came before earns nothing

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "kind", "outcome"], name="reward_rule_once")]


class RewardEntry(models.Model):
    """Append-only (trigger). The balance of a person is the sum."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    subject = models.CharField(max_length=64)
    points = models.IntegerField()  # negative takes back
    outcome = models.CharField(max_length=5, choices=RewardRule.Outcome.choices)
    signal = models.ForeignKey(Signal, on_delete=models.SET_NULL, null=True, related_name="+")
    ticket = models.ForeignKey(Ticket, on_delete=models.SET_NULL, null=True, related_name="+")
    why = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["signal", "outcome"], condition=Q(points__gt=0), name="reward_once_per_signal_and_outcome"
            ),
            models.UniqueConstraint(
                fields=["signal", "outcome"], condition=Q(points__lt=0), name="reward_taken_back_once"
            ),
        ]
        indexes = [models.Index(fields=["project", "subject", "at"], name="reward_of_subject")]
