from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import get_language_info, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.accounts.keymap import ACTIONS, PLACES, keymap_of
from apps.accounts.models import ApiToken, User


class PreferencesForm(forms.ModelForm):
    language = forms.ChoiceField(label=_("Language"), required=False)

    class Meta:
        model = User
        fields = ["name", "language", "theme", "density", "single_keys"]
        labels = {
            "name": pgettext_lazy("of a person", "Name"),
            "theme": _("Theme"),
            "density": _("Lists"),
            "single_keys": _("One-letter keys"),
        }
        help_texts = {
            "name": _("How the people you work with see you."),
            "density": _("Compact shows more rows at once."),
            "single_keys": _(
                "S skips, Z undoes, digits choose labels. Switch this off if you use speech input or type by accident; "
                "Enter and Ctrl+K go on working."
            ),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        language = self.fields["language"]
        assert isinstance(language, forms.ChoiceField)  # noqa: S101
        # each by its own name: who reads no English looks for 简体中文
        own = [(code, get_language_info(code)["name_local"]) for code, _name in settings.LANGUAGES]
        language.choices = [("", _("As the browser asks")), *own]


class TokenForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("What it is for, so that you know which one to revoke.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=ApiToken.Scope.choices, widget=forms.CheckboxSelectMultiple, initial=["read"]
    )
    days = forms.TypedChoiceField(
        label=_("It ends"),
        choices=[
            ("30", _("after 30 days")),
            ("90", _("after 90 days")),
            ("365", _("after a year")),
            ("", _("only when revoked")),
        ],
        initial="90",
        required=False,
        coerce=int,
        empty_value=None,
    )


class KeymapForm(forms.Form):
    """One field per action; whether keys collide is the service's decision."""

    def __init__(self, data: Any = None, *, user: User) -> None:
        keys = keymap_of(user)
        super().__init__(data, initial=keys)
        for action in ACTIONS:
            self.fields[action.name] = forms.CharField(label=action.words, max_length=5, strip=True)
            self.fields[action.name].place = PLACES.get(action.place, "")  # type: ignore[attr-defined]
            self.fields[action.name].widget.attrs |= {"autocomplete": "off", "data-key": "", "size": "6"}
