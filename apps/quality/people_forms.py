from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.quality.people_queries import Period, this_month


class PeriodForm(forms.Form):
    start = forms.DateField(
        required=False, label=pgettext_lazy("a day", "From"), widget=forms.DateInput(attrs={"type": "date"})
    )
    end = forms.DateField(
        required=False, label=pgettext_lazy("a day", "To"), widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean(self) -> dict[str, Any]:
        chosen: dict[str, Any] = super().clean() or {}
        if chosen.get("start") and chosen.get("end") and chosen["start"] > chosen["end"]:
            self.add_error("end", _("The last day lies before the first."))
        for name in ("start", "end"):
            if chosen.get(name) and not 2000 <= chosen[name].year < 2200:
                self.add_error(name, _("Choose a day of this century."))
        return chosen

    def period(self) -> Period:
        """This month where nothing was chosen, or nothing that fits."""
        month = this_month()
        if not self.is_valid():
            return month
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        last = end or max(month.last, start or month.last)
        return Period(start or min(month.first, last), last)
