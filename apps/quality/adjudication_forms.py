"""What a reviewer decides: one of the answers there, or one of their own."""

import re
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.annotation.services import values
from apps.common.errors import InvalidInput
from apps.projects.models import Label, Project
from apps.quality.adjudication_cards import Mark
from apps.quality.models import Adjudication


class OwnAnswerForm(forms.Form):
    """`answer()` is what decide() takes: label=… or value=…"""

    def __init__(self, row: Adjudication, data: Any = None, *, marks: list[Mark] | None = None) -> None:
        super().__init__(data, auto_id="own-%s")
        self.row, self.project = row, row.project
        labels = Label.objects.filter(project=self.project, archived_at=None)
        match self.project.task_kind:
            case Project.TaskKind.MULTI:
                self.fields["labels"] = forms.ModelMultipleChoiceField(
                    labels,
                    required=False,
                    label=gettext_lazy("Labels"),
                    help_text=gettext_lazy("None ticked: none of them fits."),
                    widget=forms.CheckboxSelectMultiple,
                )
            case Project.TaskKind.SPANS:
                choices = [(place_of(mark), f"{mark.label} “{mark.quote}”") for mark in marks or [] if mark.label]
                if choices:
                    self.fields["spans"] = forms.MultipleChoiceField(
                        choices=choices,
                        required=False,
                        label=gettext_lazy("Spans that stay"),
                        help_text=gettext_lazy(
                            "Everything that anybody marked. None ticked: there is nothing to mark."
                        ),
                        widget=forms.CheckboxSelectMultiple,
                    )
                words = gettext_lazy("One more: the words, exactly as they stand")
                alone = gettext_lazy("The words to mark, exactly as they stand; empty where there is nothing to mark")
                self.fields["quote"] = forms.CharField(label=words if choices else alone, required=False, strip=True)
                self.fields["span_label"] = forms.ModelChoiceField(
                    labels, label=gettext_lazy("Its label"), required=False
                )
            case _:
                self.fields["label"] = forms.ModelChoiceField(
                    labels, label=gettext_lazy("Label"), empty_label=gettext_lazy("choose a label")
                )

    def answer(self) -> dict[str, Any]:
        match self.project.task_kind:
            case Project.TaskKind.MULTI:
                return {"value": {"labels": sorted(label.pk for label in self.cleaned_data["labels"])}}
            case Project.TaskKind.SPANS:
                return {"value": {"spans": self._spans(), "text_hash": values.text_hash(self.row.item.text)}}
            case _:
                return {"label": self.cleaned_data["label"]}

    def _spans(self) -> list[dict[str, int]]:
        chosen = [_span(place) for place in self.cleaned_data.get("spans", [])]
        quote, label = self.cleaned_data["quote"], self.cleaned_data["span_label"]
        if not quote:
            return chosen
        found = [match.start() for match in re.finditer(re.escape(quote), self.row.item.text)]
        if len(found) != 1:
            raise InvalidInput(
                _("These words stand %(n)d times in the text. Give as many as it takes to mean one place.")
                % {"n": len(found)},
                field="quote",
            )
        if label is None:
            raise InvalidInput(_("Choose the label of the words that you added."), field="span_label")
        return [*chosen, {"start": found[0], "end": found[0] + len(quote), "label": label.pk}]


def place_of(mark: Mark) -> str:
    return f"{mark.start}-{mark.end}-{mark.label.pk if mark.label else 0}"


def _span(place: str) -> dict[str, int]:
    start, end, label = place.split("-")
    return {"start": int(start), "end": int(end), "label": int(label)}
