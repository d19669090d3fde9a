"""One figure for any model, whatever its task, and the other figures beside it, in words that people read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.common.numbers import per_cent
from apps.learning.models import Evaluation

Words = str | Promise
NAMES: dict[str, Words] = {
    "accuracy": _("Accuracy"),
    "micro_f1": _("Micro-F1"),
    "strict_f1": _("Strict F1"),
    "auc": _("AUC of clicks"),
    "log_loss": _("Log-loss"),
}
OF_TASK = {"single": "accuracy", "multi": "micro_f1", "spans": "strict_f1", "engagement": "auc"}
MEANINGS: dict[str, Words] = {
    "accuracy": _("The share of held-out items that it gets right."),
    "micro_f1": _("Precision and recall over all labels of all held-out items, in one figure."),
    "strict_f1": _("A span counts only with the right borders and the right label."),
    "auc": _("How often a showing that was clicked had the higher probability of two; 0.5 is chance."),
}


@dataclass(frozen=True, slots=True)
class Figure:
    name: Words
    value: str
    low: str = ""
    high: str = ""
    note: Words = ""


@dataclass(frozen=True, slots=True)
class Headline:
    metric: str  # accuracy, micro_f1, strict_f1
    value: float
    low: float
    high: float
    n: int

    @property
    def name(self) -> Words:
        return NAMES.get(self.metric, self.metric)

    @property
    def meaning(self) -> Words:
        return MEANINGS.get(self.metric, "")

    @property
    def shown(self) -> str:
        return spelled(self.metric, self.value)

    @property
    def shown_low(self) -> str:
        return spelled(self.metric, self.low)

    @property
    def shown_high(self) -> str:
        return spelled(self.metric, self.high)


def spelled(metric: str, share: float) -> str:
    """Accuracy as per cents, F1 as a number up to one."""
    if metric == "accuracy":
        return per_cent(share)
    return str(number_format(round(share, 3), 3))


def of(evaluation: Evaluation) -> Headline:
    metrics = evaluation.metrics
    found = metrics.get("headline") or {
        "name": "accuracy",
        "value": metrics["accuracy"],
        "interval": metrics["accuracy_interval"],
    }
    return Headline(found["name"], found["value"], found["interval"]["low"], found["interval"]["high"], evaluation.n)


def figures(evaluation: Evaluation) -> list[Figure]:
    """The headline first, then what else says how good a model of this task is."""
    metrics, head = evaluation.metrics, of(evaluation)
    if head.metric == "auc":
        return _clicks(metrics, head)
    shown = [Figure(head.name, head.shown, head.shown_low, head.shown_high)]
    if head.metric == "strict_f1":
        shown.append(_f1(metrics, "partial_f1", _("Partial F1"), _("overlapping borders count half")))
    shown.append(_f1(metrics, "macro_f1", _("Macro-F1"), _("every label counts the same")))
    if metrics.get("exact_match") is not None:
        interval = metrics["exact_match_interval"]
        low, high = (spelled("accuracy", interval[end]) for end in ("low", "high"))
        shown.append(Figure(_("Wholly right"), spelled("accuracy", metrics["exact_match"]), low, high))
    return shown


def _clicks(metrics: Mapping[str, Any], head: Headline) -> list[Figure]:
    """What a model of clicks knows beyond the rate that is the same for all."""
    gain, loss = metrics["gain_interval"], metrics["log_loss_interval"]
    base = _("the click rate alone has %(loss)s") % {"loss": _nats(metrics["base_log_loss"])}
    showings = _("%(clicked)s of %(shown)s showings") % {
        "clicked": number_format(metrics["clicked"], force_grouping=True),
        "shown": number_format(metrics["shown"], force_grouping=True),
    }
    return [
        Figure(head.name, head.shown, head.shown_low, head.shown_high, note=_("0.5 is chance")),
        Figure(_("Log-loss"), _nats(metrics["log_loss"]), _nats(loss["low"]), _nats(loss["high"]), note=base),
        Figure(
            _("Gain over the click rate"),
            _nats(metrics["gain"]),
            _nats(gain["low"]),
            _nats(gain["high"]),
            note=_("nats a showing; above 0 it knows more"),
        ),
        Figure(_("Click rate"), spelled("accuracy", metrics["base_rate"]), note=showings),
    ]


def _nats(value: float) -> str:
    return str(number_format(round(value, 4), 4))


def _f1(metrics: Mapping[str, Any], key: str, name: Words, note: Words) -> Figure:
    ends = metrics.get(f"{key}_interval") or {}
    low, high = (spelled(key, ends[end]) if end in ends else "" for end in ("low", "high"))
    return Figure(name, spelled(key, metrics[key]), low, high, note)


def calibration(evaluation: Evaluation) -> list[Figure]:
    """How far the probabilities can be believed; empty where a model gives none."""
    metrics = evaluation.metrics
    if metrics.get("ece") is None:
        return []
    null = metrics.get("ece_null")
    note = _("a perfect one shows %(null)s here") % {"null": spelled("accuracy", null)} if null is not None else ""
    shown = [Figure(_("Calibration error (ECE)"), spelled("accuracy", metrics["ece"]), note=note)]
    for key, name in (("brier", _("Brier score")), ("nll", _("Log-loss"))):
        if metrics.get(key) is not None:
            shown.append(Figure(name, spelled(key, metrics[key]), note=_("lower is better")))
    return shown
