"""A text with its answers side by side: who gave which stays hidden, the order is shuffled but stays, and what differs
stands out."""

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import QuerySet

from apps.accounts.models import User
from apps.annotation import opinion_table
from apps.annotation.models import Annotation, Comment
from apps.common.numbers import listed
from apps.projects.models import Label, Project
from apps.quality.models import Adjudication

KEYS = 9  # answers that a digit chooses


@dataclass(frozen=True, slots=True)
class Mark:
    """One label of an answer; of a span with the words that it stands on."""

    label: Label | None
    differs: bool  # not everybody gave it
    quote: str = ""
    start: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the text under the same marks."""

    text: str
    label: Label | None = None  # of the innermost
    differs: bool = False
    names: str = ""
    begins: bool = False  # a mark begins here


@dataclass(frozen=True, slots=True)
class Side:
    """One answer, by one person or several who said the same."""

    key: int  # the digit that chooses it; 0 beyond the ninth
    annotation: int  # one that says so
    people: int
    marks: list[Mark]
    segments: list[Segment]
    notes: list[str]
    authors: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Somebody who gave no answer, and why."""

    reason: str
    note: str
    flagged: bool


@dataclass(frozen=True, slots=True)
class Remark:
    """A comment on the text. Of whoever answered it the name would tell whose answer is whose."""

    comment: Comment
    by: str  # empty for those


@dataclass(frozen=True, slots=True)
class Card:
    row: Adjudication
    sides: list[Side]
    doubts: list[Doubt]
    labels: list[Label]  # in question, with what they mean
    comments: list[Remark]
    every_mark: list[Mark]  # spans that anybody marked


def waiting(project: Project) -> QuerySet[Adjudication]:
    found = Adjudication.objects.filter(project=project, state=Adjudication.State.OPEN)
    return found.select_related("item", "project").order_by("pk")


def next_after(project: Project, after: int) -> Adjudication | None:
    """The first behind `after`, then from the beginning again."""
    return waiting(project).filter(pk__gt=after).first() or waiting(project).first()


def card(row: Adjudication, *, authors: bool = False) -> Card:
    said = opinion_table.table(row.project, items=[row.item_id])
    labels = {label.pk: label for label in Label.objects.filter(project=row.project_id)}
    newest = {one.pk: one for one in _newest(row)}
    groups: dict[Any, list[int]] = {}
    for at in range(len(said)):
        groups.setdefault(_parts(said.answer(at)), []).append(at)
    shared = frozenset.intersection(*groups) if groups else frozenset()
    order = sorted(groups, key=lambda parts: _shuffle(row, parts))
    names = _names(said.annotators.tolist()) if authors else {}
    sides = []
    for place, parts in enumerate(order, start=1):
        places = groups[parts]
        given = [newest[int(said.annotations[at])] for at in places if int(said.annotations[at]) in newest]
        marks = _marks(parts, shared, labels, row.item.text)
        spans = row.project.task_kind == Project.TaskKind.SPANS
        sides.append(
            Side(
                key=place if place <= KEYS else 0,
                annotation=int(said.annotations[places[0]]),
                people=len(places),
                marks=marks,
                segments=segments(row.item.text, marks) if spans else [],
                notes=[one.note for one in given if one.note],
                authors=[names.get(int(said.annotators[at]), "?") for at in places] if authors else [],
            )
        )
    answered = set(said.annotations.tolist())
    every = {(mark.start, mark.end, mark.label.pk if mark.label else 0): mark for side in sides for mark in side.marks}
    return Card(
        row=row,
        sides=sides,
        doubts=[
            Doubt(one.undecided, one.note, one.flagged)
            for one in newest.values()
            if one.pk not in answered and (one.undecided or one.flagged)
        ],
        labels=_in_question(sides, labels),
        comments=_remarks(row, hidden=set() if authors else {one.annotator_id for one in newest.values()}),
        every_mark=[every[place] for place in sorted(every)],
    )


def _newest(row: Adjudication) -> list[Annotation]:
    """Everybody's newest word that stands, by the shuffled order of their keys."""
    found = Annotation.objects.filter(item=row.item_id).order_by("annotator", "-revision").distinct("annotator")
    return sorted((one for one in found if not one.retracted), key=lambda one: _shuffle(row, one.key))


def _remarks(row: Adjudication, *, hidden: set[int]) -> list[Remark]:
    found = Comment.objects.filter(item=row.item_id, deleted_at=None).select_related("by").order_by("pk")[:20]
    return [Remark(one, "" if one.by_id in hidden else str(one.by)) for one in found]


def _shuffle(row: Adjudication, what: Any) -> str:
    told = sorted(what) if isinstance(what, frozenset) else what
    return hashlib.sha256(f"{row.pk}:{told}".encode()).hexdigest()


def _parts(answer: Any) -> frozenset[tuple[int, int, int]]:
    """(start, end, label) of spans, (0, 0, label) of labels."""
    if not isinstance(answer, dict):
        return frozenset({(0, 0, int(answer))})
    if "labels" in answer:
        return frozenset((0, 0, int(pk)) for pk in answer["labels"])
    return frozenset((one["start"], one["end"], int(one["label"])) for one in answer.get("spans", ()))


def _marks(
    parts: frozenset[tuple[int, int, int]],
    shared: frozenset[tuple[int, int, int]],
    labels: Mapping[int, Label],
    text: str,
) -> list[Mark]:
    return [
        Mark(labels.get(pk), (start, end, pk) not in shared, text[start:end], start, end)
        for start, end, pk in sorted(parts)
    ]


def segments(text: str, marks: Sequence[Mark]) -> list[Segment]:
    """The text cut at the ends of all marks; under nested ones the shortest gives the colour."""
    stops = sorted({0, len(text)} | {stop for mark in marks for stop in (mark.start, mark.end)})
    out = []
    for start, end in itertools.pairwise(stops):
        over = sorted(
            (mark for mark in marks if mark.start <= start and end <= mark.end), key=lambda mark: mark.end - mark.start
        )
        names = listed(mark.label.name for mark in over if mark.label)
        begins = any(mark.start == start for mark in over)
        label = over[0].label if over else None
        out.append(Segment(text[start:end], label, any(mark.differs for mark in over), names, begins))
    return out


def _in_question(sides: Sequence[Side], labels: Mapping[int, Label]) -> list[Label]:
    named = {mark.label.pk for side in sides for mark in side.marks if mark.label and mark.differs}
    return [label for label in labels.values() if label.pk in named]


def _names(ids: Sequence[int]) -> dict[int, str]:
    return {user.pk: str(user) for user in User.objects.filter(pk__in=ids)}


def answer_of(row: Adjudication, annotation: int) -> dict[str, Any] | None:
    """The chosen answer as decide() takes it; None where that person says something else by now."""
    said = opinion_table.table(row.project, items=[row.item_id])
    for at in range(len(said)):
        if int(said.annotations[at]) == annotation:
            answer = said.answer(at)
            if isinstance(answer, dict):
                return {"value": answer}
            return {"label": Label.objects.get(pk=answer, project=row.project)}
    return None
