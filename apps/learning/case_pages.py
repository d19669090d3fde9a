"""Regression cases as the Train pages show them: what a version does to each, in the order in which it matters."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.feedback.models import RegressionCase
from apps.feedback.services import outcomes
from apps.feedback.services.outcomes import CaseChanges
from apps.learning import answers
from apps.projects.models import Label
from apps.registry.models import ModelVersion

LISTED = 50


@dataclass(frozen=True, slots=True)
class Group:
    name: str  # broken, unasked, failing, fixed
    title: Promise
    total: int
    rows: list[answers.Row]


_TITLES: tuple[tuple[str, Promise], ...] = (
    ("broken", _("It breaks")),
    ("unasked", _("Not asked yet")),
    ("failing", _("Both get wrong")),
    ("fixed", _("It fixes")),
)


def groups(changes: CaseChanges, pair: Sequence[ModelVersion], labels: dict[int, Label]) -> list[Group]:
    """What differs or fails, with what each version of the pair said."""
    found = []
    for name, title in _TITLES:
        ids: tuple[int, ...] = getattr(changes, name)
        if ids:
            found.append(Group(name, title, len(ids), _rows(_cases(ids[:LISTED]), pair, labels)))
    return found


def _cases(ids: Sequence[int]) -> list[RegressionCase]:
    return list(RegressionCase.objects.filter(pk__in=ids).select_related("item", "ticket").order_by("pk"))


def _rows(cases: list[RegressionCase], versions: Sequence[ModelVersion], labels: dict[int, Label]) -> list[answers.Row]:
    said = [outcomes.results(version, cases) for version in versions]
    return [answers.tried(list(zip(versions, rows, strict=True)), labels) for rows in zip(*said, strict=True)]


@dataclass(frozen=True, slots=True)
class Standing:
    """A version on the regression cases of today."""

    passed: int
    total: int
    unasked: int
    failed: int
    rows: list[answers.Row]


def standing(version: ModelVersion, labels: dict[int, Label]) -> Standing | None:
    found = outcomes.standing(version)
    if found is None:
        return None
    rows = _rows(list(found.failed[:LISTED]), [version], labels)
    return Standing(found.passed, found.total, found.unasked, len(found.failed), rows)
