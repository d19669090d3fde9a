"""Times and moves of tickets in words."""

from datetime import datetime

from django import template
from django.utils import timezone

from apps.feedback import triage_words
from apps.feedback.models import Signal, Ticket

register = template.Library()


@register.filter
def clock(ticket: Ticket) -> str:
    return triage_words.clock(ticket)


@register.filter
def first_look(ticket: Ticket) -> str:
    return triage_words.first_look(ticket)


@register.filter
def ago(at: datetime) -> str:
    return triage_words.span(timezone.now() - at)


@register.filter
def snoozed(ticket: Ticket) -> str:
    return triage_words.snoozed(ticket.snoozed_until, ticket.snoozed_reach)


@register.filter
def answered(signal: Signal) -> str:
    """The answer to a survey's question, or the rating: what of a signal's value is words."""
    value = signal.value if isinstance(signal.value, dict) else {}
    if signal.kind == Signal.Kind.RATING:
        return f"{value.get('rating', '?')} / {value.get('of', '?')}"
    return str(value.get("answer", "")) if signal.kind == Signal.Kind.ANSWER else ""
