from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.utils.translation import gettext_lazy as _

from apps.feedback.models import FeedbackPolicy
from apps.feedback.services import policies

_HELP: dict[str, Any] = {
    "person_cap": _(
        "Further complaints of the same person are kept and shown, and do not count: reach is people, not clicks."
    ),
    "allowed_breaks": _(
        "A version that breaks more of the pinned cases than that is promoted only with a reason, which is kept."
    ),
    "flip_review": _("Of the items whose label changes with a promotion so many are put before annotators. 0: none."),
    "weak_labels": _(
        "What users say never is a truth by itself. In training it counts less than an annotator's answer, by as much "
        "as it proved unreliable. Without this, it only decides what annotators see first."
    ),
    "rewards": _("Points for contributors, by the rules of the page “Thanks”."),
}


class PolicyForm(forms.ModelForm):  # type: ignore[type-arg]  # no type at run time
    class Meta:
        model = FeedbackPolicy
        fields = policies.FIELDS
        labels = {"person_cap": _("tickets that one person counts for in a day")}
        help_texts = _HELP

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, most in (("person_cap", 1_000), ("allowed_breaks", 100_000), ("flip_review", 10_000)):
            self.fields[name].validators.append(MaxValueValidator(most))
            self.fields[name].widget.attrs["max"] = most
