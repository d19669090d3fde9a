"""Sentences that the map's scripts say; here, so that the catalogue translates them."""

from typing import Any

from django.utils.translation import gettext as _


def map_words() -> dict[str, Any]:
    return {
        "byTruth": _("Label"),
        "predicted": _("What {version} says"),
        "confidence": _("How sure {version} is, in per cent"),
        "several": _("several labels"),
        "nothing": _("none of the labels"),
        "others": _("rarer labels"),
        "unlabelled": _("not labelled yet"),
        "noPrediction": _("no prediction"),
        "steps": [_("below 50"), _("50 to 70"), _("70 to 90"), _("90 to 97"), _("97 and more")],
        "one": _("One label alone"),
        "all": _("all labels"),
        "inOne": _("1 text lies in this area."),
        "inMany": _("{n} texts lie in this area."),
        "inNone": _("No text lies in this area."),
        "lassoOn": _("Lasso on: drag around texts."),
        "lassoOff": _("Lasso off: drag moves the map."),
        "edge": _("There is no text further that way."),
        "gone": _("This text is not here any more."),
        "failed": _("The points could not be loaded. Reload the page."),
    }
