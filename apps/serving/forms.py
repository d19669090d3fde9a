from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.content.models import MAX_TEXT
from apps.serving.models import ServingPolicy


class PolicyForm(forms.ModelForm):
    class Meta:
        model = ServingPolicy
        fields = ["threshold", "explore", "keep_days"]
        help_texts = {
            "threshold": _("Between 0 and 1. Below it the host product is told to show nothing. 0 shows every answer."),
            "explore": _(
                "Between 0 and 0.2. A share of answers is drawn from the probabilities instead of taking the likeliest "
                "label. It costs a little quality now; from the reactions one can tell what another version would have "
                "earned. 0 switches it off."
            ),
            "keep_days": _("Served answers are deleted after that. Feedback keeps what it needs."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("threshold", "explore"):
            self.fields[name].widget.attrs |= {"step": "0.01"}


class TryForm(forms.Form):
    text = forms.CharField(
        label=_("Text"),
        max_length=MAX_TEXT,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
