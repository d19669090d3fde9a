"""What people said about an item, and the truth that came of it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.annotation.models.queue import Task
from apps.common.numbers import listed
from apps.content.models import Item, Split
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion


class Annotation(models.Model):
    """Append-only (trigger). An edit or an undo is a new revision of the same person's opinion on the item."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", _("suggestion accepted")
        CORRECTED = "corrected", _("suggestion corrected")
        SCRATCH = "scratch", _("without a suggestion")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="annotations", db_index=False)
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="annotations")
    task = models.ForeignKey(Task, on_delete=models.SET_NULL, null=True, related_name="annotations")
    annotator = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.UUIDField()  # made by the client per answer: sending twice stores once
    revision = models.PositiveIntegerField(default=1)
    retracted = models.BooleanField(default=False)  # this revision takes the opinion back (undo)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+")
    # several labels {"labels": [id …]}, spans {"spans": [{"start", "end", "label", "quote"} …], "text_hash": hex}
    value = models.JSONField(null=True)
    undecided = models.CharField(
        max_length=120, blank=True, db_default=""
    )  # "cannot decide", with one of the project's reasons
    note = models.TextField(blank=True)
    flagged = models.BooleanField(default=False)
    outcome = models.CharField(max_length=9, choices=Outcome.choices)
    shown_version = models.ForeignKey(ModelVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    shown = models.JSONField(null=True)  # the suggestion exactly as it stood on the page
    hidden = models.JSONField(null=True)  # the suggestion that this person did not see, to measure anchoring
    seconds = models.FloatField(null=True)
    late = models.BooleanField(default=False)  # came after its lease had run out
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["annotator", "key"], name="annotation_key_once"),
            models.UniqueConstraint(fields=["item", "annotator", "revision"], name="annotation_revision_once"),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="annotation_page"),
            models.Index(fields=["annotator", "-id"], name="annotation_latest_of"),
            models.Index(fields=["annotator", "item"], condition=Q(revision=1), name="annotation_items_of"),
            models.Index(fields=["project", "item"], condition=Q(flagged=True), name="annotation_flagged"),
            models.Index(fields=["project", "item"], condition=~Q(undecided=""), name="annotation_undecided"),
        ]


class Resolution(models.Model):
    """The item's current truth and how it came about."""

    class How(models.TextChoices):
        SINGLE = "single", _("one person's answer")
        CONSENSUS = "consensus", _("several people agree")
        ADJUDICATED = "adjudicated", _("decided by a reviewer")
        IMPORTED = "imported", _("imported")
        GOLD = "gold", _("gold item")
        BEHAVIOUR = "behaviour", _("what people clicked")

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="resolution")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+", db_index=False)
    split = models.CharField(max_length=8, choices=Split.choices)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    value = models.JSONField(null=True)  # multi {"labels": [id …]}, spans {"spans": [{start, end, label, quote} …]},
    # engagement {"shown": people, "clicked": people}
    how = models.CharField(max_length=12, choices=How.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    agreement = models.FloatField(null=True)  # of several opinions: share (or mean F1) that say the same as the truth
    certainty = models.FloatField(null=True)  # how sure the consensus rule is of it
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(label=None) | Q(value=None), name="resolution_label_or_value"),
        ]
        indexes = [
            models.Index(fields=["project", "item"], name="resolution_page"),
            models.Index(fields=["project", "changed_at"], name="resolution_changes"),
            models.Index(fields=["project"], condition=Q(split="holdout"), name="resolution_holdout"),
            models.Index(fields=["label", "item"], name="resolution_label"),  # the labels of a value: in SQL
            models.Index(
                fields=["project", "agreement", "item"],
                condition=Q(agreement__isnull=False),
                name="resolution_agreement",
            ),
        ]


class Change(models.Model):
    """One act on many truths: relabelling by hand, a merge of labels. Undone as one."""

    class Kind(models.TextChoices):
        RENAME = "rename", _("label renamed")
        MERGE = "merge", _("labels merged")
        SPLIT = "split", _("label split")
        ARCHIVE = "archive", _("label archived")
        SET = "set", _("labels set by hand")
        SIMILAR = "similar", _("similar items labelled at once")
        QUEUE = "queue", _("sent to the queue")
        SHELVE = "shelve", _("items archived")
        UNDO = "undo", _("taken back")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    what = models.JSONField(default=dict)  # what was asked for, and what an undo needs beyond the past truths
    n = models.PositiveIntegerField(default=0)  # items touched
    created_at = models.DateTimeField(default=timezone.now)
    undone_at = models.DateTimeField(null=True)

    @property
    def in_words(self) -> str:
        """What was done, with the names as they were then."""
        match self.kind, self.what:
            case self.Kind.RENAME, {"from": before, "to": after}:
                said = gettext("“%(before)s” is now called “%(after)s”") % {"before": before, "after": after}
            case self.Kind.MERGE, {"from": list() as before, "to": after}:
                said = gettext("%(before)s became “%(after)s”") % {"before": _names(before), "after": after}
            case self.Kind.SPLIT, {"from": before, "to": list() as after}:
                said = gettext("“%(before)s” was split into %(after)s") % {"before": before, "after": _names(after)}
            case self.Kind.ARCHIVE, {"label": label, "archived": True}:
                said = gettext("“%(label)s” was archived") % {"label": label}
            case self.Kind.ARCHIVE, {"label": label}:
                said = gettext("“%(label)s” is offered again") % {"label": label}
            case self.Kind.UNDO, {"of": change}:
                said = gettext("change %(number)s was taken back") % {"number": change}
            case _:
                said = self.get_kind_display()
        return said


def _names(names: list[str]) -> str:
    return listed(f"“{name}”" for name in names)


class PastTruth(models.Model):
    """What an item's truth was before. Written by a trigger on Resolution, so nothing can change a truth unseen.

    `change` is read from the setting marginalia.change of the transaction (services.changes.within).
    """

    # unchecked: when an item is erased, the trigger still notes what went with it
    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="past_truths", db_constraint=False)
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    value = models.JSONField(null=True)
    how = models.CharField(max_length=12)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )
    agreement = models.FloatField(null=True)
    certainty = models.FloatField(null=True)
    since = models.DateTimeField()
    until = models.DateTimeField(default=timezone.now)
    deleted = models.BooleanField(default=False)  # there was no truth afterwards
    change = models.ForeignKey(Change, on_delete=models.SET_NULL, null=True, related_name="past_truths")


class Gold(models.Model):
    """An item whose truth is beyond doubt, to teach newcomers and to measure everybody by."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="gold")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="golds")
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="+")
    value = models.JSONField(null=True)
    explanation = models.TextField(blank=True)  # shown to newcomers right after their answer
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # isnull, because Q(value=None) means the JSON null
            models.CheckConstraint(condition=Q(label__isnull=True) ^ Q(value__isnull=True), name="gold_label_or_value"),
        ]


class Comment(models.Model):
    """The thread in an item's margin."""

    item = models.ForeignKey(Item, on_delete=models.CASCADE, related_name="comments")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    mentions = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)
