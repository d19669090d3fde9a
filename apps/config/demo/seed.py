"""A lived-in project from real bank questions, made through the same services that people use.

It needs the workers: vectors, the live head and the first version come from them, as they would for anybody.
"""

import csv
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import QuerySet

from apps.accounts.models import User
from apps.annotation import services as annotation
from apps.annotation.models import Resolution, Task
from apps.config.demo import feedback
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
    member = {role: User.objects.get(memberships__project=project, memberships__role=role) for _, _, role in PEOPLE}
    administrator = member[Role.ADMINISTRATOR]
    if Task.objects.filter(project=project).count() < len(truth):
        say(f"importing {len(truth):,} bank questions …")
        _import(project, administrator, len(truth))
    if Resolution.objects.filter(project=project).count() < ALREADY_LABELLED:
        say("reading them (a vector each) and choosing typical ones to begin with …")
        _wait("the vectors", lambda: _encoded(project))
        _wait("the first items of the queue", lambda: _top(project).exists())
        say(f"labelling {ALREADY_LABELLED} of them …")
        _label(project, member[Role.ANNOTATOR], truth)
    if registry.live_version(project) is None:
        say("training version 1 and taking it live …")
        _first_version(project, administrator)
    live = registry.live_version(project)
    if live is not None and not feedback.sent_already(project):
        say(f"letting customers say what they think of it, {feedback.DAYS} days of them (simulated) …")
        _wait("the first predictions", partial(_answered, live))
        feedback.send(project, live, truth)


def _answered(version: ModelVersion) -> bool:
    return Repredict.objects.filter(pk=version.pk, finished_at__isnull=False).exists()


def _truth() -> dict[str, str]:
    with DATA.open(newline="", encoding="utf-8") as file:
        return {row["id"]: row["label"] for row in csv.DictReader(file)}


def _project(names: list[str]) -> Project:
    project = Project.objects.create(
        slug=SLUG, name="Bank questions", encoder="minilm-l6", guidelines=GUIDELINES, seed=7
    )
    Label.objects.bulk_create(
        Label(project=project, name=name, color=place % 12 + 1, position=place) for place, name in enumerate(names)
    )
    return project


def _person(project: Project, word: str, name: str, role: Role) -> Login:
    login = Login(str(role.label), f"{word}@demo.example", secrets.token_urlsafe(12))
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


def _label(project: Project, annotator: User, truth: Mapping[str, str]) -> None:
    """As a person would, at a machine's pace: claim, answer, and let the live head catch up now and then."""
    labels = dict(Label.objects.filter(project=project).values_list("name", "pk"))
    already = Resolution.objects.filter(project=project).count()
    for done in range(already, ALREADY_LABELLED, LABELS_PER_ROUND):
        before = _revision(project)
        for _turn in range(min(LABELS_PER_ROUND, ALREADY_LABELLED - done)):
            lease = annotation.claim(project, annotator, ahead=1)[0]
            label = labels[truth[lease.task.item.external_id]]
            answer = annotation.Answer(token=lease.token, key=uuid.uuid4(), label=label, seconds=4.0)
            annotation.submit(project, annotator, answer)
        _wait("the live head", partial(_newer_than, project, before))


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
