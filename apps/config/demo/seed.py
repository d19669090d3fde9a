"""Lived-in projects from real texts, the first of them bank questions, made through the same services that people use.

It needs the workers: vectors, the live head and the first version come from them, as they would for anybody.
"""

import csv
import random
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.annotation.models import Annotation, Task
from apps.config.demo import crowd, feedback, others
from apps.content import services as content
from apps.content.models import Item
from apps.content.tasks import import_file
from apps.learning.models import Encoding, LiveHead, Repredict, TrainingRun
from apps.learning.services import runs, versions
from apps.learning.services.wishes import Wish
from apps.learning.tasks import repredict, train
from apps.projects.models import Label, Membership, Project, Role
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

DATA = Path(__file__).with_name("banking77.csv")
SLUG = "bank-questions"
ALREADY_LABELLED = 300
LABELS_PER_ROUND = 20  # then the live head is waited for, so that the curve has a history to show

GUIDELINES = """\
Customers of a bank write to support. Choose the **one** intent that an agent would act on.

- Read the whole question; the last sentence often says what is wanted.
- *Pending* means not yet there, *declined* means refused, *reverted* means it came back.
- When two intents fit, take the one that must be dealt with **first**.
- Not sure? Press **S** and leave it to a colleague, or **F** to flag it for the lead.
"""

LABEL_GROUPS = {
    "Top-ups": ["top_up", "topping"],
    "Transfers": ["transfer", "beneficiary", "receiving_money"],
    "Cash": ["cash", "atm", "wrong_amount"],
    "Exchange": ["exchange", "currency", "fiat"],
    "Identity and account": [
        "identity",
        "passcode",
        "details",
        "account",
        "age_limit",
        "country",
        "lost_or_stolen_phone",
    ],
    "Cards": ["card", "pin", "contactless", "apple_pay", "visa", "virtual"],
    "Payments and fees": ["payment", "charge", "fee", "refund", "direct_debit", "balance", "request"],
}
WITH_EXAMPLES = 24  # of the labels
SAME_PEOPLE = (0, 0, 1, 0, 2)  # who answers in turn: most answers are of the one who signs in

PEOPLE = [
    ("annotator", "Ana Annotator", Role.ANNOTATOR),
    ("manager", "Pat Product", Role.PRODUCT_MANAGER),
    ("admin", "Ada Administrator", Role.ADMINISTRATOR),
]


PATIENCE = 600.0  # seconds for any one step; a laptop needs a tenth of it


class SeedingStopped(Exception):
    """A worker did not do its part in time."""


@dataclass(frozen=True)
class Login:
    role: str
    email: str
    password: str


def people() -> list[Login]:
    """The project and its three people, or an empty list when they are there already. Quick, and in one transaction."""
    if Project.objects.filter(slug=SLUG).exists():
        return []
    with transaction.atomic():
        project = _project(sorted(set(_truth().values())))
        return [_person(project, *who) for who in PEOPLE]


def fill(say: Callable[[str], object]) -> None:
    """What the project still lacks: content, first labels, a version that serves. Takes up where it was cut off."""
    truth, project = _truth(), Project.objects.get(slug=SLUG)
    member = {role: User.objects.get(email=_email(word)) for word, _name, role in PEOPLE}
    administrator = member[Role.ADMINISTRATOR]
    if Task.objects.filter(project=project).count() < len(truth):
        say(f"importing {len(truth):,} bank questions …")
        _import(project, administrator, len(truth))
    if Annotation.objects.filter(project=project).count() < ALREADY_LABELLED:
        say("reading them (a vector each) and choosing typical ones to begin with …")
        _wait("the vectors", lambda: _encoded(project))
        _wait("the first items of the queue", lambda: _top(project).exists())
        say(f"labelling {ALREADY_LABELLED} of them …")
        _label(project, member[Role.ANNOTATOR], administrator, truth)
    if registry.live_version(project) is None:
        say("training version 1 and taking it live …")
        _first_version(project, administrator)
    live = registry.live_version(project)
    if live is not None and not feedback.sent_already(project):
        say(f"letting customers say what they think of it, {feedback.DAYS} days of them (simulated) …")
        _wait("the first predictions", partial(_answered, live))
        feedback.send(project, live, truth)
    others.fill(project, say, _wait)


def _answered(version: ModelVersion) -> bool:
    return Repredict.objects.filter(pk=version.pk, finished_at__isnull=False).exists()


def _truth() -> dict[str, str]:
    with DATA.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row["label"] for row in csv.DictReader(file)}


def _project(names: list[str]) -> Project:
    project = Project.objects.create(
        **{"slug": SLUG, "name": "Bank questions", "encoder": "minilm-l6", "guidelines": GUIDELINES, "seed": 7},
        **{"undecided_reasons": crowd.REASONS, "blind_share": 0.1, "gold_share": 0.05},
        **{"overlap_share": 0.12, "overlap_wanted": 3},
    )
    group, examples = crowd.groups(names, LABEL_GROUPS), _examples(names[:WITH_EXAMPLES])
    Label.objects.bulk_create(
        Label(
            **{"project": project, "name": name, "color": place % 12 + 1, "position": place, "group": group[name]},
            examples=examples.get(name, ""),
        )
        for place, name in enumerate(names)
    )
    return project


def _examples(names: list[str]) -> dict[str, str]:
    """Two short questions for each."""
    found: dict[str, list[str]] = {name: [] for name in names}
    with DATA.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            mine = found.get(row["label"])
            if mine is not None and len(mine) < 2 and len(row["text"]) < 70:
                mine.append(row["text"])
    return {name: "\n".join(texts) for name, texts in found.items()}


def _email(word: str) -> str:
    return f"{word}@demo.example"


def _person(project: Project, word: str, name: str, role: Role) -> Login:
    login = Login(str(role.label), _email(word), secrets.token_urlsafe(12))
    user = User.objects.create_user(login.email, login.password, name=name)
    Membership.objects.create(project=project, user=user, role=role)
    return login


def _import(project: Project, by: User, expected: int) -> None:
    job = content.receive(project, by, SimpleUploadedFile("banking77.csv", DATA.read_bytes(), "text/csv"))
    content.start(job, {"text": "text", "external_id": "id"})  # the labels stay out: people give them
    import_file.delay(job.pk)
    _wait("the import", lambda: Task.objects.filter(project=project).count() >= expected)


def _encoded(project: Project) -> bool:
    """All of them: a cold start on the first thousand would not be typical of the rest."""
    last = Item.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True)[0]
    return Encoding.objects.filter(project=project, through_item__gte=last).exists()


def _top(project: Project) -> QuerySet[Task]:
    return Task.objects.filter(project=project, rank__lt=Task.TOP, state=Task.State.OPEN)


def _label(project: Project, annotator: User, administrator: User, truth: Mapping[str, str]) -> None:
    """As people would, at a machine's pace: claim, answer, and let the live head catch up now and then."""
    labels = crowd.Labels(project)
    already = Annotation.objects.filter(project=project).count()
    draw = random.Random(SLUG + str(already))  # noqa: S311 - the same people every time
    if not already:
        crowd.golds(labels, administrator, lambda item: truth[item.external_id])
    people = crowd.team(project, annotator)
    for done in range(already, ALREADY_LABELLED, LABELS_PER_ROUND):
        before = _revision(project)
        for turn in range(done, min(done + LABELS_PER_ROUND, ALREADY_LABELLED)):
            person = people[SAME_PEOPLE[turn % len(SAME_PEOPLE)]]
            crowd.answer_one(labels, person, draw, lambda item: truth[item.external_id])
        _wait("the live head", partial(_newer_than, project, before))
    crowd.look_over(project, administrator)


def _newer_than(project: Project, revision: int) -> bool:
    return _revision(project) > revision


def _revision(project: Project) -> int:
    return LiveHead.objects.filter(project=project).values_list("revision", flat=True).first() or 0


def _first_version(project: Project, by: User) -> None:
    wish = Wish(kind=ModelVersion.Kind.HEAD, encoder=project.encoder, seed=1, leave_out=True)
    run = runs.create(project, by, wish)
    train.delay(run.pk)
    _wait("the training run", lambda: TrainingRun.objects.get(pk=run.pk).state not in TrainingRun.LIVE)
    run.refresh_from_db()
    if run.version is None:
        raise SeedingStopped(f"The first version was not trained: {run.error}")
    versions.promote(project, run.version, by=by, why="The first version of the demonstration.")
    repredict.delay(run.version.pk)


def _wait(what: str, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not until():
        if time.monotonic() > deadline:
            raise SeedingStopped(f"Gave up waiting for {what}. `manage.py doctor` says which worker is missing.")
        time.sleep(0.1)
