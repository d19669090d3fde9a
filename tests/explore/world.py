"""A small project in which everything that the explorer filters by occurs, and what is true of each item as plain values."""

import hashlib
import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db.models import Model
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation, Gold, Prediction, Resolution, Task
from apps.content import search
from apps.content.models import ImportJob, Item
from apps.feedback.models import Signal, Ticket
from apps.projects.models import Label, Project
from apps.quality.models import Adjudication
from tests.explore.test_items import version_of

WORDS = ("card", "cards", "discard", "transfer", "rate", "银行卡", "行银", "Überweisung", "fee")
REASONS = ("random", "uncertain", "feedback", "suspect", "chosen")
N = 90


@dataclass
class Facts:
    """What a loop over the items may ask."""

    item: int
    text: str
    split: str
    language: str
    meta: dict[str, Any]
    source: int | None
    came: date
    archived: bool
    labels: frozenset[int] | None = None  # of the truth; None without one
    how: str = ""
    agreement: float | None = None
    decided: date | None = None
    said: dict[int, Any] = field(default_factory=dict)  # version number: (labels, marks, confidence, margin)
    reasons: set[str] = field(default_factory=set)
    spoke: set[int] = field(default_factory=set)
    flagged: bool = False
    undecided: bool = False
    waits: bool = False  # for a reviewer
    gold: bool = False
    feedback: bool = False

    @property
    def open_to_see(self) -> bool:
        return self.split == "pool" or self.labels is not None


class World:
    def __init__(self, project: Project, people: list[User]) -> None:
        self.project, self.people = project, people
        self.dice = random.Random(20)
        self.labels: list[Label] = list(project.labels.all())
        self.labels[2].group = "money"
        self.labels[2].save()
        self.jobs = [
            ImportJob.objects.create(project=project, filename=f"{n}.csv", state="succeeded") for n in range(2)
        ]
        self.now = timezone.now()
        self.rows: dict[type[Model], list[Any]] = {}
        items = Item.objects.bulk_create(self._item(place) for place in range(N))
        self.facts = [self._facts(item) for item in items]
        for kind, rows in self.rows.items():
            kind._default_manager.bulk_create(rows)
        self._versions()
        search.index(project)

    def _noon(self, day: date) -> datetime:
        return timezone.make_aware(datetime(day.year, day.month, day.day, 12))

    def _maybe(self, chance: float) -> bool:
        return self.dice.random() < chance

    def _day(self) -> date:
        return timezone.localdate(self.now) - timedelta(days=self.dice.randrange(8))

    def _also(self, row: Model) -> None:
        self.rows.setdefault(type(row), []).append(row)

    def _item(self, place: int) -> Item:
        text = f"{' '.join(self.dice.sample(WORDS, 2))} {place}"
        return Item(
            project=self.project,
            external_id=f"x{place}",
            text=text,
            text_hash=hashlib.sha256(text.encode()).digest(),
            split="holdout" if self._maybe(0.2) else "pool",
            language=self.dice.choice(["", "en", "zh"]),
            meta=self.dice.choice([{}, {"channel": "app"}, {"channel": "web", "n": 5}, {"channel": "apps"}]),
            source_id=self.dice.choice([None, *(job.pk for job in self.jobs)]),
            archived_at=self.now if self._maybe(0.1) else None,
            created_at=self._noon(self._day()),
        )

    def _facts(self, item: Item) -> Facts:
        fact = Facts(
            item.pk,
            item.text,
            item.split,
            item.language,
            item.meta,
            item.source_id,
            timezone.localdate(item.created_at),
            bool(item.archived_at),
        )
        for part in (self._truth, self._people, self._beside):
            part(item, fact)
        return fact

    def _answer(self, text: str) -> tuple[frozenset[int], dict[str, Any]]:
        """Labels, and the columns of a truth or a prediction that says them."""
        match self.project.task_kind:
            case "single":
                label = self.dice.choice(self.labels)
                return frozenset({label.pk}), {"label": label}
            case "multi":
                chosen = sorted(label.pk for label in self.dice.sample(self.labels, self.dice.randrange(3)))
                return frozenset(chosen), {"value": {"labels": chosen}}
        spans: list[dict[str, Any]] = [
            {
                "start": start,
                "end": start + 2,
                "label": self.dice.choice(self.labels).pk,
                "quote": text[start : start + 2],
            }
            for start in sorted(self.dice.sample(range(0, 6, 2), self.dice.randrange(3)))
        ]
        return frozenset(one["label"] for one in spans), {"value": {"spans": spans}}

    def _truth(self, item: Item, fact: Facts) -> None:
        if not self._maybe(0.6):
            return
        fact.labels, columns = self._answer(item.text)
        fact.how = self.dice.choice(["single", "consensus", "adjudicated", "imported"])
        fact.agreement = self.dice.choice([0.5, 0.75, 1.0]) if fact.how == "consensus" else None
        fact.decided = self._day()
        self._also(
            Resolution(
                item=item,
                project=self.project,
                split=item.split,
                how=fact.how,
                agreement=fact.agreement,
                changed_at=self._noon(fact.decided),
                **columns,
            )
        )

    def _people(self, item: Item, fact: Facts) -> None:
        """Up to three revisions a person, of which the last one stands."""
        for person in self.people:
            last: dict[str, Any] = {}
            for revision in range(1, self.dice.randrange(4)):
                last = {"flagged": self._maybe(0.25), "retracted": self._maybe(0.15)}
                last["undecided"] = "two at once" if self._maybe(0.2) else ""
                columns = {} if last["undecided"] else self._answer(item.text)[1]
                self._also(
                    Annotation(
                        project=self.project,
                        item=item,
                        annotator=person,
                        key=uuid4(),
                        revision=revision,
                        outcome="scratch",
                        **last,
                        **columns,
                    )
                )
            if last:
                fact.spoke.add(person.pk)
                fact.flagged |= last["flagged"] and not last["retracted"]
                fact.undecided |= bool(last["undecided"]) and not last["retracted"]

    def _beside(self, item: Item, fact: Facts) -> None:
        asked = REASONS if item.split == "pool" else ("holdout",)
        for reason in self.dice.sample(asked, min(len(asked), self.dice.randrange(3))):
            self._also(
                Task(project=self.project, item=item, split=item.split, reason=reason, rank=item.pk, state="done")
            )
            fact.reasons.add(reason)
        if self._maybe(0.1):
            self._also(Adjudication(project=self.project, item=item, why="tie"))
            fact.waits = True
        elif self._maybe(0.1):
            self._also(Adjudication(project=self.project, item=item, why="tie", state="settled", closed_at=self.now))
        if fact.labels and item.split == "pool" and self._maybe(0.2):
            fact.gold = self._maybe(0.6)
            _labels, columns = self._answer(item.text)
            self._also(Gold(project=self.project, item=item, retired_at=None if fact.gold else self.now, **columns))
        if self._maybe(0.1):
            self._also(Ticket(project=self.project, number=item.pk, item=item))
            fact.feedback = True
        if self._maybe(0.3):
            kind = self.dice.choice(["thumb", "comment", "shown", "clicked"])
            self._also(Signal(project=self.project, event=uuid4().hex, kind=kind, item=item))
            fact.feedback |= kind in {"thumb", "comment"}

    def _versions(self) -> None:
        """Two that differ here and there, and that have not read everything."""
        kept: dict[int, Any] = {}
        for number in (1, 2):
            version = version_of(self.project, number, {})
            rows = []
            for fact in self.facts:
                if self._maybe(0.2):
                    continue
                labels, columns = kept[fact.item] if fact.item in kept and self._maybe(0.5) else self._answer(fact.text)
                kept.setdefault(fact.item, (labels, columns))
                sure, margin = self.dice.randrange(11) / 10, self.dice.randrange(11) / 10
                fact.said[number] = (labels, _marks(columns), sure, margin)
                columns = {"label": self.labels[0]} | columns if "value" not in columns else columns
                rows.append(
                    Prediction(
                        item_id=fact.item,
                        version=version,
                        confidence=sure,
                        margin=margin,
                        probabilities=[0.9, 0.1, 0.0] if "label" in columns else None,
                        **columns,
                    )
                )
            Prediction.objects.bulk_create(rows)


def _marks(columns: dict[str, Any]) -> Any:
    """What has to be the same for two versions to say the same."""
    if "label" in columns:
        return columns["label"].pk
    value = columns["value"]
    return (
        value["labels"] if "labels" in value else [(one["start"], one["end"], one["label"]) for one in value["spans"]]
    )
