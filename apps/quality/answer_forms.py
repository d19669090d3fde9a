"""What a lead or a reviewer may call the right answer: a label, labels, or one of the readings that are there."""

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.annotation.models import Annotation, Prediction, Resolution
from apps.annotation.services import values
from apps.common.numbers import listed
from apps.content.models import Item
from apps.projects.models import Label, Project


class AnswerForm(forms.Form):
    """`answer()` is what make_gold and decide_by_hand take: label=… or value=…"""

    def __init__(self, project: Project, item: Item, data: Any = None, *, truth: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.project, self.item = project, item
        self.readings: list[dict[str, Any]] = []
        labels = Label.objects.filter(project=project, archived_at=None)
        match project.task_kind:
            case Project.TaskKind.MULTI:
                self.fields["labels"] = forms.ModelMultipleChoiceField(
                    labels,
                    required=False,
                    label=gettext_lazy("Right labels"),
                    help_text=gettext_lazy("None ticked: none of them fits."),
                    widget=forms.CheckboxSelectMultiple,
                    initial=(truth or {}).get("labels", ()),
                )
            case Project.TaskKind.SPANS:
                self.readings = readings(item, truth)
                names = {label.pk: label.name for label in Label.objects.filter(project=project)}
                self.fields["reading"] = forms.ChoiceField(
                    label=gettext_lazy("Right spans"),
                    choices=[(str(place), in_words(one, names)) for place, one in enumerate(self.readings)],
                    widget=forms.RadioSelect,
                    initial="0" if truth else None,
                    help_text=gettext_lazy(
                        "What people and the model have marked so far. Label the text yourself first for another one."
                    ),
                )
            case _:
                self.fields["label"] = forms.ModelChoiceField(
                    labels, label=gettext_lazy("Right label"), empty_label=None, initial=truth
                )

    def answer(self) -> dict[str, Any]:
        match self.project.task_kind:
            case Project.TaskKind.MULTI:
                return {"value": {"labels": sorted(label.pk for label in self.cleaned_data["labels"])}}
            case Project.TaskKind.SPANS:
                chosen = self.readings[int(self.cleaned_data["reading"])]
                return {"value": chosen | {"text_hash": values.text_hash(self.item.text)}}
            case _:
                return {"label": self.cleaned_data["label"]}


def readings(item: Item, truth: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The truth first, then what people said, then the newest version; each different one once."""
    said: list[Any] = [truth, *Resolution.objects.filter(item=item).values_list("value", flat=True)]
    said += Annotation.objects.filter(item=item, retracted=False).order_by("-pk").values_list("value", flat=True)
    said += Prediction.objects.filter(item=item).order_by("-version__number").values_list("value", flat=True)[:1]
    return _different(item, said)


def _different(item: Item, said: Iterable[Any]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for value in said:
        if not isinstance(value, dict) or "spans" not in value:
            continue
        spans = [
            {
                "start": one["start"],
                "end": one["end"],
                "label": one["label"],
                "quote": item.text[one["start"] : one["end"]],
            }
            for one in value["spans"]
        ]
        found.setdefault(json.dumps(spans, sort_keys=True), {"spans": spans})
    return list(found.values())


def in_words(value: dict[str, Any], names: dict[int, str]) -> str:
    if "labels" in value:
        return listed(names.get(label, "?") for label in value["labels"]) or _("none of them")
    parts = [f"“{one['quote']}” {names.get(one['label'], '?')}" for one in value["spans"]]
    return " · ".join(parts) or _("nothing to mark")
