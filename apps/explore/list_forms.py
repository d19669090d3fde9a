"""The filters of the items page: every name and every value comes from a list that we made."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.annotation.models import Task
from apps.content.models import Split
from apps.explore.list_queries import Filters
from apps.projects.models import Project

UNLABELLED, LABELLED = "none", "some"


class ItemFilter(forms.Form):
    q = forms.CharField(label=_("Text contains"), required=False, max_length=200)
    truth = forms.ChoiceField(label=_("Label"), required=False)
    split = forms.ChoiceField(label=_("Part"), required=False, choices=[("", _("any")), *Split.choices])
    reason = forms.ChoiceField(
        label=_("Asked because"), required=False, choices=[("", _("any reason")), *Task.Reason.choices]
    )
    version = forms.ChoiceField(label=_("Model version"), required=False)
    predicted = forms.ChoiceField(label=_("It says"), required=False)
    against = forms.ChoiceField(label=_("It changed its answer from"), required=False)

    MORE = ("reason", "version", "predicted", "against")

    def __init__(self, project: Project, given: Any) -> None:
        super().__init__(given, auto_id="filter-%s")
        labels = [(str(label.pk), label.name) for label in project.labels.filter(archived_at=None)]
        versions = [(str(v.number), str(v)) for v in project.versions.only("number", "project").order_by("-number")]
        truths = [("", _("any or none")), (UNLABELLED, _("not labelled yet")), (LABELLED, _("labelled"))]
        self._choose("truth", [*truths, *labels])
        self._choose("predicted", [("", _("anything")), *labels])
        self._choose("version", [("", _("none")), *versions])
        self._choose("against", [("", _("none")), *versions])

    def _choose(self, name: str, choices: list[Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if (data.get("predicted") or data.get("against")) and not data.get("version"):
            self.add_error("version", _("Choose the version whose answers you mean."))
        return data

    @property
    def filters(self) -> Filters:
        data = self.cleaned_data
        truth = data["truth"]
        return Filters(
            q=data["q"],
            labelled={UNLABELLED: False, LABELLED: True}.get(truth),
            label=int(truth) if truth.isdecimal() else None,
            split=data["split"],
            reason=data["reason"],
            version=int(data["version"]) if data["version"] else None,
            predicted=int(data["predicted"]) if data["predicted"] else None,
            against=int(data["against"]) if data["against"] else None,
        )

    @property
    def chosen(self) -> dict[str, str]:
        """What was filled in, for the links to further pages."""
        return {name: value for name, value in self.cleaned_data.items() if value}

    @property
    def more(self) -> bool:
        return any(self.data.get(name) for name in self.MORE)
