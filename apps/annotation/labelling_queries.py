"""What the settings pages of labelling show."""

from dataclasses import dataclass

from apps.accounts.models import User
from apps.annotation.models import Audience, Gold, Task
from apps.annotation.queries import Amount, amount
from apps.projects.models import Membership, Project


@dataclass(frozen=True)
class Group:
    audience: Audience
    people: list[User]
    waiting: Amount  # tasks with a free place that are for them alone


def groups(project: Project) -> list[Group]:
    """The named ones, by name, with who is in them and what waits for them."""
    found = Audience.objects.filter(project=project).exclude(name="").order_by("name").prefetch_related("people")
    return [
        Group(
            audience,
            sorted(audience.people.all(), key=lambda user: str(user).casefold()),
            amount(Task.objects.filter(audience=audience, state=Task.State.OPEN)),
        )
        for audience in found
    ]


@dataclass(frozen=True)
class Means:
    """What the project has, beside what its settings ask for."""

    gold: int
    newcomers: int  # members not yet trained
    paused: int


def means(project: Project) -> Means:
    members = Membership.objects.filter(project=project)
    return Means(
        gold=Gold.objects.filter(project=project, retired_at=None).count(),
        newcomers=members.filter(trained_at=None).count(),
        paused=members.exclude(paused_at=None).count(),
    )
