from django.conf import settings
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from pgvector.django import HalfVectorField

from apps.projects.models import Project

MAX_TEXT = 25_000  # code points


class Split(models.TextChoices):
    POOL = "pool", _("Pool")
    HOLDOUT = "holdout", _("Hold-out")


class ImportJob(models.Model):
    class State(models.TextChoices):
        DRAFT = "draft", _("waiting for its mapping")
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="imports")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    file = models.CharField(max_length=300)  # name below HOME/files, made by us, never the client's
    filename = models.CharField(max_length=200)  # what the person called it, only ever shown
    format = models.JSONField(default=dict)  # kind, encoding, delimiter, header
    mapping = models.JSONField(default=dict)  # field of ours -> column of theirs
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    total_bytes = models.BigIntegerField(default=0)
    done_bytes = models.BigIntegerField(default=0)
    rows_read = models.BigIntegerField(default=0)
    rows_added = models.BigIntegerField(default=0)
    rows_known = models.BigIntegerField(default=0)  # already here with the same text
    rows_skipped = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    attempt = models.PositiveSmallIntegerField(default=0)  # the fence: every write names the attempt it belongs to
    heartbeat_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)


class RejectedRow(models.Model):
    job = models.ForeignKey(ImportJob, on_delete=models.CASCADE, related_name="rejected")
    line = models.BigIntegerField()
    reason = models.TextField()
    excerpt = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "line"], name="rejected_line_once")]


class Item(models.Model):
    """Text and split never change after arrival (trigger); offsets into `text` are code points."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="items", db_index=False)
    external_id = models.CharField(max_length=200)
    text = models.TextField()
    text_hash = models.BinaryField(max_length=32)  # SHA-256 of the UTF-8 bytes
    split = models.CharField(max_length=8, choices=Split.choices)
    language = models.CharField(max_length=10, blank=True)
    subject = models.CharField(max_length=200, blank=True)  # pseudonym of whom the text is about or from
    thread = models.CharField(
        max_length=200, blank=True, db_default=""
    )  # what belongs to one conversation, in order of id
    url = models.URLField(max_length=1000, blank=True, db_default="")  # http(s) only: where the text stands
    meta = models.JSONField(default=dict)
    archived_at = models.DateTimeField(null=True)  # out of the queue and the lists; its truth and history stay
    # provenance only, and jobs are never deleted: not worth a check for every row of an import
    source = models.ForeignKey(
        ImportJob, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False, db_index=False
    )
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "external_id"], name="item_external_id_once"),
            models.UniqueConstraint(fields=["id", "split"], name="item_id_split"),  # target of composite keys
            models.CheckConstraint(condition=Q(split__in=["pool", "holdout"]), name="item_split_known"),
            models.CheckConstraint(condition=~Q(text=""), name="item_has_text"),
        ]
        indexes = [
            models.Index(fields=["project", "id"], name="item_project_id"),
            models.Index(fields=["text_hash"], name="item_text_hash"),
            models.Index(fields=["project", "id"], condition=Q(split="holdout"), name="item_holdout"),
            models.Index(fields=["project", "thread", "id"], condition=~Q(thread=""), name="item_thread"),
            # what the explorer filters by, each in the order of its pages
            models.Index(fields=["project", "created_at", "id"], name="item_came"),
            models.Index(fields=["project", "language", "id"], name="item_language"),
            models.Index(fields=["source", "id"], condition=Q(source__isnull=False), name="item_source"),
            models.Index(fields=["project", "id"], condition=Q(archived_at__isnull=False), name="item_archived"),
        ]


class GivenLabel(models.Model):
    """A label or prediction that came with an imported item; annotation takes it in from here."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="given")
    label = models.CharField(max_length=120, blank=True)
    predicted = models.CharField(max_length=120, blank=True)
    score = models.FloatField(null=True)
    value = models.JSONField(null=True)  # {"labels": [name …]} or {"spans": [{"start", "end", "label", "quote"} …]}


class SearchEntry(models.Model):
    """What one item is found by (search.py). Follows the items: it is made by a beat task, not by the import."""

    item = models.OneToOneField(Item, on_delete=models.CASCADE, primary_key=True, related_name="+")
    project = models.ForeignKey(
        Project, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    tokens = SearchVectorField()

    class Meta:
        indexes = [
            models.Index(fields=["project", "item"], name="search_page"),
            GinIndex(fields=["tokens"], name="search_tokens"),
        ]


class Vector(models.Model):
    """One text's embedding under one encoder; shared by all items with the same text."""

    text_hash = models.BinaryField(max_length=32)
    encoder_digest = models.CharField(max_length=64)
    vector = HalfVectorField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["encoder_digest", "text_hash"], name="vector_once")]
