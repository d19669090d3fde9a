from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class Measure(models.TextChoices):
    SERVED = "served", _("answers of the model")
    SIGNALS = "signals", _("feedback")


class Bucket(models.Model):
    """How many rows of one kind came in an hour: counted anew while the rows exist, kept when they are gone."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    hour = models.DateTimeField()
    measure = models.CharField(max_length=7, choices=Measure.choices)
    label = models.ForeignKey(Label, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, null=True, related_name="+", db_index=False)
    source = models.CharField(max_length=60, blank=True)
    polarity = models.SmallIntegerField(default=0)
    n = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "measure", "hour", "label", "version", "source", "polarity"],
                name="bucket_once",
                nulls_distinct=False,
            )
        ]


class Watch(models.Model):
    """How far a project's rows are counted, and which of its labels speak well or ill."""

    project = models.OneToOneField(Project, on_delete=models.CASCADE, primary_key=True, related_name="+")
    counted_through = models.DateTimeField(null=True)
    negative = ArrayField(models.BigIntegerField(), default=list)  # label ids
    positive = ArrayField(models.BigIntegerField(), default=list)
    sentiment_set = models.BooleanField(default=False)  # a person said so; until then the names are guessed from
    topics_at = models.DateTimeField(null=True)
    topics_digest = models.CharField(max_length=64, blank=True)
    drift = models.JSONField(default=dict)  # the last comparison of this week's content with the weeks before
    drift_at = models.DateTimeField(null=True)


class Topic(models.Model):
    """A cluster of texts that keeps its number from one fit to the next."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    number = models.PositiveIntegerField()
    words = ArrayField(models.CharField(max_length=80))
    centre = ArrayField(models.FloatField())
    live = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="topic_number_once")]

    def __str__(self) -> str:
        return ", ".join(self.words) or str(self.number)


class TextTopic(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    text_hash = models.BinaryField(max_length=32)
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "text_hash"], name="text_topic_once")]


class AlarmRule(models.Model):
    """What is watched. A rule over each label watches as many streams as there are labels, within one budget."""

    class Stream(models.TextChoices):
        NEGATIVE = "negative", _("the share of negative answers")
        LABEL = "label", _("the share of one label")
        EACH_LABEL = "each_label", _("the share of each label")
        COMPLAINTS = "complaints", _("the share of complaints in the feedback")
        SERVED = "served", _("questions to the model")
        SIGNALS = "signals", _("feedback")
        CONTENT = "content", _("what the texts are about")

    class Direction(models.TextChoices):
        UP = "up", _("rises")
        DOWN = "down", _("falls")
        STOPS = "stops", _("stops coming")
        CHANGES = "changes", _("changes")

    class Patience(models.IntegerChoices):
        """Days in which about one false alarm is borne."""

        EAGER = 7, _("early: about one false alarm in 7 days")
        USUAL = 30, _("usual: about one false alarm in 30 days")
        PATIENT = 90, _("only when it is plain: about one false alarm in 90 days")

    SHARES = (Stream.NEGATIVE, Stream.LABEL, Stream.EACH_LABEL, Stream.COMPLAINTS)

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alarm_rules")
    stream = models.CharField(_("watch"), max_length=10, choices=Stream.choices)
    label = models.ForeignKey(Label, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    direction = models.CharField(_("tell me when it"), max_length=7, choices=Direction.choices)
    patience = models.PositiveSmallIntegerField(
        _("how soon"), choices=Patience.choices, default=Patience.USUAL, validators=[MinValueValidator(1)]
    )
    to_inbox = models.BooleanField(_("inbox and e-mail of product managers and administrators"), default=True)
    to_webhook = models.BooleanField(_("webhooks"), default=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    checked_through = models.DateTimeField(null=True)  # the last whole hour that was judged
    state = models.CharField(max_length=200, blank=True)  # what the last look found, in words, when it could not judge
    removed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(stream="label") ^ Q(label=None), name="alarm_rule_label_where_needed"),
            models.UniqueConstraint(
                fields=["project", "stream", "label", "direction"],
                condition=Q(removed_at=None),
                nulls_distinct=False,
                name="alarm_rule_once",
            ),
        ]


class Alarm(models.Model):
    """Raised by a rule on one stream; open until somebody closes it or the stream is back where it was."""

    class State(models.TextChoices):
        RAISED = "raised", _("raised")
        ACKNOWLEDGED = "acknowledged", _("somebody is on it")
        SNOOZED = "snoozed", _("snoozed")
        CLOSED = "closed", _("closed")

    rule = models.ForeignKey(AlarmRule, on_delete=models.CASCADE, related_name="alarms", db_index=False)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="alarms")
    label = models.ForeignKey(Label, on_delete=models.CASCADE, null=True, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.RAISED)
    onset = models.DateTimeField()  # when it most likely began
    hour = models.DateTimeField()  # the hour after which it was raised
    evidence = models.JSONField()  # as it stood when it was raised: hours, items, hits, expected, score, threshold
    raised_at = models.DateTimeField(default=timezone.now)
    snoozed_until = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "label"], condition=~Q(state="closed"), nulls_distinct=False, name="alarm_open_once"
            ),
            models.CheckConstraint(condition=Q(state="closed") ^ Q(closed_at=None), name="alarm_closed_when"),
        ]
        indexes = [models.Index(fields=["project", "-id"], name="alarm_list")]


class AlarmMove(models.Model):
    """Append-only: what was done about an alarm."""

    class Action(models.TextChoices):
        RAISE = "raise", _("raised")
        ACKNOWLEDGE = "acknowledge", _("taken on")
        SNOOZE = "snooze", _("snoozed")
        WAKE = "wake", _("woke up again")
        CLOSE = "close", _("closed")

    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="moves")
    action = models.CharField(max_length=11, choices=Action.choices)
    note = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)
