"""Figures and lists as the reader's language writes them."""

from collections.abc import Iterable

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def per_cent(share: float, digits: int = 1) -> str:
    """0.861 → 86.1 %, and 86.1% where no space belongs there. Rounded first: number_format alone cuts off."""
    return _("%(n)s %%") % {"n": number_format(round(share * 100, digits), digits)}


def listed(words: Iterable[object]) -> str:
    """a, b, and 甲、乙."""
    return pgettext("a list", ", ").join(map(str, words))


def bracketed(words: object) -> str:
    """What stands behind something, in brackets: with a space before them, or wide ones."""
    return pgettext("a sentence", " (") + str(words) + pgettext("a sentence", ")")
