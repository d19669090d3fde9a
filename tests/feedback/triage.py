"""Tickets ready to be triaged, without waiting for the grouping job."""

import hashlib
from typing import Any

from apps.feedback.models import Signal, Ticket
from apps.feedback.services import reach
from apps.projects.models import Label, Project
from tests.feedback import make


def ticket(
    project: Project,
    text: str = "Where is my card?",
    *,
    people: int = 1,
    predicted: Label | None = None,
    wanted: Label | None = None,
    **signal: Any,
) -> Ticket:
    labels = list(project.labels.all())
    predicted, wanted = predicted or labels[0], wanted or labels[1]
    made = Ticket.objects.create(
        project=project,
        number=(
            Ticket.objects.filter(project=project).order_by("-number").values_list("number", flat=True).first() or 0
        )
        + 1,
        text=text,
        text_hash=hashlib.sha256(text.encode()).digest(),
        predicted=predicted,
        wanted=wanted,
        reach=people,
    )
    for place in range(people):
        sent = make.complaint(project, predicted, wanted, text=text, subject=f"{made.number}-{place}", **signal)
        Signal.objects.filter(pk=sent.pk).update(ticket=made, state="grouped", counted=True)
    return made


def tickets(project: Project, n: int) -> list[Ticket]:
    """So many, each of one person; number 1 first in the list."""
    start = Ticket.objects.filter(project=project).count()
    return [ticket(project, f"complaint {start + place + 1}") for place in range(n)]


def refreshed(made: list[Ticket]) -> None:
    reach.refresh(made[0].project, [one.pk for one in made])
