from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.common.errors import InvalidInput
from apps.feedback.models import IntakeKey
from apps.feedback.services.keys import origin_of

# what a person clicks in a minute, and what a server may hand over for many people
PER_MINUTE = {IntakeKey.Kind.PUBLISHABLE: 60, IntakeKey.Kind.SECRET: 60_000}
PER_DAY = 100_000


class KeyForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=80)
    kind = forms.ChoiceField(
        label=gettext_lazy("Kind"),
        choices=IntakeKey.Kind.choices,
        widget=forms.RadioSelect,
        initial=IntakeKey.Kind.PUBLISHABLE,
    )
    origins = forms.CharField(
        label=gettext_lazy("Pages that may use it"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "https://shop.example.org", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One origin per line. Web pages elsewhere are refused; apps and servers send none and are not asked. "
            "Leave empty for a secret key."
        ),
    )
    per_minute = forms.IntegerField(
        label=gettext_lazy("Events a minute, from one address"),
        required=False,
        min_value=1,
        max_value=10_000_000,
        help_text=gettext_lazy("60 unless told; a secret key 60,000."),
    )
    per_day = forms.IntegerField(
        label=gettext_lazy("Events a day"), min_value=1, max_value=1_000_000_000, initial=PER_DAY
    )

    def clean_origins(self) -> list[str]:
        lines = self.cleaned_data["origins"].replace(",", "\n").split()
        try:
            return [origin_of(line) for line in lines]
        except InvalidInput as refusal:
            raise forms.ValidationError(str(refusal)) from None

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        kind = IntakeKey.Kind(given.get("kind") or IntakeKey.Kind.PUBLISHABLE)
        given["kind"] = kind
        given["per_minute"] = given.get("per_minute") or PER_MINUTE[kind]
        if kind == IntakeKey.Kind.SECRET and given.get("origins"):
            self.add_error("origins", _("A secret key stays between servers: it has no origins."))
        return given
