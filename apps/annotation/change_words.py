"""What an act on many items did, beyond its name and its number."""

from collections.abc import Mapping

from django.utils.translation import ngettext

from apps.annotation.models import Change
from apps.projects.models import Label


def labels(change: Change, known: Mapping[int, Label]) -> list[Label]:
    """Those that were set by hand."""
    given = [change.what.get("label"), *((change.what.get("value") or {}).get("labels", []))]
    return [known[pk] for pk in given if pk in known]


def beside(change: Change) -> str:
    """What it did not reach."""
    if change.kind == Change.Kind.UNDO:
        return left(change)
    given = change.what.get("left_out", 0)
    n = sum(given.values()) if isinstance(given, dict) else int(given)
    if not n:
        return ""
    return ngettext("%(n)d item stayed as it was.", "%(n)d items stayed as they were.", n) % {"n": n}


def left(undo: Change) -> str:
    """Of an act that was taken back: how much stays, because people have gone on from there."""
    n = undo.what.get("left", 0)
    if not n:
        return ""
    several = ngettext(
        "%(n)d was left: somebody has decided or answered it since.",
        "%(n)d were left: somebody has decided or answered them since.",
        n,
    )
    return several % {"n": n}
