from typing import Any

from django.forms import BaseForm

from apps.common.errors import InvalidInput

LARGEST = 2**63 - 1  # an id can be


def add_refusal(form: BaseForm, refusal: InvalidInput) -> None:
    """A service's refusal, shown at the field it is about."""
    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))


def whole(given: str, most: int = LARGEST) -> int | None:
    """A number out of an address or a form; None for anything else, and for one that no column holds."""
    number = int(given) if given.isascii() and given.isdecimal() and len(given) <= len(str(most)) else None
    return number if number is not None and number <= most else None


def first_error(form: BaseForm) -> str:
    """One sentence for places that have room for one."""
    errors: Any = form.errors
    for messages in errors.values():
        for message in messages:
            return str(message)
    return ""
