"""Refusals of the estimator in the reader's language: the engine knows no translations."""

import re

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SENTENCES: tuple[tuple[str, Promise], ...] = (
    (
        r"No “shown” events have come in.*",
        _("No “shown” events have come in, so nobody knows what people saw and left alone."),
    ),
    (r"Nothing that was shown has been logged yet\.", _("Nothing that was shown has been logged yet.")),
    (
        r"For (?P<unknown>\d+) of (?P<n>\d+) answers nobody knows.*",
        _(
            "For %(unknown)s of %(n)s answers nobody knows how probable it was that they were shown: without "
            "propensities there is no such estimate."
        ),
    ),
    (
        r"Every answer was shown for certain.*",
        _(
            "Every answer was shown for certain, so the log says nothing about other answers. Let a small share of "
            "answers be explored in the serving settings; then ask again."
        ),
    ),
    (
        r"For (?P<share>\d+)% of the answers something else.*",
        _(
            "For %(share)s %% of the answers something else could never have been shown. Let a small share of answers "
            "be explored in the serving settings; then ask again."
        ),
    ),
    (
        r"What the other policy shows is hardly.*mean (?P<mean>[\d.]+).*",
        _(
            "What the other policy shows is hardly in the log (the weights have mean %(mean)s instead of 1). Let more "
            "answers be explored, or wait for more of them."
        ),
    ),
    (
        r"A few answers that were hardly ever shown.*",
        _(
            "A few answers that were hardly ever shown would decide everything here. Let more answers be explored, or "
            "wait for more of them."
        ),
    ),
    (
        r"The log is worth only (?P<size>\d+) answers.*; (?P<least>\d+) are needed.*",
        _(
            "The log is worth only %(size)s answers for this question; %(least)s are needed. Wait for more answers, or "
            "let more of them be explored."
        ),
    ),
)


def translated(sentence: str) -> str:
    for pattern, words in SENTENCES:
        found = re.fullmatch(pattern, sentence)
        if found:
            return str(words) % found.groupdict() if found.groupdict() else str(words)
    return sentence
