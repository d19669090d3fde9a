"""Shares as per cents and points, the same way on every page."""

from typing import Any

from django import template
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _

from apps.common.numbers import per_cent
from apps.learning import engine_words, headlines, options
from apps.learning.models import Evaluation

register = template.Library()
_REASONS = {
    "uncertain": _("by the strategy"),
    "cold_start": _("to begin with"),
    "random": _("at random"),
    "holdout": _("to measure"),
}
_TRIAL_STATES = {
    "running": _("running"),
    "complete": _("finished"),
    "pruned": _("stopped early"),
    "failed": _("failed"),
}


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    """0.861 → 86.1 %"""
    return "–" if share is None else per_cent(share, digits)


@register.filter
def points(share: float | None) -> str:
    """0.019 → +1.9"""
    if share is None:
        return "–"
    sign = "+" if share >= 0 else "−"
    return f"{sign}{number_format(round(abs(share) * 100, 1), 1)}"


@register.filter
def hundred(share: float | None) -> int:
    """0.861 → 86, the value of a <progress max=100>"""
    return 0 if share is None else round(share * 100)


@register.filter
def of(table: dict[Any, Any], key: Any) -> Any:
    """A value by a key that is itself a variable."""
    return table.get(key)


@register.filter
def said(sentence: str) -> str:
    """A sentence of the engine, in the reader's language where we know how it is built."""
    return engine_words.translated(sentence)


@register.filter
def setting(name: str) -> Any:
    """A setting of the engine by the name that people read."""
    return options.name_of(name)


@register.filter
def setting_value(value: Any) -> Any:
    return "–" if value is None else options.shown(value)


@register.filter
def trial_state(state: str) -> Any:
    return _TRIAL_STATES.get(state, state)


@register.filter
def headline(evaluation: Evaluation) -> headlines.Headline:
    """The one figure of a measured version, whatever its task."""
    return headlines.of(evaluation)


@register.filter
def slice_name(field: str) -> Any:
    return _("Language") if field == "language" else field


@register.filter
def sampling_reason(reason: str) -> Any:
    return _REASONS.get(reason, reason)


@register.filter
def base_name(encoder: str) -> str:
    """An encoder's name without its options."""
    return encoder.partition("?")[0]
