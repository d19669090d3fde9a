"""How items are chosen and texts are read, as the Train page and its own page show it."""

from dataclasses import dataclass
from typing import Any

from apps.learning import queries
from apps.learning.engine_words import translated
from apps.learning.models import SamplingRound
from apps.learning.services import recommending
from apps.projects.models import Project
from workers.learning import sampling
from workers.learning.encoders.choice import Recommendation


@dataclass(frozen=True, slots=True)
class Strategy:
    name: str
    description: str
    current: bool


def strategies(project: Project) -> list[Strategy]:
    """Those that make sense for the task, in the order in which they should be read."""
    return [
        Strategy(name, translated(sampling.DESCRIPTIONS[name]), name == current(project))
        for name in sampling.offered(project.task_kind)  # type: ignore[arg-type]
    ]


def current(project: Project) -> str:
    return project.strategy if project.strategy in sampling.STRATEGIES else sampling.DEFAULT


def recommendation(project: Project) -> Recommendation | None:
    """Another encoder than the present one, if another suits the texts better."""
    found = recommending.for_project(project)
    return found if found.name.partition("?")[0] != project.encoder.partition("?")[0] else None


def note(project: Project) -> dict[str, Any]:
    return {
        "project": project,
        "strategy": current(project),
        "description": translated(sampling.DESCRIPTIONS[current(project)]),
        "round": SamplingRound.objects.filter(project=project).order_by("-revision").first(),
        "encoding": queries.encoding_progress(project),
        "reading": queries.encoding_of(project),
        "recommendation": recommendation(project),
    }


def page(project: Project) -> dict[str, Any]:
    return note(project) | {"strategies": strategies(project)}
