from dataclasses import dataclass
from typing import Any

from django import template
from django.template import Context

from apps.annotation.models import Annotation, Prediction, Resolution
from apps.projects.models import Label

register = template.Library()


@dataclass(frozen=True)
class Chip:
    label: Label
    quote: str = ""  # of a span


@register.inclusion_tag("annotation/_chips.html", takes_context=True)
def chips(context: Context, said: Annotation | Prediction | Resolution, text: str) -> dict[str, Any]:
    """What a person, a model or the truth says about a text, whatever the task kind."""
    value = said.value
    if value is None:
        return {"chips": [Chip(said.label)] if said.label else []}
    if "shown" in value:
        return {"chips": [], "counts": value}
    labels = _labels(context)
    if "labels" in value:
        return {"chips": [Chip(labels[label]) for label in value["labels"] if label in labels], "value": True}
    spans = [(labels[span["label"]], span) for span in value["spans"] if span["label"] in labels]
    return {"chips": [Chip(label, text[span["start"] : span["end"]]) for label, span in spans], "value": True}


def _labels(context: Context) -> dict[int, Label]:
    """The project's, read once a page."""
    kept = context.render_context
    if "labels_by_id" not in kept:
        kept["labels_by_id"] = {label.pk: label for label in Label.objects.filter(project=context["project"])}
    found: dict[int, Label] = kept["labels_by_id"]
    return found
