"""What the label page shows of a leased task or of an earlier answer."""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from apps.annotation import queries
from apps.annotation.context import Context, contexts
from apps.annotation.models import Annotation, Lease, Task
from apps.content.models import Item
from apps.projects.models import Label, Project

FEW = 10  # up to so many labels every one has its own key and its fixed place
Value = Mapping[str, Any]


@dataclass(frozen=True)
class Choice:
    """One label to choose, and how likely the model thinks it is for the item on the page."""

    label: Label
    probability: float | None = None
    checked: bool = False

    @property
    def percent(self) -> int | None:
        return None if self.probability is None else round(100 * self.probability)


@dataclass(frozen=True)
class Choices:
    """What there is to choose from. The likeliest in order, then the rest as the project orders and groups them."""

    likely: list[Choice]
    groups: list[tuple[str, list[Choice]]]
    none: bool = False  # several labels: none of them

    @property
    def rest(self) -> list[Choice]:
        return [choice for _name, choices in self.groups for choice in choices]


@dataclass(frozen=True)
class Ticked:
    """What a form had ticked that was refused; it need not make sense."""

    labels: frozenset[int]
    none: bool


@dataclass(frozen=True)
class Card:
    item: Item
    kind: str
    language: str
    why: str
    token: str = ""
    base: int = 0  # the revision of mine that this form is made from
    blind: bool = False
    suggestion: Value | None = None
    answer: Any = None  # a label's id, or a value
    ticked: Ticked | None = None  # None: what the answer or the suggestion says
    undecided: str = ""
    note: str = ""
    flagged: bool = False
    answered_at: Any = None
    complaints: Any = ()  # the tickets it is asked about for; read only where they are shown
    sent_back: Any = None  # a reviewer's word on this answer
    context: Context = field(default_factory=Context)

    @property
    def pairs(self) -> list[tuple[int, float]]:
        """Label and probability, likeliest first."""
        if not self.suggestion or "labels" not in self.suggestion:
            return []
        return list(zip(self.suggestion["labels"], self.suggestion["probabilities"], strict=False))

    @property
    def suggestion_json(self) -> str:
        return json.dumps(_rounded(self.suggestion)) if self.suggestion else ""

    @property
    def answer_json(self) -> str:
        return "" if self.answer is None else json.dumps(self.answer, ensure_ascii=False)

    @property
    def text_hash(self) -> str:
        """Of the text as it stands on the page: the proof that offsets were counted in it."""
        return hashlib.sha256(self.item.text.encode()).hexdigest() if self.kind == Project.TaskKind.SPANS else ""

    @property
    def facts(self) -> list[tuple[str, str]]:
        known = [(_("id"), self.item.external_id), (_("language"), self.item.language), (_("from"), self.item.subject)]
        return [(name, value) for name, value in known if value] + [
            (str(name), value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            for name, value in self.item.meta.items()
        ]


def cards_of(leases: Sequence[Lease], project: Project, *, before: Annotation | None = None) -> list[Card]:
    """`before`: the answer just taken back; its item shows it again."""
    known = contexts([lease.task.item_id for lease in leases if lease.around])
    return [_card_of(lease, project, known, before) for lease in leases]


def _card_of(lease: Lease, project: Project, known: Mapping[int, Context], before: Annotation | None) -> Card:
    task = lease.task
    again = before if before is not None and before.item_id == task.item_id else None
    return Card(
        item=task.item,
        kind=project.task_kind,
        language=task.item.language or project.language,
        why=queries.why(task),
        token=str(lease.token),
        blind=task.reason == Task.Reason.HOLDOUT,
        suggestion=lease.shown,
        answer=_said(again) if again else None,
        undecided=again.undecided if again else "",
        note=again.note if again else "",
        flagged=again.flagged if again else False,
        complaints=task.tickets.order_by("number") if task.reason == Task.Reason.FEEDBACK else (),
        context=known.get(task.item_id) or Context.of_address(task.item.url),
    )


def cards_of_answers(answers: Sequence[Annotation], project: Project) -> list[Card]:
    known = contexts([answer.item_id for answer in answers])
    return [
        Card(
            item=answer.item,
            kind=project.task_kind,
            language=answer.item.language or project.language,
            why=_("You answered it before; your change becomes the next revision."),
            base=answer.revision,
            suggestion=answer.shown,
            answer=_said(answer),
            undecided=answer.undecided,
            note=answer.note,
            flagged=answer.flagged,
            answered_at=answer.created_at,
            sent_back=sent_back(answer),
            context=known.get(answer.item_id, Context()),
        )
        for answer in answers
    ]


def sent_back(answer: Annotation) -> Any:
    """The review that wants this answer looked at again; reviews are kept by a later app and hang on the answer."""
    review = getattr(answer, "review", None)
    return review if review is not None and review.verdict == "rejected" and review.answered_at is None else None


def choices(labels: Sequence[Label], card: Card | None) -> Choices:
    """Few labels keep their places; of many the likeliest come first."""
    likely = dict(card.pairs) if card else {}
    ticked = _ticked(card)
    made = {label.pk: Choice(label, likely.get(label.pk), label.pk in ticked) for label in labels}
    first = [made[pk] for pk in likely if pk in made] if len(made) > FEW else []
    groups: dict[str, list[Choice]] = {label.group: [] for label in labels}
    for choice in made.values():
        if choice not in first:
            groups[choice.label.group].append(choice)
    return Choices(first, list(groups.items()), _none(card, ticked))


def _none(card: Card | None, ticked: Collection[int]) -> bool:
    if card is None or card.kind != Project.TaskKind.MULTI:
        return False
    if card.ticked is not None:
        return card.ticked.none
    return not ticked and (card.answer is not None or bool(card.suggestion))


def _ticked(card: Card | None) -> Collection[int]:
    if card is not None and card.ticked is not None:
        return card.ticked.labels
    if card is None or card.undecided:
        return set()
    if isinstance(card.answer, int):
        return {card.answer}
    if card.answer is not None:
        return set(card.answer.get("labels", ()))
    if card.kind == Project.TaskKind.MULTI:
        thresholds = (card.suggestion or {}).get("thresholds", ())
        return {label for (label, p), t in zip(card.pairs, thresholds, strict=False) if p >= t}
    return {card.pairs[0][0]} if card.pairs else set()


def in_groups(labels: Sequence[Label]) -> list[Label]:
    """The project's order, but the labels of a group together, where its first one stands."""
    groups = list(dict.fromkeys(label.group for label in labels))
    return sorted(labels, key=lambda label: groups.index(label.group))


def _said(answer: Annotation) -> Any:
    return answer.label_id if answer.label_id is not None else answer.value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value
