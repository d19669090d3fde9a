"""Sentences that the scripts of the label page say; here, so that the catalogue translates them."""

from typing import Any

from django.utils.translation import gettext as _


def label_words() -> dict[str, Any]:
    return {
        "saved": _("saved ✓"),
        "saving": _("saving …"),
        "unsent": _("{n} unsent"),
        "kept": _("The server does not answer. Your answers are kept here and go out as soon as it does."),
        "answered": _("Answered {label}. Next text."),
        "flagged": _("flag"),
        "skipped": _("Skipped. Next text."),
        "undone": _("Taken back: {label}. The text is here again."),
        "nothingToUndo": _("There is no answer of yours to take back."),
        "chooseFirst": _("Choose a label first; or flag the text, or skip it."),
        "blind": _("labelled blind, to measure the model"),
        "looking": _("you answered: {label} · another label changes it, Esc goes on"),
        "changed": _("Changed to {label}."),
        "noOlder": _("There is no older answer in the list."),
        "late": _("Somebody else had got this text in the meantime; your answer is kept as another opinion."),
        "refusedText": _("(Your answer “{label}” to “{text}”.)"),
        "elsewhere": _("Answered in another tab. Next text."),
        "signedOut": _("You have been signed out. Your unsent answers are kept here; sign in again and they go out."),
        "signIn": _("Sign in (new tab)"),
        "tryAgain": _("I have signed in: send them"),
        "flagOn": _("Flagged for the others."),
        "flagOff": _("Not flagged."),
        "session": _("{n} answered in this sitting"),
        "keys": {
            "digits": _("Answer with that label"),
            "submit": _("Submit the chosen label"),
            "accept": _("Accept the likeliest label"),
            "reject": _("None of these: find another label"),
            "skip": _("Skip this text"),
            "undo": _("Undo the last answer, also of an earlier session"),
            "previous": _("Look back through my answers"),
            "next": _("Forward again, to the queue"),
            "flag": _("Flag for the others"),
            "comment": _("Write a note"),
            "search": _("Find a label by a few letters"),
            "guidelines": _("Show or hide the guidelines"),
            "present": _("Back to the queue"),
        },
    }
