from django import forms
from django.utils.translation import gettext_lazy as _

from apps.annotation.exports import Choice
from apps.content.models import Split


class ExportForm(forms.Form):
    file_type = forms.ChoiceField(
        label=_("File"),
        choices=[("jsonl", _("JSON Lines: exact")), ("csv", _("CSV: for spreadsheets"))],
        initial="jsonl",
        widget=forms.RadioSelect,
        help_text=_("In CSV, a cell that a spreadsheet would run as a formula gets an apostrophe in front."),
    )
    annotations = forms.BooleanField(
        label=_("All annotations"),
        required=False,
        initial=True,
        help_text=_("Every revision: who, when, what was shown, whether it was accepted or corrected."),
    )
    predictions = forms.BooleanField(
        label=_("Predictions"), required=False, help_text=_("Of every model version, side by side.")
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

    def choice(self) -> Choice:
        return Choice(**self.cleaned_data)
