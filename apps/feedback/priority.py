"""What a ticket's place in the list is made of. The page of rules and every ticket spell out these sentences."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

PEOPLE, SURE, TREND, DAY, MOST_DAYS, BACK = 10.0, 10.0, 5.0, 1.0, 14, 30.0


@dataclass(frozen=True, slots=True)
class Part:
    points: float
    sentence: str


def trend_of(lately: int, before: int) -> float:
    """How often it grew: complaints of the last seven days against the seven before, one added to both."""
    return (lately + 1) / (before + 1)


def priority(reach: int, confidence: float | None, age_days: float, trend: float, regressed: bool) -> float:
    return round(sum(_points(reach, confidence, age_days, trend, regressed)), 3)


def _points(
    reach: int, confidence: float | None, age_days: float, trend: float, regressed: bool
) -> tuple[float, float, float, float, float]:
    return (
        PEOPLE * math.log2(1 + max(0, reach)),
        SURE * min(1.0, max(0.0, confidence or 0.0)),
        TREND * min(2.0, max(-2.0, math.log2(trend) if trend > 0 else -2.0)),
        DAY * min(MOST_DAYS, max(0.0, age_days)),
        BACK if regressed else 0.0,
    )


def spelled_out(  # noqa: PLR0917
    reach: int, confidence: float | None, age_days: float, lately: int, before: int, regressed: bool
) -> list[Part]:
    """The sum in words, with this ticket's numbers; the points of the parts add up to its priority."""
    people, sure, trend, age, back = _points(reach, confidence, age_days, trend_of(lately, before), regressed)
    parts = [
        Part(people, ngettext("%(n)d person is reached.", "%(n)d people are reached.", reach) % {"n": reach}),
        Part(
            sure,
            _("The model was %(percent)d %% sure of what it said.") % {"percent": round(100 * (confidence or 0))}
            if confidence is not None
            else _("Nobody knows how sure the model was."),
        ),
        Part(
            trend,
            _("%(lately)d complaints in the last seven days, %(before)d in the seven before.")
            % {"lately": lately, "before": before},
        ),
        Part(age, _("It has been waiting for %(days)d days.") % {"days": int(age_days)}),
    ]
    if regressed:
        parts.append(Part(back, _("It had been fixed and came back.")))
    return parts


def rules() -> Sequence[str]:
    """The formula as the page of feedback rules states it."""
    return (
        _("People: %(points)d points each time the number of people plus one doubles.") % {"points": PEOPLE},
        _("Sureness: up to %(points)d points for how sure the model was of its answer; a sure mistake weighs more.")
        % {"points": SURE},
        _(
            "Trend: %(points)d points when complaints of the last seven days are twice those of the seven before, "
            "as many off when they are half, at most twice that either way."
        )
        % {"points": TREND},
        _("Waiting: one point a day, at most %(days)d, so that nothing is forgotten.") % {"days": MOST_DAYS},
        _("Came back: %(points)d points when it had been fixed before.") % {"points": BACK},
    )
