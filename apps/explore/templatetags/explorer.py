"""Pieces of the list that a template would draw hundreds of times a page: made in Python, escaped like everything."""

from typing import Any

from django import template
from django.forms import BoundField, ChoiceField
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from apps.projects.models import Label

register = template.Library()


@register.filter
def options(field: BoundField) -> SafeString:
    """Django's own widget renders a template for each option."""
    choices: Any = field.field.choices if isinstance(field.field, ChoiceField) else []
    chosen = str(field.value() or "")
    rows = ((value, SafeString(" selected") if str(value) == chosen else "", words) for value, words in choices)
    return format_html_join("", '<option value="{}"{}>{}</option>', rows)


class Chips:
    """As the tag `chips` of answers.py draws them; each label is drawn once a page."""

    def __init__(self, labels: dict[int, Label]) -> None:
        self.labels = labels
        self.drawn: dict[int, SafeString] = {}

    def __call__(self, said: Any, text: str) -> SafeString:
        if said is None:
            return SafeString("")
        value = said.value
        if value is None:
            return self._of(said.label_id) if said.label_id else SafeString("")
        if "shown" in value:
            counts = {"clicked": value["clicked"], "shown": value["shown"]}
            return format_html('<span class="num">{}</span> ', _("%(clicked)s of %(shown)s clicked") % counts)
        if "labels" in value:
            made = [self._of(pk) for pk in value["labels"] if pk in self.labels]
        else:
            made = [self._span(span, text) for span in value["spans"] if span["label"] in self.labels]
        return SafeString("".join(made)) if made else format_html('<span class="quieter">{}</span> ', _("nothing"))

    def _of(self, pk: int) -> SafeString:
        if pk not in self.drawn:
            label = self.labels.get(pk)
            drawn = '<span class="chip label-{}" hx-disable>{}</span> '
            self.drawn[pk] = format_html(drawn, label.color, label.name) if label else SafeString("")
        return self.drawn[pk]

    def _span(self, span: dict[str, Any], text: str) -> SafeString:
        label = self.labels[span["label"]]
        quote = text[span["start"] : span["end"]]
        drawn = '<span class="chip label-{}" hx-disable>{} <q>{}</q></span> '
        return format_html(drawn, label.color, label.name, quote if len(quote) <= 60 else quote[:59] + "…")
