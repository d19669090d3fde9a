"""The labelled hold-out and what a version said about it, as arrays, whatever the task kind."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.annotation.models import Prediction
from apps.content.models import Item
from apps.learning import queries
from apps.projects.models import Label, Project
from apps.projects.queries import successors
from apps.registry.models import ModelVersion
from workers.learning.types import Span

Classes = list[tuple[int, str]]
Spans = list[tuple[Span, ...]]
MULTI, SPANS, ENGAGEMENT = Project.TaskKind.MULTI, Project.TaskKind.SPANS, Project.TaskKind.ENGAGEMENT
SLICED = (2, 20)  # values of a metadata field: fewest, most that make a table


@dataclass(frozen=True, slots=True)
class Answers:
    """What a version said about the labelled hold-out items that it has seen. Rows run in item order.

    Truth and predictions by task: single (n,) places in `classes`; multi (n, k) bool; spans a tuple of Span a text;
    engagement (n, 2) people that it was shown to and that clicked.
    """

    task: str
    items: NDArray[np.int64]  # (n,)
    classes: Classes  # the version's label order, then labels it does not know but the truth has
    truth: Any
    predicted: Any
    probabilities: NDArray[np.float32] | None  # (n, k), zero for labels the version does not know; none for spans

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) texts of which everything is right."""
        if self.task == SPANS:
            pairs = zip(self.truth, self.predicted, strict=True)
            return np.array([set(wanted) == set(given) for wanted, given in pairs], dtype=bool)
        if self.task == ENGAGEMENT:  # a probability is neither right nor wrong about one item
            return np.zeros(len(self.items), dtype=bool)
        same: NDArray[np.bool_] = self.truth == self.predicted
        return np.asarray(same.all(axis=1)) if self.task == MULTI else same

    def tally(self) -> NDArray[np.float64]:
        """(n, 3): credit, answers given, answers wanted; what slices are made of."""
        from workers.learning import evaluate as measure

        if self.task == SPANS:
            return measure.tally_spans(self.truth, self.predicted, len(self.classes))
        return (measure.tally_multi if self.task == MULTI else measure.tally)(self.truth, self.predicted)

    def state(self) -> str:
        """Names one state of the labelled hold-out: which items, under which truths."""
        digest = hashlib.sha256()
        for row, item in enumerate(self.items):
            digest.update(f"{item}:{self._spelled(row)};".encode())
        return digest.hexdigest()

    def _spelled(self, row: int) -> str:
        ids = [pk for pk, _name in self.classes]
        if self.task == SPANS:
            return json.dumps([[span.start, span.end, ids[span.label]] for span in self.truth[row]])
        if self.task == MULTI:
            return json.dumps(sorted(ids[place] for place in np.flatnonzero(self.truth[row])))
        if self.task == ENGAGEMENT:
            return "{}/{}".format(*self.truth[row])
        return str(ids[self.truth[row]])


def answers(
    version: ModelVersion, truth: Sequence[tuple[int, Any]] | None = None, classes: Classes | None = None
) -> Answers:
    """Over the hold-out as it is labelled now; `classes` makes two versions speak of the same places."""
    truth = queries.holdout_truth(version.project) if truth is None else truth
    said = _said(version, [item for item, _truth in truth])
    truth = [(item, value) for item, value in truth if item in said]
    values, answered = [value for _item, value in truth], [said[item] for item, _truth in truth]
    classes = classes_of([version], values) if classes is None else classes
    place = {pk: at for at, (pk, _name) in enumerate(classes)}
    place |= {old: place[new] for old, new in successors(version.project_id).items() if new in place}
    given = [label if value is None else value for label, value, _p in answered]
    own = [place[int(pk)] for pk, _name in version.label_order]
    return Answers(
        task=version.task,
        items=np.array([item for item, _truth in truth], dtype=np.int64),
        classes=classes,
        truth=_placed(version.task, values, place),
        predicted=_placed("single" if version.task == ENGAGEMENT else version.task, given, place),
        probabilities=_spread([p for *_said, p in answered], own, len(classes)) if version.task != SPANS else None,
    )


def _said(version: ModelVersion, items: list[int]) -> dict[int, tuple[int | None, Any, Any]]:
    rows = Prediction.objects.filter(version=version, item_id__in=items)
    return {
        item: (label, value, probabilities)
        for item, label, value, probabilities in rows.values_list("item_id", "label_id", "value", "probabilities")
    }


def classes_of(versions: Sequence[ModelVersion], truths: Iterable[Any]) -> Classes:
    """The versions' labels in their order, then labels that only the truth has. A label that was merged since counts as
    what it became: nobody can be right with it any more."""
    known = {int(pk): str(name) for version in versions for pk, name in version.label_order}
    for old, new in (successors(versions[0].project_id) if versions else {}).items():
        if old in known:
            name = known.pop(old)
            known.setdefault(new, Label.objects.filter(pk=new).values_list("name", flat=True).first() or name)
    unknown = {label for value in truths for label in labels_in(value)} - set(known)
    return list(known.items()) + [(label.pk, label.name) for label in Label.objects.filter(pk__in=unknown)]


def labels_in(truth: Any) -> list[int]:
    """Ids of the labels that a truth speaks of."""
    if isinstance(truth, dict):
        if "shown" in truth:
            return []
        return list(truth["labels"]) if "labels" in truth else [span["label"] for span in truth["spans"]]
    return [truth]


def _placed(task: str, values: Sequence[Any], place: dict[int, int]) -> Any:
    if task == SPANS:
        return [
            tuple(sorted(Span(s["start"], s["end"], place[s["label"]]) for s in value["spans"])) for value in values
        ]
    if task == ENGAGEMENT:
        return np.array([[value["shown"], value["clicked"]] for value in values], dtype=np.int64).reshape(-1, 2)
    if task == MULTI:
        table = np.zeros((len(values), len(place)), dtype=bool)
        for row, value in enumerate(values):
            table[row, [place[label] for label in value["labels"]]] = True
        return table
    return np.array([place[label] for label in values], dtype=np.int64)


def _spread(given: Sequence[Any], own: Sequence[int], k: int) -> NDArray[np.float32]:
    table = np.zeros((len(given), k), dtype=np.float32)
    for row, probabilities in enumerate(given):
        np.add.at(table[row], own, np.asarray(probabilities, dtype=np.float32))  # merged labels fall together
    return table


def fields(items: NDArray[np.int64]) -> dict[str, list[str | None]]:
    """Language and metadata of these items, as far as a field has a few values that make a table."""
    rows = {
        pk: {"language": language, **meta}
        for pk, language, meta in Item.objects.filter(pk__in=items.tolist()).values_list("pk", "language", "meta")
    }
    names = dict.fromkeys(name for row in rows.values() for name in row)
    columns = {name: [_plain(rows.get(int(item), {}).get(name)) for item in items] for name in names}
    return {name: column for name, column in columns.items() if SLICED[0] <= len(set(column)) <= SLICED[1]}


def _plain(value: Any) -> str | None:
    """A value short enough to name a slice; None for what is none."""
    if isinstance(value, bool | int | str) and value != "":
        return str(value)[:60]
    return None
