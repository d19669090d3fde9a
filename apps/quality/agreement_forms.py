from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.projects.models import Label, Project
from apps.quality.agreement_store import Wanted

WEEKS = [(4, _("4 weeks")), (12, _("12 weeks")), (52, _("a year")), (0, _("all"))]


class AgreementFilter(forms.Form):
    weeks = forms.TypedChoiceField(choices=WEEKS, coerce=int, empty_value=None, required=False)
    label = forms.ModelChoiceField(
        label=_("Label"), queryset=Label.objects.none(), required=False, empty_label=_("all labels")
    )

    def __init__(self, project: Project, data: Any) -> None:
        super().__init__(data)
        field = self.fields["label"]
        assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - told to the type checker
        field.queryset = project.labels.filter(merged_into=None)

    @property
    def wanted(self) -> Wanted:
        if not self.is_valid():
            return Wanted()
        label = self.cleaned_data["label"]
        return Wanted(self.cleaned_data["weeks"] or 0, label.pk if label else None)
