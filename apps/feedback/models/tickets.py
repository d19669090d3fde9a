from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from apps.annotation.models import Task
from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class Ticket(models.Model):
    """Complaints that are about the same thing. What a product manager triages."""

    class State(models.TextChoices):
        NEW = "new", _("new")
        ACCEPTED = "accepted", _("accepted")
        LABELLING = "labelling", _("in labelling")
        CONFIRMED = "confirmed", _("complaint was right")  # a regression case exists, waiting for a version
        FIXED = "fixed", _("fixed")
        REGRESSED = "regressed", _("came back")
        DISMISSED = "dismissed", _("dismissed")
        DUPLICATE = "duplicate", _("duplicate")
        SNOOZED = "snoozed", _("snoozed")

    class Dismissal(models.TextChoices):
        MODEL_RIGHT = "model_right", _("the model was right")
        UNCLEAR = "unclear", _("unclear what is wanted")
        OUT_OF_SCOPE = "out_of_scope", _("not what this model is for")
        SPAM = "spam", _("spam")
        WONT_FIX = "wont_fix", _("will not be changed")

    WAITING = (State.NEW, State.REGRESSED)  # what the triage list asks about
    OPEN = (State.NEW, State.ACCEPTED, State.LABELLING, State.CONFIRMED, State.REGRESSED, State.SNOOZED)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="tickets", db_index=False)
    number = models.PositiveIntegerField()  # 1, 2, 3 … per project; what people say
    text = models.TextField(blank=True)  # of the signal that opened it; empty without consent
    text_hash = models.BinaryField(max_length=32, null=True)
    wording = models.BinaryField(null=True)  # letter n-grams of the text, float16: what later signals are compared with
    vector = HalfVectorField(null=True)  # the text's meaning under `encoder_digest`: for tickets that are alike
    encoder_digest = models.CharField(max_length=64, blank=True)
    predicted = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    wanted = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    said = models.JSONField(null=True)  # what the model said where that is not one label, as in Prediction.value
    item = models.ForeignKey(Item, on_delete=models.SET_NULL, null=True, related_name="tickets")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="tickets")
    state = models.CharField(max_length=9, choices=State.choices, default=State.NEW)
    state_at = models.DateTimeField(default=timezone.now)
    assignee = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    dismissal = models.CharField(max_length=12, choices=Dismissal.choices, blank=True)
    answer = models.TextField(blank=True)  # what may be sent to those who complained
    duplicate_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="duplicates")
    snoozed_until = models.DateTimeField(null=True)
    snoozed_reach = models.PositiveIntegerField(null=True)  # wakes when so many people are reached
    fixed_in = models.ForeignKey(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    # written whole by the grouping job from the signals, never counted up: what the list is ordered by
    reach = models.PositiveIntegerField(default=0)  # people
    priority = models.FloatField(default=0)
    first_signal_at = models.DateTimeField(default=timezone.now)
    last_signal_at = models.DateTimeField(default=timezone.now)
    looked_at = models.DateTimeField(null=True)  # when somebody first opened it
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="ticket_number_once"),
            models.CheckConstraint(condition=~Q(duplicate_of=F("id")), name="ticket_not_its_own_duplicate"),
        ]
        indexes = [
            models.Index(fields=["project", "state", "-priority"], name="ticket_queue"),
            models.Index(fields=["project", "predicted", "wanted"], name="ticket_pair"),
            models.Index(fields=["project", "id"], condition=Q(vector=None) & ~Q(text=""), name="ticket_unread"),
        ]


class TicketMove(models.Model):
    """Append-only: who moved a ticket from where to where, and what had been there, so that it can be undone."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="moves")
    action = models.CharField(max_length=20)  # accept, dismiss, snooze, assign, resolve, fix, regress, undo …
    before = models.CharField(max_length=9, choices=Ticket.State.choices)
    after = models.CharField(max_length=9, choices=Ticket.State.choices)
    data = models.JSONField(default=dict)  # the fields as they were and as they became
    bulk = models.UUIDField(null=True)  # moves made together, to be undone together
    undoes = models.OneToOneField("self", on_delete=models.SET_NULL, null=True, related_name="undone_by")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["bulk"], condition=Q(bulk__isnull=False), name="move_bulk")]


class SavedQueue(models.Model):
    """A filter of the triage list under a name, for everybody in the project or for one person."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(max_length=500)  # as in the page's address
    created_at = models.DateTimeField(default=timezone.now)
