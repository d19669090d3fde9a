"""What the page of similar texts sends: the checked items and the label they all get."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.common.forms import whole
from apps.projects.models import Label, Project

MOST = 500  # items checked at once
NONE = "none"  # several labels: none of them, said on purpose


class SimilarForm(forms.Form):
    items = forms.TypedMultipleChoiceField(coerce=int, error_messages={"required": _("Check at least one text.")})
    label = forms.ModelChoiceField(Label.objects.none(), required=False)
    other = forms.ModelChoiceField(Label.objects.none(), required=False)  # chosen from the list, sent with the button
    labels = forms.ModelMultipleChoiceField(Label.objects.none(), required=False)
    none = forms.BooleanField(required=False)

    def __init__(self, project: Project, data: Any) -> None:
        super().__init__(data)
        self.by_hand = project.task_kind in {Project.TaskKind.SPANS, Project.TaskKind.ENGAGEMENT}
        self.several = project.task_kind == Project.TaskKind.MULTI
        active = project.labels.filter(archived_at=None)
        for name in ("label", "other", "labels"):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - for the type checker
            field.queryset = active
        # the items' own project is the service's to check; here they are only numbers
        given = data.getlist("items")[: MOST + 1] if hasattr(data, "getlist") else data.get("items", [])
        field = self.fields["items"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(pk, pk) for pk in map(str, given) if whole(pk) is not None]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if self.by_hand:
            raise forms.ValidationError(_("These texts cannot be labelled at once: mark each text by itself."))
        if len(data.get("items", [])) > MOST:
            self.add_error("items", _("Check fewer texts at once."))
        if self.several:
            if bool(data.get("labels")) == bool(data.get("none")):
                self.add_error("labels", _("Choose labels, or that none of them fits."))
        elif not (data.get("label") or data.get("other")):
            self.add_error("label", _("Choose the label."))
        return data

    @property
    def answer(self) -> dict[str, Any]:
        """As services.changes.set_truth takes it."""
        if self.several:
            return {"value": {"labels": sorted(label.pk for label in self.cleaned_data["labels"])}}
        return {"label": (self.cleaned_data["label"] or self.cleaned_data["other"]).pk}
