"""An alarm in words and figures, for the page, the inbox, the mail and the webhook."""

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from apps.trends.models import Alarm, AlarmRule

Stream, Direction = AlarmRule.Stream, AlarmRule.Direction


def title(alarm: Alarm) -> str:
    rule, label = alarm.rule, alarm.label.name if alarm.label else ""
    if rule.stream in {Stream.LABEL, Stream.EACH_LABEL}:
        words = _("More “%(label)s”") if rule.direction == Direction.UP else _("Less “%(label)s”")
        return words % {"label": label}
    if rule.stream == Stream.NEGATIVE:
        return _("More negative answers") if rule.direction == Direction.UP else _("Fewer negative answers")
    if rule.stream == Stream.COMPLAINTS:
        return _("More complaints") if rule.direction == Direction.UP else _("Fewer complaints")
    if rule.stream == Stream.SERVED:
        return _("Nothing is asked of the model any more")
    if rule.stream == Stream.SIGNALS:
        return _("No feedback comes in any more")
    return _("The texts are about something else")


def figures(alarm: Alarm) -> dict[str, Any]:
    """Since it began: items, share, expected share."""
    evidence = alarm.evidence
    if "k" not in evidence:
        return {key: evidence[key] for key in ("missing", "auc", "p_value", "psi") if key in evidence}
    hours = max(1, int((alarm.hour - alarm.onset).total_seconds() // 3600) + 1)
    n, k = sum(evidence["n"][-hours:]), sum(evidence["k"][-hours:])
    pairs = [
        (e, m) for e, m in zip(evidence["expected"][-hours:], evidence["n"][-hours:], strict=True) if e is not None
    ]
    usual = sum(e * m for e, m in pairs) / max(1, sum(m for _e, m in pairs))
    return {"items": n, "share": round(k / n, 4) if n else 0.0, "expected": round(usual, 4)}


def sentence(alarm: Alarm) -> str:
    found = figures(alarm)
    since = date_format(timezone.localtime(alarm.onset), "SHORT_DATETIME_FORMAT")
    if "share" in found:
        return _("%(share).0f %% of %(items)d since %(since)s; %(expected).0f %% is usual at these hours.") % {
            "share": 100 * found["share"],
            "expected": 100 * found["expected"],
            "items": found["items"],
            "since": since,
        }
    if "missing" in found:
        return _("Nothing since %(since)s, when about %(n).0f would be usual.") % {
            "since": since,
            "n": found["missing"],
        }
    return _("This week's texts can be told apart from those of the four weeks before. The newest kind stands first.")
