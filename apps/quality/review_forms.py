from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.projects.models import Label, Project
from apps.quality.gold_queries import labelling
from apps.quality.review_queries import Sampling


class SampleForm(forms.Form):
    annotator = forms.ModelChoiceField(User.objects.none(), required=False, label=_("Who"), empty_label=_("everybody"))
    label = forms.ModelChoiceField(Label.objects.none(), required=False, label=_("Label"), empty_label=_("any"))
    confidence = forms.ChoiceField(
        required=False,
        label=_("Model's confidence"),
        choices=[
            ("", _("any")),
            ("low", _("below 50 per cent")),
            ("middle", _("50 to 90 per cent")),
            ("high", _("90 per cent and more")),
        ],
    )
    each = forms.IntegerField(required=False, min_value=1, max_value=500, label=_("Of each person"))

    def __init__(self, project: Project, data: Any = None) -> None:
        super().__init__(data)
        people: Any = self.fields["annotator"]
        people.queryset = User.objects.filter(pk__in=labelling(project).values("user")).order_by("name", "email")
        labels: Any = self.fields["label"]
        labels.queryset = Label.objects.filter(project=project)
        self.fields["each"].initial = Sampling.each
        self.fields["each"].widget.attrs["placeholder"] = Sampling.each

    def sampling(self) -> Sampling:
        """An address that does not fit asks for everything: this is a page to work on, not to be refused."""
        if not self.is_valid():
            return Sampling()
        chosen = self.cleaned_data
        return Sampling(
            annotator=chosen["annotator"].pk if chosen["annotator"] else None,
            label=chosen["label"].pk if chosen["label"] else None,
            confidence=chosen["confidence"],
            each=chosen["each"] or Sampling.each,
        )

    def chosen(self) -> dict[str, Any]:
        """For an address."""
        return {name: value for name, value in vars(self.sampling()).items() if value and value != Sampling.each}
