"""Three simulated annotators. They claim and answer through the same services as people, and are not always right.

The texts and the right answers are real; who errs where is drawn by chance, always the same way.
"""

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import User
from apps.annotation import services as annotation
from apps.annotation.models import Annotation, Lease
from apps.annotation.services.golds import make_gold
from apps.content.models import Item, Split
from apps.projects.models import Label, Membership, Project, Role
from apps.quality.models import Review
from apps.quality.services import reviews

GOLDS = 10
APPROVED, SENT_BACK = 6, 2
UNDECIDED, FLAGGED = 0.02, 0.01  # of all answers
REASONS = ["Several readings are possible", "Too little context", "Not in a language I read"]
WHY_GOLD = "Read to the end: what the customer wants done counts, not what happened before."
WHY_BACK = "Please look again: the guidelines say otherwise."
COLLEAGUES = [("ben", "Ben Annotator", 0.9), ("cleo", "Cleo Annotator", 0.8)]  # with the share of right answers
SURE = 0.96  # of the one who signs in

Truth = Any  # a label's name, a list of names, or spans with names


@dataclass(frozen=True)
class Person:
    user: User
    right: float


def colleagues(project: Project) -> list[User]:
    """Two more who answer, and who cannot sign in."""
    made = []
    for word, name, _right in COLLEAGUES:
        email = f"{word}@demo.example"
        user = User.objects.filter(email=email).first() or User.objects.create_user(email, None, name=name)
        Membership.objects.get_or_create(project=project, user=user, defaults={"role": Role.ANNOTATOR})
        made.append(user)
    return made


def team(project: Project, annotator: User) -> list[Person]:
    others = zip(colleagues(project), COLLEAGUES, strict=True)
    return [Person(annotator, SURE), *(Person(user, right) for user, (_word, _name, right) in others)]


class Labels:
    """A project's labels by name, and answers made of them: right ones and wrong ones."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.ids = {label.name: label.pk for label in Label.objects.filter(project=project)}
        self.names = list(self.ids)

    def answer(self, item: Item, truth: Truth) -> dict[str, Any]:
        match self.project.task_kind:
            case Project.TaskKind.MULTI:
                return {"value": {"labels": [self.ids[name] for name in truth]}}
            case Project.TaskKind.SPANS:
                spans = [span | {"label": self.ids[span["label"]]} for span in truth]
                quoted = [span | {"quote": item.text[span["start"] : span["end"]]} for span in spans]
                return {"value": {"spans": quoted}}
        return {"label": self.ids[truth]}

    def mistaken(self, draw: random.Random, item: Item, truth: Truth) -> Truth:
        match self.project.task_kind:
            case Project.TaskKind.MULTI:
                return self._wrong_labels(draw, truth)
            case Project.TaskKind.SPANS:
                return self._wrong_spans(draw, item.text, truth)
        near = self.names.index(truth) + draw.choice((-2, -1, 1, 2))
        return self.names[near % len(self.names)]

    def _wrong_labels(self, draw: random.Random, truth: Sequence[str]) -> list[str]:
        if len(truth) > 1 and draw.random() < 0.6:
            left_out = draw.choice(truth)
            return [name for name in truth if name != left_out]
        return list(dict.fromkeys([*truth, draw.choice(self.names)]))

    def _wrong_spans(self, draw: random.Random, text: str, truth: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        if not truth:
            return []
        place, kind = draw.randrange(len(truth)), draw.random()
        wrong = dict(truth[place])
        last_word = text.rfind(" ", wrong["start"], wrong["end"])
        if kind < 0.35:
            wrong["label"] = draw.choice([name for name in self.names if name != wrong["label"]])
        elif kind < 0.7 and last_word > wrong["start"]:
            wrong["end"] = last_word
        else:
            return [*truth[:place], *truth[place + 1 :]]
        return [*truth[:place], wrong, *truth[place + 1 :]]


def answer_one(labels: Labels, person: Person, draw: random.Random, truth_of: Callable[[Item], Truth]) -> bool:
    """False when nothing is left for this person."""
    leases = annotation.claim(labels.project, person.user, ahead=1)
    if not leases:
        return False
    annotation.submit(labels.project, person.user, _said(labels, person, draw, leases[0], truth_of))
    return True


def _said(
    labels: Labels, person: Person, draw: random.Random, lease: Lease, truth_of: Callable[[Item], Truth]
) -> annotation.Answer:
    item = lease.task.item
    about: dict[str, Any] = {"token": lease.token, "key": uuid.UUID(int=draw.getrandbits(128), version=4)}
    about["seconds"] = round(draw.lognormvariate(1.6, 0.5), 1)
    if draw.random() < UNDECIDED:
        return annotation.Answer(**about, undecided=draw.choice(REASONS))
    truth = truth_of(item)
    if draw.random() > person.right:
        truth = labels.mistaken(draw, item, truth)
    return annotation.Answer(**about, **labels.answer(item, truth), flagged=draw.random() < FLAGGED)


def golds(labels: Labels, by: User, truth_of: Callable[[Item], Truth]) -> None:
    """Some items whose truth is beyond doubt, before anybody meets them."""
    pool = Item.objects.filter(project=labels.project, split=Split.POOL, gold=None, resolution=None).order_by(
        "text_hash"
    )
    for number, item in enumerate(pool[:GOLDS]):
        answer = labels.answer(item, truth_of(item))
        if "label" in answer:
            answer["label"] = Label.objects.get(pk=answer["label"])
        make_gold(labels.project, item, by, **answer, explanation=WHY_GOLD if number < 4 else "")


def look_over(project: Project, by: User) -> None:
    """A reviewer has begun: some answers are approved, two wait for their author."""
    if Review.objects.filter(project=project).exists():
        return
    names = [f"{word}@demo.example" for word, _name, _right in COLLEAGUES]
    said = Annotation.objects.filter(
        project=project, undecided="", retracted=False, late=False, item__gold=None, item__resolution__how="single"
    ).select_related("item", "annotator")
    for row in said.order_by("pk")[:APPROVED]:
        reviews.approve(project, row, by)
    for row in said.filter(annotator__email__in=names, review=None).order_by("pk")[:SENT_BACK]:
        reviews.reject(project, row, by, WHY_BACK)


def groups(names: Sequence[str], words: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Label -> group: the first group one of whose words its name holds."""
    return {
        name: next((group for group, parts in words.items() if any(part in name.lower() for part in parts)), "")
        for name in names
    }
