"""What a version learnt from users, in sentences: how much of it, and how far they were believed."""

from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from apps.common.numbers import per_cent
from apps.registry.models import ModelVersion

CLAIMS: dict[str, str | Promise] = {
    "is": _("corrected labels"),
    "not": _("thumbs-down and low ratings"),
    "up": _("thumbs-up and high ratings"),
}


def paragraphs(version: ModelVersion) -> list[str]:
    """Nothing for a version that was not to listen to users."""
    found = version.metrics.get("weak")
    if not isinstance(found, dict):
        return []
    if not found.get("texts"):
        return [_now("It was to learn from what users said, too, but they had said nothing that it could.")]
    return [_let_in(found), *(_believed(row) for row in found.get("reliability", []))]


def _let_in(found: dict[str, Any]) -> str:
    if not found.get("ratio"):
        return _now(
            "What users said of %(n)d more texts was looked at and left out: on labels of its people that it had not "
            "seen, it did not help."
        ) % {"n": found["texts"]}
    return _now(
        "Also learnt from what users said of %(used)d more texts (%(voices)d thumbs, ratings and corrections), with a "
        "weight of %(weight)s a text on average, where a label of its people has 1. None of these texts is held out."
    ) % {
        "used": found["used"],
        "voices": found["voices"],
        "weight": number_format(found["mean_weight"], 2),
    }


def _believed(row: dict[str, Any]) -> str:
    values = {
        "claim": CLAIMS.get(row["claim"], row["claim"]),
        "right": row["right"],
        "checked": row["checked"],
        "rate": per_cent(row["rate"]),
        "low": per_cent(row["low"]),
        "high": per_cent(row["high"]),
        "base": per_cent(row["base"]),
    }
    if not row["checked"]:
        text = _now(
            "Reliability of %(claim)s: none was on a text that its people have labelled, so they are believed hardly "
            "more than the model itself."
        )
        return text % values
    return (
        _now(
            "Reliability of %(claim)s: %(right)d of %(checked)d were right where a label of its people tells; taken as "
            "%(rate)s (%(low)s – %(high)s), where the model alone would give %(base)s."
        )
        % values
    )
