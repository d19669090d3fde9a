from collections.abc import Mapping

from django.utils.translation import ngettext_lazy

_LEFT_OUT = {
    "holdout": ngettext_lazy(
        "%(n)d is held out to measure the model.", "%(n)d are held out to measure the model.", "n"
    ),
    "gold": ngettext_lazy("%(n)d is a gold item.", "%(n)d are gold items.", "n"),
    "several": ngettext_lazy(
        "%(n)d is for several people, each alone.", "%(n)d are for several people, each alone.", "n"
    ),
    "labelled": ngettext_lazy(
        "%(n)d was labelled by somebody else meanwhile.", "%(n)d were labelled by somebody else meanwhile.", "n"
    ),
    "held": ngettext_lazy("%(n)d is before somebody else now.", "%(n)d are before somebody else now.", "n"),
    "same": ngettext_lazy("%(n)d had this label already.", "%(n)d had this label already.", "n"),
    "archived": ngettext_lazy("%(n)d was archived.", "%(n)d were archived.", "n"),
}
_OTHER = ngettext_lazy("%(n)d was left out.", "%(n)d were left out.", "n")


def left_out(counts: Mapping[str, int]) -> list[str]:
    """Why some of the checked texts kept what they had, a sentence each."""
    return [str(_LEFT_OUT.get(why, _OTHER) % {"n": n}) for why, n in counts.items() if n]
