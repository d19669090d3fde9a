import secrets

from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.content.models import Item
from apps.projects.models import Project


def new_token() -> str:
    return secrets.token_urlsafe(18)


class Survey(models.Model):
    """A few questions. They can be changed while it is a draft and never again, so that answers stay comparable."""

    class State(models.TextChoices):
        DRAFT = "draft", _("draft")
        OPEN = "open", pgettext_lazy("a survey", "open")
        CLOSED = "closed", _("closed")

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="surveys")
    token = models.CharField(max_length=40, unique=True, default=new_token)  # in the link; no secret, but no guess
    state = models.CharField(max_length=6, choices=State.choices, default=State.DRAFT)
    title_en = models.CharField(_("title, English"), max_length=120, blank=True)
    title_zh = models.CharField(_("title, Chinese"), max_length=120, blank=True)
    intro_en = models.TextField(_("introduction, English"), max_length=1000, blank=True)
    intro_zh = models.TextField(_("introduction, Chinese"), max_length=1000, blank=True)
    quota = models.PositiveIntegerField(
        _("responses at most"), null=True, blank=True, validators=[MinValueValidator(1)]
    )
    once = models.BooleanField(_("each person answers once"), default=True)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(title_en="", title_zh=""),
                name="survey_has_a_title",
                violation_error_message=_("A survey needs a title in one language at least."),
            ),
            models.CheckConstraint(condition=Q(quota=None) | Q(quota__gte=1), name="survey_quota_is_positive"),
        ]

    def __str__(self) -> str:
        return self.title_en or self.title_zh


class Question(models.Model):
    class Kind(models.TextChoices):
        RATING = "rating", _("rating, 1 to 5")
        SCORE = "score", _("how likely to recommend, 0 to 10")
        SINGLE = "single", _("one of several answers")
        MULTIPLE = "multiple", _("any of several answers")
        TEXT = "text", _("free text")

    CHOICES = (Kind.SINGLE, Kind.MULTIPLE)
    SCALES = {Kind.RATING: (1, 5), Kind.SCORE: (0, 10)}

    survey = models.ForeignKey(Survey, on_delete=models.CASCADE, related_name="questions")
    position = models.PositiveSmallIntegerField()
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    wording_en = models.CharField(_("question, English"), max_length=300, blank=True)
    wording_zh = models.CharField(_("question, Chinese"), max_length=300, blank=True)
    options = models.JSONField(default=list)  # [{"en": …, "zh": …}, …]; an answer holds places in this list
    required = models.BooleanField(_("must be answered"), default=False)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(wording_en="", wording_zh=""),
                name="question_has_words",
                violation_error_message=_("A question needs words in one language at least."),
            ),
        ]

    def __str__(self) -> str:
        return self.wording_en or self.wording_zh


class Response(models.Model):
    """One person's answers, sent at once."""

    class Source(models.TextChoices):
        LINK = "link", _("link")
        WIDGET = "widget", _("widget")

    survey = models.ForeignKey(Survey, on_delete=models.CASCADE, related_name="responses", db_index=False)
    key = models.CharField(max_length=64)  # made by the client: sending twice stores once
    person = models.CharField(max_length=64, null=True)  # who may answer once: the subject, or a mark in a cookie
    subject = models.CharField(max_length=64, blank=True)  # pseudonym of the host's key
    source = models.CharField(max_length=6, choices=Source.choices)
    language = models.CharField(max_length=10, blank=True)
    consent = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["survey", "key"], name="survey_response_key_once"),
            models.UniqueConstraint(fields=["survey", "person"], name="survey_person_once"),
        ]
        indexes = [models.Index(fields=["survey", "at"], name="survey_response_time")]


class Given(models.Model):
    """The answer to one question: a number on its scale, places in its options, or words (only with consent)."""

    response = models.ForeignKey(Response, on_delete=models.CASCADE, related_name="given")
    question = models.ForeignKey(Question, on_delete=models.PROTECT, related_name="given")
    number = models.SmallIntegerField(null=True)
    places = models.JSONField(null=True)
    text = models.TextField(blank=True)
    consent = models.BooleanField(default=False)  # the response's, repeated for the constraint
    item = models.ForeignKey(Item, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["response", "question"], name="survey_answer_once"),
            models.CheckConstraint(condition=Q(consent=True) | Q(text=""), name="survey_text_needs_consent"),
            models.CheckConstraint(
                condition=Q(number__isnull=False) | Q(places__isnull=False) | ~Q(text=""), name="survey_answer_says"
            ),
        ]
