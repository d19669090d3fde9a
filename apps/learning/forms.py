from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from apps.learning.services.runs import Advice, Wish
from apps.projects.models import Project
from apps.registry.models import ModelVersion


class RunForm(forms.Form):
    kind = forms.ChoiceField(
        label=_("Kind of model"),
        choices=ModelVersion.Kind.choices,
        widget=forms.RadioSelect,
        help_text=_(
            "A published head keeps the encoder as it is and takes seconds. A fine-tuned transformer changes all of "
            "it and takes minutes on a CPU."
        ),
    )
    encoder = forms.CharField(
        label=_("Encoder"),
        max_length=300,
        help_text=_("minilm-l6, char-ngrams (published head only), a Hugging Face name or a folder on the server."),
    )
    leave_out = forms.BooleanField(label=_("Leave labels without examples out"), required=False)
    epochs = forms.IntegerField(label=_("Epochs at most"), min_value=1, max_value=100, required=False)
    learning_rate = forms.FloatField(label=_("Learning rate"), min_value=1e-7, max_value=1, required=False)
    seed = forms.IntegerField(
        label=_("Seed"),
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        help_text=_("The same seed on the same labels gives the same model."),
    )

    def __init__(self, *args: Any, project: Project, advice: Advice, missing: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].initial = advice.kind
        self.fields["encoder"].initial = project.encoder or settings.DEFAULT_ENCODER
        self.fields["epochs"].initial = advice.epochs
        self.fields["learning_rate"].initial = advice.learning_rate
        self.fields["seed"].initial = 0
        if not missing:
            del self.fields["leave_out"]

    def wish(self) -> Wish:
        data = self.cleaned_data
        return Wish(
            kind=ModelVersion.Kind(data["kind"]),
            encoder=data["encoder"].strip(),
            seed=data["seed"] or 0,
            epochs=data["epochs"],
            learning_rate=data["learning_rate"],
            leave_out=data.get("leave_out", False),
        )


class DecisionForm(forms.Form):
    """Promote or roll back: why, and what was live on the page that the person looked at."""

    why = forms.CharField(
        label=_("Why"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=_("Kept in the history. Needed when the verdict is “worse”."),
    )
    seen = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)


class RollbackForm(DecisionForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["why"].help_text = _("Kept in the history.")


class PairForm(forms.Form):
    """Whitelisted filters of the lists: labels by id, where to go on, and which version to hold against."""

    truth = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    predicted = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    before = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    now = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    after = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
    against = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
