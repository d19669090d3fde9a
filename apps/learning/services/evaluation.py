"""Versions on the labelled hold-out: how good each is, and whether a candidate beats the one that serves."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from django.db import connection
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from numpy.typing import NDArray

from apps.annotation.models import Prediction, Resolution
from apps.content.models import Item, Split
from apps.learning import queries
from apps.learning.models import Evaluation
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from workers.learning import types

MARGIN = 0.02  # "not worse" allows two points


@dataclass(frozen=True, slots=True)
class Answers:
    """What a version said about the labelled hold-out items that it has seen. Rows run in item order."""

    items: NDArray[np.int64]  # (n,)
    classes: list[tuple[int, str]]  # the version's label order, then labels it does not know but the truth has
    truth: NDArray[np.int64]  # (n,) into classes
    probabilities: NDArray[np.float32]  # (n, k), zero for labels the version does not know
    predicted: NDArray[np.int64]  # (n,) into classes


@dataclass(frozen=True, slots=True)
class Comparison:
    """Candidate against the live version on the same items. Differences are in accuracy, candidate − live."""

    kind: str  # better, worse, not_worse, cannot_tell, first (nothing is live), unmeasured (no labelled hold-out)
    sentence: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    more_needed: int | None = None
    fixes: tuple[int, ...] = ()  # items that only the candidate gets right
    breaks: tuple[int, ...] = ()  # items that only the live version gets right

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def answers(version: ModelVersion, truth: list[tuple[int, int]] | None = None) -> Answers:
    truth = queries.holdout_truth(version.project) if truth is None else truth
    said = _said(version, [item for item, _label in truth])
    truth = [(item, label) for item, label in truth if item in said]
    classes = _classes(version, {label for _item, label in truth})
    place = {pk: at for at, (pk, _name) in enumerate(classes)}
    probabilities = np.zeros((len(truth), len(classes)), dtype=np.float32)
    known = len(version.label_order)
    for row, (item, _label) in enumerate(truth):
        probabilities[row, :known] = said[item][1]
    return Answers(
        items=np.array([item for item, _label in truth], dtype=np.int64),
        classes=classes,
        truth=np.array([place[label] for _item, label in truth], dtype=np.int64),
        probabilities=probabilities,
        predicted=np.array([place[said[item][0]] for item, _label in truth], dtype=np.int64),
    )


def _said(version: ModelVersion, items: list[int]) -> dict[int, tuple[int, NDArray[np.float32]]]:
    rows = Prediction.objects.filter(version=version, item_id__in=items)
    return {
        item: (label, np.asarray(probabilities, dtype=np.float32))
        for item, label, probabilities in rows.values_list("item_id", "label_id", "probabilities")
    }


def _classes(version: ModelVersion, in_truth: set[int]) -> list[tuple[int, str]]:
    order = [(int(pk), str(name)) for pk, name in version.label_order]
    unknown = in_truth - {pk for pk, _name in order}
    return order + [(label.pk, label.name) for label in Label.objects.filter(pk__in=unknown)]


def holdout_hash(seen: Answers) -> str:
    """Names one state of the labelled hold-out: which items, under which labels."""
    digest = hashlib.sha256()
    for item, label in zip(seen.items, seen.truth, strict=True):
        digest.update(f"{item}:{seen.classes[label][0]};".encode())
    return digest.hexdigest()


def evaluate(version: ModelVersion) -> Evaluation | None:
    """Measure a version on the hold-out as it is labelled now, once per state. None: nothing is labelled yet."""
    from workers.learning import evaluate as measure

    seen = answers(version)
    if not len(seen.items):
        return None
    state = holdout_hash(seen)
    known = Evaluation.objects.filter(version=version, holdout_hash=state).first()
    if known:
        return known
    metrics = measure.evaluate(
        seen.truth,
        seen.predicted,
        seen.probabilities,
        n_classes=len(seen.classes),
        rng=np.random.default_rng(version.seed),
    )
    found = metrics.as_dict() | {"classes": [list(pair) for pair in seen.classes]}
    return Evaluation.objects.get_or_create(
        version=version, holdout_hash=state, defaults={"n": metrics.n, "metrics": found}
    )[0]


def latest(version: ModelVersion) -> Evaluation | None:
    return Evaluation.objects.filter(version=version).order_by("-at", "-pk").first()


def compare(candidate: ModelVersion, live: ModelVersion | None) -> Comparison:
    """The verdict on the current hold-out labels, over the items that both versions have answered."""
    from workers.learning import evaluate as measure

    if live is None:
        return Comparison(
            "first", _("Nothing is live yet, so there is nothing to compare %(v)s with.") % {"v": candidate}
        )
    truth = queries.holdout_truth(candidate.project)
    b = answers(candidate, truth)
    seen = set(b.items.tolist())
    a = answers(live, [pair for pair in truth if pair[0] in seen])
    common = np.isin(b.items, a.items)
    if not common.any():
        return Comparison(
            "unmeasured",
            _("No held-out item is labelled yet, so nobody can say whether %(b)s is better than %(a)s.")
            % {"a": live, "b": candidate},
        )
    said_a, said_b, right = (
        _as_labels(a, a.predicted),
        _as_labels(b, b.predicted)[common],
        _as_labels(b, b.truth)[common],
    )
    verdict = measure.compare(said_a, said_b, right, margin=MARGIN)
    ok_a, ok_b, items = said_a == right, said_b == right, b.items[common]
    return Comparison(
        kind=verdict.kind,
        sentence=_sentence(candidate, live, verdict),
        difference=verdict.difference,
        low=verdict.low,
        high=verdict.high,
        n=verdict.n,
        more_needed=verdict.more_needed,
        fixes=tuple(items[ok_b & ~ok_a].tolist()),
        breaks=tuple(items[ok_a & ~ok_b].tolist()),
    )


def _as_labels(seen: Answers, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places in a version's own order to label ids: two versions may order their labels differently."""
    ids: NDArray[np.int64] = np.array([pk for pk, _name in seen.classes], dtype=np.int64)[places]
    return ids


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
    WHERE r.project_id = v.project_id AND r.split = 'holdout' AND r.label_id IS NOT NULL
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
    """One labelled hold-out item and what versions said about it: (label id, confidence) in the order asked for."""

    item: int
    text: str
    truth: int
    said: tuple[tuple[int, float], ...]


def judged(items: Sequence[int], versions: Sequence[ModelVersion]) -> list[Judged]:
    """Labelled hold-out items side by side; one that any of the versions has not seen is left out."""
    truth = dict(Resolution.objects.filter(item_id__in=items, split=Split.HOLDOUT).values_list("item_id", "label_id"))
    rows = Prediction.objects.filter(item_id__in=items, version__in=versions)
    said = {
        (item, version): (label, confidence)
        for item, version, label, confidence in rows.values_list("item_id", "version_id", "label_id", "confidence")
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
