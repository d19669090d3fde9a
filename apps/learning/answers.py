"""Answers of people and models as chips: a label, several, or labels with the words that they stand on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from apps.feedback.services.outcomes import CaseResult
from apps.learning.services import evaluation, holdout
from apps.learning.services.flips import Flip
from apps.projects.models import Label
from apps.registry.models import ModelVersion


@dataclass(frozen=True, slots=True)
class Chip:
    label: Label | None
    quote: str = ""  # of a span


@dataclass(frozen=True, slots=True)
class Said:
    who: ModelVersion
    chips: list[Chip]
    confidence: float


@dataclass(frozen=True, slots=True)
class Row:
    """One text with what people and versions say about it."""

    item: int
    text: str
    truth: list[Chip]
    said: list[Said]
    tickets: Sequence[int] = ()  # numbers of those that are about it
    pinned: bool = True  # of a regression case: it counts at the gate


Labels = Mapping[int, Label]


def chips(answer: Any, labels: Labels, text: str) -> list[Chip]:
    """`answer` is a label id, {"labels": [id …]}, {"spans": [{start, end, label} …]} or None."""
    if answer is None:
        return []
    if not isinstance(answer, dict):
        return [Chip(labels.get(answer))]
    if "shown" in answer:
        return []
    if "labels" in answer:
        return [Chip(labels.get(label)) for label in answer["labels"]]
    spans = sorted(answer["spans"], key=lambda span: (span["start"], span["end"]))
    return [Chip(labels.get(span["label"]), text[span["start"] : span["end"]]) for span in spans]


def judged(items: Sequence[int], versions: Sequence[ModelVersion], labels: Labels) -> list[Row]:
    """Labelled hold-out items side by side, as pages show them."""
    return [
        Row(
            found.item,
            found.text,
            chips(found.truth, labels, found.text),
            [
                Said(version, chips(answer, labels, found.text), confidence)
                for version, (answer, confidence) in zip(versions, found.said, strict=True)
            ],
        )
        for found in evaluation.judged(items, versions)
    ]


def tried(pairs: Sequence[tuple[ModelVersion, CaseResult]], labels: Labels) -> Row:
    """One regression case with what versions said to it; one that was not asked yet is left out."""
    case = pairs[0][1].case
    text = case.item.text
    return Row(
        case.item_id,
        text,
        chips(case.label_id or case.value, labels, text),
        [Said(who, chips(row.said, labels, text), row.confidence or 0.0) for who, row in pairs if row.known],
        [case.ticket.number] if case.ticket else [],
        case.pinned,
    )


def flipped(
    flip: Flip, old: ModelVersion, new: ModelVersion, labels: Labels, tickets: Mapping[int, Sequence[int]] | None = None
) -> Row:
    before = flip.before if flip.value_before is None else flip.value_before
    now = flip.now if flip.value_now is None else flip.value_now
    said = [
        Said(old, chips(before, labels, flip.text), flip.confidence_before),
        Said(new, chips(now, labels, flip.text), flip.confidence_now),
    ]
    return Row(flip.item, flip.text, [], said, (tickets or {}).get(flip.item, ()))


def wrong_about(version: ModelVersion, label: int) -> list[int]:
    """Hold-out items on which a version and people differ about one label."""
    seen = holdout.answers(version)
    place = {pk: at for at, (pk, _name) in enumerate(seen.classes)}.get(label)
    if place is None or seen.task == holdout.ENGAGEMENT:
        return []
    if seen.task == holdout.SPANS:
        pairs = zip(seen.truth, seen.predicted, strict=True)
        wrong = [_of(place, truth) != _of(place, said) for truth, said in pairs]
    elif seen.task == holdout.MULTI:
        wrong = (seen.truth[:, place] != seen.predicted[:, place]).tolist()
    else:
        wrong = ((seen.truth == place) != (seen.predicted == place)).tolist()
    found: list[int] = seen.items[np.array(wrong, dtype=bool)].tolist()
    return found


def _of(place: int, spans: Any) -> set[tuple[int, int]]:
    return {(span.start, span.end) for span in spans if span.label == place}
