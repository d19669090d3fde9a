"""Answers of the live version for the host product, each with an id that feedback can point at."""

from collections.abc import Sequence
from dataclasses import dataclass

from apps.projects.models import Project
from apps.serving.models import Served
from apps.serving.services.unavailable import Unavailable


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    external_id: str = ""
    subject: str = ""  # as the host sends it; kept as its pseudonym
    language: str = ""


def predict(
    project: Project, asked: Sequence[Asked], *, consent: bool = False, remember: bool = True
) -> list[Served]:
    """One answer for each text, in order; saved unless `remember` is False.

    Raises InvalidInput for texts that are empty or too long, DomainError (503) when nothing is live or the inference
    process does not answer.
    """
    raise Unavailable
