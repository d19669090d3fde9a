from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _

BIGINT = 2**63 - 1


class AnswerForm(forms.Form):
    """One answer from the label page. `token` names a leased task, `item` an earlier answer to be changed."""

    token = forms.UUIDField(required=False)
    item = forms.IntegerField(required=False, min_value=1, max_value=BIGINT)
    key = forms.UUIDField()
    label = forms.IntegerField(required=False, min_value=1, max_value=BIGINT)
    other = forms.IntegerField(
        required=False, min_value=1, max_value=BIGINT
    )  # the list of all labels, without JavaScript
    note = forms.CharField(required=False, max_length=2000)
    flagged = forms.BooleanField(required=False)
    seconds = forms.FloatField(required=False, min_value=0, max_value=86_400)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not data.get("token") and not data.get("item"):
            raise forms.ValidationError(_("This answer names no text. Reload the page and answer again."))
        data["label"] = data.get("other") or data.get("label")
        if not data["label"] and (data.get("item") or not data.get("flagged")):
            raise forms.ValidationError(_("Choose a label first; or flag the text, or skip it."))
        return data


class UndoForm(forms.Form):
    """`of` is the key of the answer to take back, so that asking twice takes back once."""

    of = forms.UUIDField(required=False)


class TokenForm(forms.Form):
    token = forms.UUIDField()


class TokensForm(forms.Form):
    tokens = forms.CharField(max_length=1000)

    def clean_tokens(self) -> list[UUID]:
        try:
            return [UUID(part) for part in self.cleaned_data["tokens"].split(",")]
        except ValueError as error:
            raise forms.ValidationError(_("These are not lease tokens.")) from error


def first_error(form: forms.BaseForm) -> tuple[str, str]:
    """The field and the sentence to show first."""
    name, errors = next(iter(form.errors.items()))
    return ("" if name == "__all__" else str(name)), str(errors[0])
