from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.projects.models import Label, Project


class MergeForm(forms.Form):
    labels = forms.ModelMultipleChoiceField(
        label=_("Labels that become it"), queryset=Label.objects.none(), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, project: Project, target: Label, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["labels"]
        assert isinstance(field, forms.ModelMultipleChoiceField)  # noqa: S101 - for the type checker
        field.queryset = Label.objects.filter(project=project, archived_at=None).exclude(pk=target.pk)


class SplitForm(forms.Form):
    names = forms.CharField(
        label=_("New labels"),
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=10_000,
        help_text=_("One name a line, two or more. A name that exists already is used as it is."),
    )
    keep = forms.CharField(
        label=_("What its truths become"),
        required=False,
        max_length=120,
        help_text=_("One of the new names. Empty: people are asked about each of them again, before everything else."),
    )
