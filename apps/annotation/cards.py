"""What the label page shows of a leased task or of an earlier answer."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from apps.annotation import queries
from apps.annotation.models import Annotation, Lease, Task
from apps.content.models import Item
from apps.projects.models import Label, Project

FEW = 10  # up to so many labels every one has its own key and its fixed place


@dataclass(frozen=True)
class Choice:
    """One radio button: a label, and how likely the model thinks it is for the item on the page."""

    label: Label
    probability: float | None = None
    checked: bool = False

    @property
    def percent(self) -> int | None:
        return None if self.probability is None else round(100 * self.probability)


@dataclass(frozen=True)
class Card:
    item: Item
    language: str
    why: str
    token: str = ""
    blind: bool = False
    pairs: list[tuple[int, float]] = field(default_factory=list)  # label id, probability; likeliest first
    chosen: int | None = None
    note: str = ""
    flagged: bool = False
    answered_at: Any = None
    complaints: Any = ()  # the tickets it is asked about for; read only where they are shown

    @property
    def pairs_json(self) -> str:
        return json.dumps([[label, round(probability, 4)] for label, probability in self.pairs])

    @property
    def facts(self) -> list[tuple[str, str]]:
        known = [(_("id"), self.item.external_id), (_("language"), self.item.language), (_("from"), self.item.subject)]
        return [(name, value) for name, value in known if value] + [
            (str(name), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for name, value in self.item.meta.items()
        ]


def card_of(lease: Lease, project: Project) -> Card:
    task = lease.task
    return Card(
        item=task.item,
        language=task.item.language or project.language,
        why=queries.why(task),
        token=str(lease.token),
        blind=task.reason == Task.Reason.HOLDOUT,
        pairs=_pairs(lease.shown),
        complaints=task.tickets.order_by("number") if task.reason == Task.Reason.FEEDBACK else (),
    )


def card_of_answer(annotation: Annotation, project: Project) -> Card:
    item = annotation.item
    return Card(
        item=item,
        language=item.language or project.language,
        why=_("You answered it before; your change becomes the next revision."),
        pairs=_pairs(annotation.shown),
        chosen=annotation.label_id,
        note=annotation.note,
        flagged=annotation.flagged,
        answered_at=annotation.created_at,
    )


def choices(labels: Sequence[Label], card: Card | None) -> tuple[list[Choice], list[Choice]]:
    """The likeliest, in order, and the rest in the project's order. Few labels keep their places."""
    likely = dict(card.pairs) if card else {}
    chosen = card.chosen if card else None
    if chosen is None and card and card.pairs:
        chosen = card.pairs[0][0]
    made = {label.pk: Choice(label, likely.get(label.pk), label.pk == chosen) for label in labels}
    if len(made) <= FEW:
        return [], list(made.values())
    first = [made[pk] for pk in likely if pk in made]
    return first, [choice for pk, choice in made.items() if pk not in likely]


def _pairs(suggestion: Any) -> list[tuple[int, float]]:
    if not suggestion:
        return []
    return list(zip(suggestion["labels"], suggestion["probabilities"], strict=False))
