from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.quality.answer_forms import AnswerForm


class GoldForm(AnswerForm):
    def __init__(self, *args: Any, explanation: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["explanation"] = forms.CharField(
            label=_("Explanation"),
            required=False,
            max_length=2_000,
            initial=explanation,
            widget=forms.Textarea(attrs={"rows": 4}),
            help_text=_("Newcomers read it right after their answer: why this is the right one, and what it is not."),
        )


class GoldFileForm(forms.Form):
    file = forms.FileField(
        label=_("File"),
        help_text=_("CSV or JSON Lines (UTF-8) with external_id or text, label (or labels, spans) and explanation."),
    )
