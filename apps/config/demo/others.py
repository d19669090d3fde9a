"""Two smaller projects beside the bank's: several labels per text, and spans. Real texts, simulated annotators."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction

from apps.accounts.models import User
from apps.annotation.models import Annotation, Task
from apps.config.demo import crowd
from apps.content import services as content
from apps.content.formats import records
from apps.content.models import Item
from apps.content.tasks import import_file
from apps.projects.models import Label, Membership, Project, Role

HERE = Path(__file__).parent
ANSWERS = 150  # of all annotators together, in each project

INTENTS = """\
Tick **everything** that the customer says or wants; most messages have two or three labels.

- What is it about (card, account, loan …) *and* what should happen to it (open, cancel, ask …).
- A bare “yes” or “no” is *affirm* or *deny* and nothing else.
- Earlier messages of the conversation stand above the text.
"""
NAMES = """\
Mark names in short messages: people, places, companies, products, groups, works.

- Mark the **whole** name, without the article and without the @ or # in front of it.
- A nickname counts. A word that only describes somebody does not.
- Nothing to mark is an answer, too.
"""
INTENT_GROUPS = {
    "What about": [
        "card",
        "account",
        "loan",
        "mortgage",
        "cheque",
        "pin",
        "balance",
        "overdraft",
        "savings",
        "current",
    ],
    "Money moves": ["transfer", "debit", "standing", "withdraw", "refund", "international", "credit", "fees", "limits"],
    "What to do": ["make_", "cancel", "change", "appointment", "contactless", "request", "lost", "wrong", "arrival"],
    "Conversation": ["affirm", "deny", "thank", "greet", "end_call", "repeat", "acknowledge", "dont_know", "handoff"],
}
NAME_GROUPS = {"Who": ["person", "group", "corporation"], "What": ["product", "creative"], "Where": ["location"]}
DESCRIBED = {
    "person": ("Names of people, real or not.", "Barack Obama\nSherlock Holmes"),
    "creative-work": ("Songs, films, books, series.", "Game of Thrones\nThe Wire"),
    "group": ("Bands, teams and others who act together and are no company.", "The Beatles\nArsenal"),
    "lost_stolen": ("The card or the phone is gone.", "my wallet was stolen\nI can't find my card anywhere"),
    "handoff": ("Wants to talk to a human.", "can I speak to somebody"),
    "wrong_notworking_notshowing": ("Something is not as it should be.", "it doesn't show up in my account"),
}


@dataclass(frozen=True)
class Small:
    slug: str
    name: str
    kind: str
    file: str
    mapping: dict[str, Any]
    guidelines: str
    groups: dict[str, list[str]]


ALL = [
    Small(
        *("bank-messages", "Bank messages (several labels)", Project.TaskKind.MULTI, "nlupp_banking.jsonl"),
        {"text": "text", "external_id": "id", "thread": "thread", "url": "url"},
        *(INTENTS, INTENT_GROUPS),
    ),
    Small(
        *("names-in-posts", "Names in posts (spans)", Project.TaskKind.SPANS, "wnut17.conll"),
        {"text": "text"},
        *(NAMES, NAME_GROUPS),
    ),
]


def fill(bank: Project, say: Callable[[str], object], wait: Callable[[str, Callable[[], bool]], None]) -> None:
    """Takes up where it was cut off."""
    for small in ALL:
        truth = truths(small)
        project = Project.objects.filter(slug=small.slug).first() or _made(small, bank, truth)
        if Annotation.objects.filter(project=project).count() >= ANSWERS:
            continue
        say(f"a smaller project: {small.name}, {len(truth)} texts, {ANSWERS} simulated answers …")
        _import(small, project, len(truth), wait)
        _label(project, truth)


def truths(small: Small) -> dict[str, Any]:
    """Text -> label names, or spans."""
    if small.kind == Project.TaskKind.SPANS:
        return {found.values["text"]: found.values["spans"] for found in records("conll", HERE / small.file)}
    lines = (HERE / small.file).read_bytes().splitlines()
    return {found["text"]: found["labels"] for found in map(orjson.loads, lines)}


@transaction.atomic
def _made(small: Small, bank: Project, truth: dict[str, Any]) -> Project:
    spans = small.kind == Project.TaskKind.SPANS
    names = sorted({span["label"] if spans else span for said in truth.values() for span in said})
    project = Project.objects.create(
        **{"slug": small.slug, "name": small.name, "task_kind": small.kind, "guidelines": small.guidelines},
        **{"encoder": bank.encoder, "seed": 7, "undecided_reasons": crowd.REASONS, "blind_share": 0.1},
        **{"overlap_share": 0.3, "overlap_wanted": 3, "gold_share": 0.08, "overlapping": False},
    )
    group = crowd.groups(names, small.groups)
    Label.objects.bulk_create(
        Label(
            **{"project": project, "name": name, "color": place % 12 + 1, "position": place, "group": group[name]},
            **dict(zip(("description", "examples"), DESCRIBED.get(name, ("", "")), strict=True)),
        )
        for place, name in enumerate(names)
    )
    members = Membership.objects.filter(project=bank).exclude(user__email__in=_colleagues())
    for member in members:
        Membership.objects.create(project=project, user_id=member.user_id, role=member.role)
    return project


def _colleagues() -> list[str]:
    return [f"{word}@demo.example" for word, _name, _right in crowd.COLLEAGUES]


def _import(small: Small, project: Project, expected: int, wait: Callable[[str, Callable[[], bool]], None]) -> None:
    if not Item.objects.filter(project=project).exists():
        by = User.objects.get(memberships__project=project, memberships__role=Role.ADMINISTRATOR)
        upload = SimpleUploadedFile(small.file, (HERE / small.file).read_bytes())
        job = content.receive(project, by, upload)
        content.start(job, small.mapping)  # the labels stay out: people give them
        import_file.delay(job.pk)
    wait("the import", lambda: Task.objects.filter(project=project).count() >= expected)


def _label(project: Project, truth: dict[str, Any]) -> None:
    by = User.objects.get(memberships__project=project, memberships__role=Role.ADMINISTRATOR)
    annotator = (
        User.objects.filter(memberships__project=project, memberships__role=Role.ANNOTATOR)
        .exclude(email__in=_colleagues())
        .get()
    )
    labels, already = crowd.Labels(project), Annotation.objects.filter(project=project).count()
    draw = random.Random(project.slug + str(already))  # noqa: S311 - the same people every time
    if not already:
        crowd.golds(labels, by, lambda item: truth[item.text])
    people = crowd.team(project, annotator)
    for turn in range(already, ANSWERS):
        crowd.answer_one(labels, people[turn % len(people)], draw, lambda item: truth[item.text])
    crowd.look_over(project, by)
