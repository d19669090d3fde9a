"""Items with what is known about them, filtered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.annotation.models import Prediction, Task
from apps.content.models import Item, Split
from apps.projects.models import Project


@dataclass(frozen=True)
class Filters:
    q: str = ""
    labelled: bool | None = None
    label: int | None = None  # id of the current truth
    split: str = ""
    reason: str = ""
    version: int | None = None  # its number
    predicted: int | None = None  # what that version says
    against: int | None = None  # number of a version that says something else


def items(project: Project, by: Filters) -> QuerySet[Item]:
    found = Item.objects.filter(project=project).select_related("resolution__label")
    if by.q:
        found = found.filter(text__icontains=by.q)
    if by.split:
        found = found.filter(split=by.split)
    if by.reason:
        found = found.filter(Exists(Task.objects.filter(item=OuterRef("pk"), reason=by.reason)))
    if by.labelled is not None:
        found = found.filter(resolution__isnull=not by.labelled)
    if by.label is not None:
        found = found.filter(resolution__label=by.label)
    return _as_predicted(project, found, by)


def _as_predicted(project: Project, found: QuerySet[Item], by: Filters) -> QuerySet[Item]:
    """A hold-out item is labelled blind: until it has its truth, no filter may tell what a model thinks of it."""
    if by.version is None or (by.predicted is None and by.against is None):
        return found
    said = Prediction.objects.filter(version__project=project)
    now = said.filter(item=OuterRef("pk"), version__number=by.version)
    if by.predicted is not None:
        now = now.filter(label=by.predicted)
    if by.against is not None:
        before = said.filter(item=OuterRef("item"), version__number=by.against).exclude(label=OuterRef("label"))
        now = now.filter(Exists(before))
    return found.filter(Q(split=Split.POOL) | Q(resolution__isnull=False), Exists(now))


def predictions_of(project: Project, shown: Sequence[Item], version: int | None) -> Mapping[int, Prediction]:
    """What this version says about the items shown; unlabelled hold-out items left out."""
    if version is None:
        return {}
    open_to_see = [item.pk for item in shown if item.split == Split.POOL or hasattr(item, "resolution")]
    said = Prediction.objects.filter(version__project=project, version__number=version, item__in=open_to_see)
    return {prediction.item_id: prediction for prediction in said.select_related("label")}
