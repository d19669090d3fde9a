"""Versions on the labelled hold-out: how good each is, and whether a candidate beats the one that serves."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.annotation.models import Prediction, Resolution
from apps.content.models import Item, Split
from apps.feedback.services import outcomes
from apps.feedback.services.outcomes import CaseChanges
from apps.learning import queries
from apps.learning.models import Evaluation
from apps.learning.services import engagement, holdout
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from workers.learning import types

MARGIN = 0.02  # "not worse" allows two points


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate against the live version on the same items. Differences are candidate − live."""

    kind: str  # better, worse, not_worse, cannot_tell, first (nothing is live), unmeasured (no labelled hold-out)
    sentence: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    more_needed: int | None = None
    fixes: tuple[int, ...] = ()  # items that only the candidate gets right
    breaks: tuple[int, ...] = ()  # items that only the live version gets right
    metric: str = "accuracy"  # that the difference is about; micro_f1, strict_f1
    cases: CaseChanges | None = None  # what it does to the regression cases; None where there are none

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def evaluate(version: ModelVersion) -> Evaluation | None:
    """Measure a version on the hold-out as it is labelled now, once per state. None: nothing is labelled yet."""
    seen = holdout.answers(version)
    if not len(seen.items):
        return None
    state = seen.state()
    known = Evaluation.objects.filter(version=version, holdout_hash=state).first()
    if known:
        return known
    found = {"classes": [list(pair) for pair in seen.classes], "slices": _slices(seen)} | _measured(seen, version)
    return Evaluation.objects.get_or_create(
        version=version, holdout_hash=state, defaults={"n": len(seen.items), "metrics": found}
    )[0]


def _measured(seen: holdout.Answers, version: ModelVersion) -> dict[str, Any]:
    from workers.learning import evaluate as measure

    if seen.task == holdout.ENGAGEMENT:
        return engagement.measured(seen, version.seed)
    k, rng = len(seen.classes), np.random.default_rng(version.seed)
    if seen.task == holdout.SPANS:
        return measure.evaluate_spans(seen.truth, seen.predicted, n_classes=k, rng=rng).as_dict()
    if seen.task == holdout.MULTI:
        return measure.evaluate_multi(seen.truth, seen.probabilities, predicted=seen.predicted, rng=rng).as_dict()
    return measure.evaluate(seen.truth, seen.predicted, seen.probabilities, n_classes=k, rng=rng).as_dict()


def _slices(seen: holdout.Answers) -> list[dict[str, Any]]:
    from workers.learning import evaluate as measure

    found = holdout.fields(seen.items) if seen.task != holdout.ENGAGEMENT else {}
    return [row.as_dict() for row in measure.by_slice(seen.tally(), found)] if found else []


def latest(version: ModelVersion) -> Evaluation | None:
    return Evaluation.objects.filter(version=version).order_by("-at", "-pk").first()


def compare(candidate: ModelVersion, live: ModelVersion | None) -> Comparison:
    """The verdict on the current hold-out labels, and which regression cases the candidate fixes and breaks."""
    return replace(_on_holdout(candidate, live), cases=outcomes.changes(candidate, live))


def _on_holdout(candidate: ModelVersion, live: ModelVersion | None) -> Comparison:
    """Over the items that both versions have answered."""
    if live is None:
        return Comparison(
            "first", _("Nothing is live yet, so there is nothing to compare %(v)s with.") % {"v": candidate}
        )
    truth = queries.holdout_truth(candidate.project)
    classes = holdout.classes_of([live, candidate], [value for _item, value in truth])
    b = holdout.answers(candidate, truth, classes)
    seen = set(b.items.tolist())
    a = holdout.answers(live, [pair for pair in truth if pair[0] in seen], classes)
    if not len(a.items):
        return Comparison(
            "unmeasured",
            _("No held-out item is labelled yet, so nobody can say whether %(b)s is better than %(a)s.")
            % {"a": live, "b": candidate},
        )
    if len(a.items) < len(b.items):
        both = set(a.items.tolist())
        b = holdout.answers(candidate, [pair for pair in truth if pair[0] in both], classes)
    verdict = _verdict(a, b)
    return Comparison(
        kind=verdict.kind,
        sentence=(engagement.sentence if verdict.metric == "log_loss" else _sentence)(candidate, live, verdict),
        difference=verdict.difference,
        low=verdict.low,
        high=verdict.high,
        n=verdict.n,
        more_needed=verdict.more_needed,
        fixes=tuple(b.items[b.right & ~a.right].tolist()),
        breaks=tuple(b.items[a.right & ~b.right].tolist()),
        metric=verdict.metric,
    )


def _verdict(a: holdout.Answers, b: holdout.Answers) -> types.Verdict:
    from workers.learning import evaluate as measure

    if b.task == holdout.ENGAGEMENT:
        return engagement.verdict(a, b)
    if b.task == holdout.SPANS:
        return measure.compare_spans(a.predicted, b.predicted, b.truth, n_classes=len(b.classes), margin=MARGIN)
    if b.task == holdout.MULTI:
        return measure.compare_multi(a.predicted, b.predicted, b.truth, margin=MARGIN)
    return measure.compare(a.predicted, b.predicted, b.truth, margin=MARGIN)


def _sentence(candidate: ModelVersion, live: ModelVersion, verdict: types.Verdict) -> str:
    values = {
        "a": live,
        "b": candidate,
        "by": f"{abs(verdict.difference) * 100:.1f}",
        "low": _signed(verdict.low),
        "high": _signed(verdict.high),
        "n": verdict.n,
        "more": verdict.more_needed,
    }
    if verdict.kind == "better":
        text = _("%(b)s is better than %(a)s by %(by)s points (%(low)s to %(high)s, %(n)d held-out items).")
    elif verdict.kind == "worse":
        text = _("%(b)s is worse than %(a)s by %(by)s points (%(low)s to %(high)s, %(n)d held-out items).")
    elif verdict.kind == "not_worse":
        text = _("%(b)s is not worse than %(a)s (difference %(low)s to %(high)s points, %(n)d held-out items).")
    elif verdict.more_needed is None:
        text = _("Cannot tell yet whether %(b)s or %(a)s is better, and no reasonable number of labels would.")
    else:
        text = ngettext(
            "Cannot tell yet whether %(b)s or %(a)s is better: about %(more)d more held-out label would.",
            "Cannot tell yet whether %(b)s or %(a)s is better: about %(more)d more held-out labels would.",
            verdict.more_needed,
        )
    return text % values


def _signed(share: float) -> str:
    return f"{share * 100:+.1f}".replace("-", "−")


NEWLY_LABELLED = """
SELECT v.id FROM registry_modelversion v
WHERE v.project_id = %s AND EXISTS (
    SELECT 1 FROM annotation_resolution r
    WHERE r.project_id = v.project_id AND r.split = 'holdout' AND (r.label_id IS NOT NULL OR r.value IS NOT NULL)
    AND r.changed_at > COALESCE((SELECT max(e.at) FROM learning_evaluation e WHERE e.version_id = v.id), '-infinity'))
ORDER BY v.number DESC LIMIT %s
"""


def evaluate_due() -> None:
    """Measure again where hold-out labels came in or changed since the newest versions were measured."""
    for project in Project.objects.filter(archived_at=None, versions__isnull=False).distinct():
        evaluate_again(project)


def evaluate_again(project: Project, *, versions: int = 3) -> int:
    """How many of the newest versions could be measured on the hold-out as it is labelled now."""
    with connection.cursor() as cursor:
        cursor.execute(NEWLY_LABELLED, [project.pk, versions])
        ids = [pk for (pk,) in cursor.fetchall()]
    found = ModelVersion.objects.filter(pk__in=ids).select_related("project")
    return sum(evaluate(version) is not None for version in found)


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled hold-out item and what versions said about it: (Truth, confidence) in the order asked for."""

    item: int
    text: str
    truth: Any  # a label id, or the value of another task kind
    said: tuple[tuple[Any, float], ...]


def judged(items: Sequence[int], versions: Sequence[ModelVersion]) -> list[Judged]:
    """Labelled hold-out items side by side; one that any of the versions has not seen is left out."""
    resolved = Resolution.objects.filter(item_id__in=items, split=Split.HOLDOUT)
    truth = {item: label or value for item, label, value in resolved.values_list("item_id", "label_id", "value")}
    rows = Prediction.objects.filter(item_id__in=items, version__in=versions)
    said = {
        (item, version): (label if value is None else value, confidence)
        for item, version, label, value, confidence in rows.values_list(
            "item_id", "version_id", "label_id", "value", "confidence"
        )
    }
    return [
        Judged(item, text, truth[item], tuple(said[item, version.pk] for version in versions))
        for item, text in Item.objects.filter(pk__in=list(truth)).order_by("pk").values_list("pk", "text")
        if all((item, version.pk) in said for version in versions)
    ]


def in_cell(version: ModelVersion, truth: int, predicted: int) -> list[int]:
    """Hold-out items labelled `truth` that the version calls `predicted`: one cell of the confusion matrix."""
    labelled = [item for item, label in queries.holdout_truth(version.project) if label == truth]
    rows = Prediction.objects.filter(version=version, item_id__in=labelled, label_id=predicted)
    return list(rows.order_by("item_id").values_list("item_id", flat=True))
