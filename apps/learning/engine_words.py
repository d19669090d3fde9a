"""The engine speaks plain English. The sentences of it that pages show are known here, so they can be translated."""

import re
from functools import cache

from django.utils.translation import gettext, gettext_noop

_ = gettext_noop
SENTENCES = (
    # finetune/defaults.py
    _("Character n-grams have no weights to fine-tune, so a head is published on them."),
)


def translated(sentence: str) -> str:
    """The sentence in the active language; as it is when nobody told us how it is built."""
    for template, pattern in _patterns():
        if found := pattern.fullmatch(sentence):
            return gettext(template) % found.groupdict()
    return sentence


@cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [(template, re.compile(_pattern(template))) for template in SENTENCES]


def _pattern(template: str) -> str:
    """“%(n)s examples” → a pattern with a group n."""
    parts = re.split(r"%\((\w+)\)s", template)
    return "".join(f"(?P<{part}>.+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts))
