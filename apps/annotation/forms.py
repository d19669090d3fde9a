from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext as _

from apps.common.forms import LARGEST
from apps.projects.models import Project


class NoteField(forms.CharField):
    """Counted as its box counts on the page: a line end is one character there, and two when it is sent."""

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class AnswerForm(forms.Form):
    """One answer from the label page. `token` names a leased task, `item` an earlier answer to be changed.

    What was said comes as one label, as several with `none` for "none of these", or as spans, by the project's kind.
    """

    token = forms.UUIDField(required=False)
    item = forms.IntegerField(required=False, min_value=1, max_value=LARGEST)
    key = forms.UUIDField()
    base = forms.IntegerField(required=False, min_value=0, max_value=LARGEST)
    label = forms.IntegerField(required=False, min_value=1, max_value=LARGEST)
    other = forms.IntegerField(
        required=False, min_value=1, max_value=LARGEST
    )  # the list of all labels, without JavaScript
    labels = forms.TypedMultipleChoiceField(required=False, coerce=int)
    none = forms.BooleanField(required=False)
    spans = forms.JSONField(required=False)
    text_hash = forms.CharField(required=False, max_length=64)
    undecided = forms.CharField(required=False, max_length=120)
    note = NoteField(required=False, max_length=2000)
    flagged = forms.BooleanField(required=False)
    seconds = forms.FloatField(required=False, min_value=0, max_value=86_400)

    def __init__(self, project: Project, data: Any) -> None:
        super().__init__(data)
        self.kind = project.task_kind
        # the ids are the service's to judge, in one place for pages and API
        self.fields["labels"].valid_value = str.isdecimal  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not self.errors and not data["token"] and not data["item"]:
            raise forms.ValidationError(_("This answer names no text. Reload the page and answer again."))
        if self.errors:
            return data
        label, data["label"], data["value"] = data["other"] or data["label"], None, None
        if data["undecided"]:
            return data
        if self.kind == Project.TaskKind.SINGLE:
            data["label"] = label
        else:
            data["value"] = self._several(data) if self.kind == Project.TaskKind.MULTI else self._spans(data)
        if data["label"] is None and data["value"] is None and not data["flagged"]:
            raise forms.ValidationError(self._missing())
        return data

    @property
    def said(self) -> dict[str, Any]:
        """What `services.Answer` and `services.revise` take alike."""
        return {name: self.cleaned_data[name] for name in ("label", "value", "undecided", "note", "flagged", "base")}

    def _several(self, data: dict[str, Any]) -> dict[str, Any] | None:
        if data["none"] and data["labels"]:
            raise forms.ValidationError(_("Either some labels fit, or none of these: not both."))
        return {"labels": data["labels"]} if data["labels"] or data["none"] else None

    def _spans(self, data: dict[str, Any]) -> dict[str, Any] | None:
        if data["spans"] is None:
            return None
        return {"spans": data["spans"], "text_hash": data["text_hash"]}

    def _missing(self) -> str:
        if self.kind == Project.TaskKind.MULTI:
            return _("Choose the labels that fit, or none of these; or flag the text, or skip it.")
        if self.kind == Project.TaskKind.SPANS:
            return _("Mark the spans, or say that there is nothing to mark; or flag the text, or skip it.")
        return _("Choose a label first; or flag the text, or skip it.")


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
