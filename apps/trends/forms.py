"""The choices of the trends page and of the alarms: every value comes from a list that we made."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.projects.models import Project
from apps.projects.queries import labels
from apps.trends.models import AlarmRule
from apps.trends.trend_queries import Asked

MEASURES = [("served", _("answers of the model")), ("signals", _("feedback")), ("items", _("items"))]
WAYS = [
    ("all", _("all together")),
    ("label", _("by label")),
    ("sentiment", _("by sentiment")),
    ("topic", _("by topic")),
    ("source", _("by source")),
    ("version", _("by version")),
]
STEPS = [("day", _("days")), ("week", _("weeks"))]
SPANS = [("14", _("two weeks")), ("28", _("four weeks")), ("84", _("twelve weeks")), ("364", _("a year"))]


class TrendForm(forms.Form):
    measure = forms.ChoiceField(label=_("Count"), choices=MEASURES, required=False)
    by = forms.ChoiceField(label=pgettext_lazy("a chart", "Split"), choices=WAYS, required=False)
    step = forms.ChoiceField(label=_("In"), choices=STEPS, required=False)
    days = forms.ChoiceField(label=_("Over"), choices=SPANS, required=False)

    @property
    def asked(self) -> Asked:
        """Whatever is missing or wrong is as the page opens."""
        self.is_valid()
        data = getattr(self, "cleaned_data", {})
        return Asked(
            measure=data.get("measure") or "served",
            by=data.get("by") or "label",
            step=data.get("step") or "day",
            days=int(data.get("days") or 28),
        )


class RowsForm(TrendForm):
    key = forms.CharField(required=False, max_length=100)
    first = forms.DateField()
    length = forms.IntegerField(min_value=1, max_value=7)
    before = forms.DateTimeField(required=False)

    def clean_first(self) -> date:
        day: date = self.cleaned_data["first"]
        if not 2000 <= day.year <= 2200:
            raise forms.ValidationError(_("Choose a day of this century."))
        return day


class SentimentForm(forms.Form):
    negative = forms.MultipleChoiceField(label=_("Negative"), required=False, widget=forms.CheckboxSelectMultiple)
    positive = forms.MultipleChoiceField(label=_("Positive"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(str(label.pk), label.name) for label in labels(project)]
        for name in ("negative", "positive"):
            field = self.fields[name]
            assert isinstance(field, forms.MultipleChoiceField)  # noqa: S101 - for the type checker
            field.choices = choices

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if set(data.get("negative", [])) & set(data.get("positive", [])):
            self.add_error("positive", _("A label is negative or positive, not both."))
        return data


class RuleForm(forms.ModelForm):
    class Meta:
        model = AlarmRule
        fields = ["stream", "label", "direction", "patience", "to_inbox", "to_webhook"]
        help_texts = {
            "label": _("Only for the share of one label."),
            "patience": _("Together over everything that the rule watches. The later, the surer."),
        }

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = self.fields["label"]
        assert isinstance(label, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        label.queryset = labels(project)
        label.label, label.empty_label, label.required = _("Label"), "—", False

    def _post_clean(self) -> None:
        """Whether the parts fit together is the service's decision, not the model's."""


class SnoozeForm(forms.Form):
    hours = forms.TypedChoiceField(
        label=_("for"),
        coerce=int,
        choices=[("4", _("four hours")), ("24", _("a day")), ("72", _("three days")), ("168", _("a week"))],
        initial="24",
    )
