"""How far people agree, computed from the table of opinions; nothing here knows a database or a page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from apps.annotation.models import Task
from apps.annotation.opinion_table import OpinionTable, closeness
from apps.projects.models import Project
from workers.learning import quality
from workers.learning.intervals import wilson
from workers.learning.types import Agreement

SPANS, MULTI = Project.TaskKind.SPANS, Project.TaskKind.MULTI
MOST_PAIRS = 60  # those with most texts in common
Reason = Task.Reason
GROUPS: Mapping[str, frozenset[str]] = {
    "random": frozenset({Reason.RANDOM, Reason.HOLDOUT}),
    "chosen": frozenset({Reason.UNCERTAIN, Reason.COLD_START}),
    "asked": frozenset({Reason.FEEDBACK, Reason.FLIP, Reason.SUSPECT, Reason.CHOSEN}),
}
Measure = Callable[[OpinionTable], Agreement]


@dataclass(frozen=True, slots=True)
class Figure:
    """A coefficient with its 95 % interval; None where it is undefined."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    items: int = 0
    answers: int = 0


@dataclass(frozen=True, slots=True)
class LabelRow:
    label: int
    value: float | None
    given: int


@dataclass(frozen=True, slots=True)
class Pair:
    a: int
    b: int
    figure: Figure
    same: float  # share of the answers that are the same


@dataclass(frozen=True, slots=True)
class Period:
    start: date
    figure: Figure


@dataclass(frozen=True, slots=True)
class Person:
    """One person's answers against the truth of the texts that others answered too."""

    user: int
    n: int
    share: float
    low: float
    high: float
    confusion: tuple[tuple[int, int, int], ...] = ()  # single: truth, said (label ids), how often
    added: tuple[tuple[int, int], ...] = ()  # several labels, spans: label id, texts where the truth has it not
    missed: tuple[tuple[int, int], ...] = ()  # the other way round


@dataclass(frozen=True, slots=True)
class Figures:
    kind: str
    opinions: int
    people: int
    headline: Figure
    others: dict[str, Figure] = field(default_factory=dict)  # "whole": answers as wholes; "partial": borders may differ
    per_label: tuple[LabelRow, ...] = ()
    pairs: tuple[Pair, ...] = ()
    pairs_left_out: int = 0
    periods: tuple[Period, ...] = ()
    step: str = "week"
    groups: dict[str, Figure] = field(default_factory=dict)
    persons: tuple[Person, ...] = ()


def figures(said: OpinionTable, truths: Mapping[int, Any], label: int | None = None) -> Figures:
    """`truths`: item id to label id or value. `label`: only whether this label (an id) is given, or its spans."""
    shared = said.shared()
    measure = measure_of(said.kind, label)
    found = measure(shared)
    pairs, left_out = _pairs(shared, measure)
    step, periods = _periods(shared, measure)
    return Figures(
        kind=said.kind,
        opinions=len(said),
        people=len(np.unique(said.annotators)),
        headline=_figure(found),
        others=_others(shared, label),
        per_label=_per_label(shared, found) if label is None else (),
        pairs=pairs,
        pairs_left_out=left_out,
        periods=periods,
        step=step,
        groups=_groups(shared, measure),
        persons=persons(shared, truths),
    )


def measure_of(kind: str, label: int | None) -> Measure:
    if kind == SPANS:
        return partial(_span_f1, label=label, lenient=False)
    if label is not None:
        return partial(_one_label, label=label)
    return _several if kind == MULTI else _alpha


def _alpha(said: OpinionTable) -> Agreement:
    return quality.krippendorff_alpha(said.ratings()[0], n_classes=len(said.label_order))


def _one_label(said: OpinionTable, *, label: int) -> Agreement:
    given = said.has(label).astype(np.int64)
    return quality.krippendorff_alpha(quality.table(said.items, said.annotators, given)[0], n_classes=2)


def _several(said: OpinionTable) -> Agreement:
    place = {pk: at for at, pk in enumerate(said.label_order)}
    given = np.zeros((len(said), len(place)), dtype=bool)
    for row, value in enumerate(said.values):
        given[row, [place[pk] for pk in value["labels"]]] = True
    return quality.multilabel_alpha(said.items, given)


def _whole(said: OpinionTable) -> Agreement:
    """Several labels: two answers are the same when all of their labels are."""
    sets = [tuple(sorted(value["labels"])) for value in said.values]
    code = {one: at for at, one in enumerate(sorted(set(sets)))}
    codes = np.array([code[one] for one in sets], dtype=np.int64)
    return quality.krippendorff_alpha(quality.table(said.items, said.annotators, codes)[0], n_classes=len(code) or None)


def _span_f1(said: OpinionTable, *, label: int | None, lenient: bool) -> Agreement:
    _people, column = np.unique(said.annotators, return_inverse=True)
    width = int(column.max(initial=-1)) + 1
    only = None if label is None else said.place_of(label)
    marked: dict[int, list[Any]] = {}
    for row, item in enumerate(said.items.tolist()):
        spans = said.spans(row)
        kept = spans if only is None else tuple(one for one in spans if one.label == only)
        marked.setdefault(item, [None] * width)[column[row]] = kept
    return quality.span_f1(list(marked.values()), n_classes=len(said.label_order), partial=lenient)


def _figure(found: Agreement) -> Figure:
    ends = found.interval
    return Figure(found.value, ends.low if ends else None, ends.high if ends else None, found.items, found.ratings)


def _others(shared: OpinionTable, label: int | None) -> dict[str, Figure]:
    if shared.kind == SPANS:
        return {"partial": _figure(_span_f1(shared, label=label, lenient=True))}
    if shared.kind == MULTI and label is None:
        return {"whole": _figure(_whole(shared))}
    return {}


def _per_label(shared: OpinionTable, found: Agreement) -> tuple[LabelRow, ...]:
    """Least agreed on first; labels that nobody gave are left out."""
    rows = [
        LabelRow(label, found.per_class[place] if place < len(found.per_class) else None, int(shared.has(label).sum()))
        for place, label in enumerate(shared.label_order)
    ]
    given = [row for row in rows if row.given]
    return tuple(sorted(given, key=lambda row: (row.value is None, row.value or 0.0, -row.given)))


def _pairs(shared: OpinionTable, measure: Measure) -> tuple[tuple[Pair, ...], int]:
    """Those with most texts in common first."""
    people, column = np.unique(shared.annotators, return_inverse=True)
    items, row = np.unique(shared.items, return_inverse=True)
    there = np.zeros((len(items), len(people)), dtype=np.int32)
    there[row, column] = 1
    common = there.T @ there
    order = sorted(
        ((int(common[a, b]), a, b) for a, b in combinations(range(len(people)), 2) if common[a, b]), reverse=True
    )
    found = []
    for _n, a, b in order[:MOST_PAIRS]:
        both = there[row, a].astype(bool) & there[row, b].astype(bool) & ((column == a) | (column == b))
        part = shared.part(both)
        found.append(Pair(int(people[a]), int(people[b]), _figure(measure(part)), _same(part)))
    return tuple(found), len(order) - len(found)


def _same(pair: OpinionTable) -> float:
    """Rows come by item, then annotator: two and two belong together."""
    if pair.kind == Project.TaskKind.SINGLE:
        return float((pair.codes[::2] == pair.codes[1::2]).mean())
    return float(np.mean([closeness(pair.values[at], pair.values[at + 1]) for at in range(0, len(pair), 2)]))


def _periods(shared: OpinionTable, measure: Measure) -> tuple[str, tuple[Period, ...]]:
    """By day, week or month of each text's last answer, so that there are few enough points to read."""
    if not len(shared):
        return "week", ()
    _items, place = np.unique(shared.items, return_inverse=True)
    last = np.zeros(int(place.max()) + 1)
    np.maximum.at(last, place, shared.at)
    days = (last.max() - last.min()) / 86_400
    step = "day" if days <= 14 else "week" if days <= 200 else "month"
    starts = np.array([_start(at, step).toordinal() for at in last])[place]
    found = [
        Period(date.fromordinal(int(start)), _figure(measure(shared.part(starts == start))))
        for start in np.unique(starts)
    ]
    return step, tuple(found)


def _start(at: float, step: str) -> date:
    day = datetime.fromtimestamp(at, UTC).date()
    if step == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if step == "week" else day


def _groups(shared: OpinionTable, measure: Measure) -> dict[str, Figure]:
    """Texts by why people were asked about them: by the reason of their first answer."""
    _items, first, place = np.unique(shared.items, return_index=True, return_inverse=True)
    reasons = shared.reasons[first][place]
    found = {name: shared.part(np.isin(reasons, list(whys))) for name, whys in GROUPS.items()}
    return {name: _figure(measure(part)) for name, part in found.items() if len(part)}


def persons(shared: OpinionTable, truths: Mapping[int, Any]) -> tuple[Person, ...]:
    """Least in line with the truth first."""
    known = np.fromiter((item in truths for item in shared.items.tolist()), dtype=bool, count=len(shared))
    said = shared.part(known)
    found = [_person(int(user), said.part(said.annotators == user), truths) for user in np.unique(said.annotators)]
    return tuple(sorted(found, key=lambda person: (person.share, -person.n)))


def _person(user: int, said: OpinionTable, truths: Mapping[int, Any]) -> Person:
    pairs = [(truths[int(item)], said.answer(row)) for row, item in enumerate(said.items)]
    close = np.array([closeness(truth, answer) for truth, answer in pairs])
    n, share = len(pairs), float(close.mean())
    if said.kind == SPANS:
        half = 1.96 * float(close.std()) / max(n, 1) ** 0.5
        low, high = max(0.0, share - half), min(1.0, share + half)
    else:
        interval = wilson(float(close.sum()), n)
        low, high = interval.low, interval.high
    if said.kind == Project.TaskKind.SINGLE:
        cells, times = np.unique(np.array(pairs, dtype=np.int64), axis=0, return_counts=True)
        confusion = tuple((int(t), int(s), int(m)) for (t, s), m in zip(cells, times, strict=True))
        return Person(user, n, share, low, high, confusion)
    sets = [(_named(truth), _named(answer)) for truth, answer in pairs]
    return Person(
        user,
        n,
        share,
        low,
        high,
        added=_often(answer - truth for truth, answer in sets),
        missed=_often(truth - answer for truth, answer in sets),
    )


def _named(value: Any) -> set[int]:
    return set(value["labels"]) if "labels" in value else {one["label"] for one in value.get("spans", ())}


def _often(sets: Any) -> tuple[tuple[int, int], ...]:
    n: dict[int, int] = {}
    for one in sets:
        for label in one:
            n[label] = n.get(label, 0) + 1
    return tuple(sorted(n.items(), key=lambda pair: -pair[1]))


def table_of(confusion: Sequence[tuple[int, int, int]], order: Sequence[int]) -> list[list[int]]:
    """(truth, said, n) of labels as a square table in this order; labels outside it are left out."""
    place = {pk: at for at, pk in enumerate(order)}
    out = [[0] * len(order) for _ in order]
    for truth, answer, n in confusion:
        if truth in place and answer in place:
            out[place[truth]][place[answer]] += n
    return out
