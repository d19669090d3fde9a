import secrets
import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.projects.models import Project


class Event(models.TextChoices):
    """What an endpoint can ask to be told."""

    TICKET_OPENED = "ticket.opened", _("a ticket is opened")
    TICKET_MOVED = "ticket.moved", _("a ticket moves to another state")
    TICKET_FIXED = "ticket.fixed", _("a version fixes a ticket")
    TICKET_REGRESSED = "ticket.regressed", _("a fixed ticket comes back")
    REWARD_GRANTED = "reward.granted", _("a contributor is given points")
    ALARM_RAISED = "alarm.raised", _("an alarm is raised")
    VERSION_PROMOTED = "version.promoted", _("another model version goes live")


def new_salt() -> str:
    return secrets.token_hex(16)


class Notice(models.Model):
    """One thing that one person should know. It is mailed from here, too, when they want mail."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True)
    url = models.CharField(max_length=500, blank=True)  # a path of this installation
    key = models.CharField(max_length=200)  # telling the same twice stores once
    at = models.DateTimeField(default=timezone.now)
    read_at = models.DateTimeField(null=True)
    mail_due_at = models.DateTimeField(null=True)  # empty: no mail, or sent, or given up
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mailed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "key"], name="notice_key_once")]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_inbox"),
            models.Index(fields=["user"], condition=Q(read_at=None), name="notice_unread"),
            models.Index(fields=["mail_due_at"], condition=Q(mail_due_at__isnull=False), name="notice_mail_due"),
        ]


class MailPreference(models.Model):
    """How a person wants notices by e-mail. No row means once a day."""

    class Mode(models.TextChoices):
        NONE = "none", _("none")
        AT_ONCE = "at_once", _("each at once")
        DAILY = "daily", _("once a day, what is still unread")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, primary_key=True, related_name="mail_preference"
    )
    mode = models.CharField(_("notices by e-mail"), max_length=8, choices=Mode.choices, default=Mode.DAILY)


class Webhook(models.Model):
    """An address of the host product that is told what happens. Its secret is derived from `salt`, never stored."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(_("address"), max_length=500)
    events = ArrayField(models.CharField(max_length=30, choices=Event.choices))
    salt = models.CharField(max_length=32, default=new_salt)
    failing_since = models.DateTimeField(null=True)  # no delivery has come through since then
    disabled_at = models.DateTimeField(null=True)
    disabled_why = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)


class Delivery(models.Model):
    """One event for one endpoint: sent until it is taken or given up; in order for each thing it is `about`."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DONE = "done", _("delivered")
        GIVEN_UP = "given_up", _("given up")

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    uid = models.UUIDField(default=uuid.uuid4, unique=True)  # what the receiver knows it by; a second try keeps it
    event = models.CharField(max_length=30)  # one of Event, or "test"
    about = models.CharField(max_length=100)
    key = models.CharField(max_length=200)  # publishing the same twice stores once
    payload = models.JSONField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    status = models.PositiveSmallIntegerField(null=True)  # of the last answer
    error = models.CharField(max_length=300, blank=True)  # our words, never the receiver's
    milliseconds = models.PositiveIntegerField(null=True)  # the last attempt took
    created_at = models.DateTimeField(default=timezone.now)
    tried_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["webhook", "key"], name="delivery_key_once")]
        indexes = [
            models.Index(fields=["webhook", "-id"], name="delivery_list"),
            models.Index(fields=["due_at"], condition=Q(state="waiting"), name="delivery_due"),
            models.Index(fields=["webhook", "about", "id"], condition=Q(state="waiting"), name="delivery_order"),
        ]
