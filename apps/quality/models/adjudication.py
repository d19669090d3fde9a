from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.annotation.models import Task
from apps.content.models import Item
from apps.projects.models import Project


class Adjudication(models.Model):
    """What the consensus rule could not settle: a reviewer decides, with the answers side by side."""

    class Why(models.TextChoices):
        TIE = "tie", _("as many say one thing as another")
        UNSURE = "unsure", _("the consensus is too unsure")
        UNDECIDED = "undecided", _("somebody could not decide")
        FLAGGED = "flagged", _("somebody flagged it")
        ASKED = "asked", _("a reviewer put it here")

    class State(models.TextChoices):
        OPEN = "open", _("open")
        DECIDED = "decided", _("decided")
        SENT_BACK = "sent_back", _("sent back")
        SETTLED = "settled", _("settled by itself")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="adjudications")
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="adjudications")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="+")
    why = models.CharField(max_length=10, choices=Why.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    comment = models.TextField(blank=True)
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item"], condition=Q(state="open"), name="adjudication_one_open_per_item")
        ]
        indexes = [models.Index(fields=["project", "id"], condition=Q(state="open"), name="adjudication_queue")]
