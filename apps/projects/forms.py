import re
from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.accounts.models import User
from apps.projects.models import Label, Project, Role

LANGUAGES = [
    ("en", _("English")),
    ("zh-hans", _("Chinese")),
    ("de", _("German")),
    ("es", _("Spanish")),
    ("fr", _("French")),
    ("it", _("Italian")),
    ("pt", _("Portuguese")),
    ("nl", _("Dutch")),
    ("pl", _("Polish")),
    ("ru", _("Russian")),
    ("uk", _("Ukrainian")),
    ("ar", _("Arabic")),
    ("hi", _("Hindi")),
    ("ja", _("Japanese")),
    ("ko", _("Korean")),
    ("vi", _("Vietnamese")),
    ("und", _("several, or another one")),
]
_ENCODER = re.compile(r"[\w./~:\\ ?=&%-]+")  # a question mark begins its options: pooling=mean


def _clean_encoder(name: str) -> str:
    if not _ENCODER.fullmatch(name) or ".." in name:
        raise ValidationError(
            _now("An encoder is minilm-l6, char-ngrams, a Hugging Face name, or a path on the server.")
        )
    return name


_ENCODER_HELP = _(
    "What turns a text into numbers. minilm-l6 suits English and is built in; char-ngrams suits any language and needs "
    "no download; else a Hugging Face name or a path on the server. Changing it computes every vector anew."
)


class NewProjectForm(forms.ModelForm):
    task_kind = forms.ChoiceField(
        label=_("What people say about a text"),
        choices=Project.TaskKind.choices,
        initial=Project.TaskKind.SINGLE,
        required=False,
        help_text=_("This stays as it is: it decides what a truth looks like."),
    )
    language = forms.ChoiceField(label=_("Language of the texts"), choices=LANGUAGES)
    names = forms.CharField(
        label=_("Labels"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 6}),
        help_text=_("One a line. You can add, describe and reorder them later, or let them come with your data."),
    )

    class Meta:
        model = Project
        fields = ["name", "task_kind", "language", "encoder"]
        help_texts = {"name": _("What is labelled here, for example “Bank questions”."), "encoder": _ENCODER_HELP}

    def clean_task_kind(self) -> str:
        return self.cleaned_data["task_kind"] or Project.TaskKind.SINGLE

    def clean_encoder(self) -> str:
        return _clean_encoder(self.cleaned_data["encoder"])


class SettingsForm(forms.ModelForm):
    language = forms.ChoiceField(label=_("Language of the texts"), choices=LANGUAGES)

    class Meta:
        model = Project
        fields = [
            "name",
            "language",
            "guidelines",
            "labels_closed",
            "encoder",
            "wanted",
            "random_share",
            "holdout_share",
            "holdout_target",
            "holdout_fraction",
            "holdout_cap",
            "lease_seconds",
        ]
        labels = {
            "labels_closed": _("Only known labels may come in with an import"),
            "random_share": _("Share drawn at random"),
            "holdout_share": _("Share of held-out items in the queue"),
            "holdout_target": _("Held-out items to label"),
            "holdout_fraction": _("Part of new content that is held out"),
            "holdout_cap": _("Held-out items at most"),
            "lease_seconds": _("An item waits for its answer (seconds)"),
        }
        help_texts = {
            "guidelines": _("What the labels mean and how to decide. Markdown; shown beside every item."),
            "labels_closed": _("A row with an unknown label is then listed as rejected instead of making a new label."),
            "encoder": _ENCODER_HELP,
            "wanted": _("How many people answer the same item before it is settled."),
            "random_share": _("0.15 means that 15 of 100 items come by chance, so that the model's blind spots show."),
            "holdout_share": _("How much of the queue measures the model, until enough held-out items are labelled."),
            "holdout_target": _("400 tell a difference of about 5 points of accuracy."),
            "holdout_fraction": _("Drawn by chance when content arrives, and never learned from."),
            "holdout_cap": _("Beyond this, new content goes to the pool."),
            "lease_seconds": _("Afterwards it goes back into the queue. Working on it starts the time anew."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("random_share", "holdout_share", "holdout_fraction"):
            self.fields[name].widget.attrs["step"] = "0.01"
        self.fields["guidelines"].widget.attrs["rows"] = 14

    def clean_encoder(self) -> str:
        return _clean_encoder(self.cleaned_data["encoder"])

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if cleaned and cleaned.get("random_share", 0) + cleaned.get("holdout_share", 0) > 1:
            self.add_error("holdout_share", _now("The random and the held-out share together may not exceed 1."))
        return cleaned


class LabelForm(forms.ModelForm):
    color = forms.TypedChoiceField(
        label=_("Colour"),
        choices=[(n, str(n)) for n in range(1, 13)],
        coerce=int,
        required=False,
        empty_value=None,
        widget=forms.RadioSelect,
    )
    place = forms.IntegerField(label=_("Place"), min_value=1, max_value=100_000, required=False)

    class Meta:
        model = Label
        fields = ["name", "group", "description", "examples", "hotkey", "color"]
        widgets = {"description": forms.Textarea(attrs={"rows": 2}), "examples": forms.Textarea(attrs={"rows": 3})}
        help_texts = {
            "group": _("Labels of one group stand together, and a search for the group finds them all."),
            "examples": _("Texts that deserve this label, one a line. Annotators see them beside the guidelines."),
        }

    def validate_unique(self) -> None:
        """The service refuses doubles, in words and under a lock."""

    def validate_constraints(self) -> None:
        """The same."""


class PasteForm(forms.Form):
    names = forms.CharField(
        label=_("Many at once"),
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=200_000,
        help_text=_("One name a line. Names that exist are passed over."),
    )


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail"))
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=Role.ANNOTATOR)


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=_("Role"), choices=Role.choices)


class AcceptForm(forms.Form):
    name = forms.CharField(label=_("Your name"), max_length=120, help_text=_("How the people you work with see you."))
    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters. A sentence is easy to remember."),
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        validate_password(password, User(email=self.email, name=self.cleaned_data.get("name", "")))
        return password
