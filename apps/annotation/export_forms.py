from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.annotation.export_rows import why_not
from apps.annotation.exports import Choice
from apps.content.formats import TARGETS
from apps.content.models import Split

_OURS: list[tuple[str, Any, Any]] = [
    ("jsonl", _("JSON Lines"), _("Everything, exact.")),
    ("csv", _("CSV"), _("For spreadsheets: a cell that would run as a formula gets an apostrophe in front.")),
]


@dataclass(frozen=True)
class Offer:
    """One format to choose; one that cannot carry the project's truths stays in the list, greyed, with the reason."""

    value: str
    name: Any
    note: Any
    barred: bool
    chosen: bool


class ExportForm(forms.Form):
    file_type = forms.ChoiceField(label=_("File"), initial="jsonl")
    annotations = forms.BooleanField(
        label=_("All annotations"),
        required=False,
        initial=True,
        help_text=_(
            "Every revision: who, when, what was shown, whether it was accepted or corrected. In JSON Lines and CSV; "
            "Label Studio gets each person's last answer."
        ),
    )
    predictions = forms.BooleanField(
        label=_("Predictions"),
        required=False,
        help_text=_("Of every model version, side by side. In JSON Lines, CSV and Label Studio."),
    )
    names = forms.BooleanField(
        label=_("Names of people"),
        required=False,
        help_text=_("Otherwise pseudonyms that stay the same within the project."),
    )
    split = forms.ChoiceField(
        label=_("Which items"), required=False, choices=[("", _("Pool and hold-out")), *Split.choices]
    )
    labelled = forms.BooleanField(label=_("Only items that have a label"), required=False)

    def __init__(self, *args: Any, task_kind: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.barred = {name: why_not(name, task_kind) for name in TARGETS}
        theirs = [(name, target.name, self.barred[name] or target.note) for name, target in TARGETS.items()]
        self.listed = [*_OURS, *theirs]
        cast(forms.ChoiceField, self.fields["file_type"]).choices = [
            (name, label) for name, label, _note in self.listed
        ]

    def offers(self) -> list[Offer]:
        chosen = self["file_type"].value()
        return [
            Offer(value, name, note, bool(self.barred.get(value)), value == chosen) for value, name, note in self.listed
        ]

    def clean_file_type(self) -> str:
        chosen = str(self.cleaned_data["file_type"])
        if reason := self.barred.get(chosen):
            raise forms.ValidationError(reason)
        return chosen

    def choice(self) -> Choice:
        return Choice(**self.cleaned_data)
