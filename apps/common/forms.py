from typing import Any

from django.forms import BaseForm

from apps.common.errors import InvalidInput


def add_refusal(form: BaseForm, refusal: InvalidInput) -> None:
    """A service's refusal, shown at the field it is about."""
    form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))


def first_error(form: BaseForm) -> str:
    """One sentence for places that have room for one."""
    errors: Any = form.errors
    for messages in errors.values():
        for message in messages:
            return str(message)
    return ""
