"""Projects whose texts carry several labels, or labelled spans, made by hand."""

from typing import Any

from apps.annotation.models import Resolution
from apps.content.models import Item
from apps.projects.models import Label, Project
from tests.learning.teach import add_item

CITIES = ("Berlin", "Köln", "東京", "Łódź", "New York")
DAYS = ("Monday", "next week", "tomorrow")


def multi(project: Project) -> Project:
    return _turned(project, Project.TaskKind.MULTI)


def spans(project: Project) -> Project:
    """The three labels of the cast stand for place, day and one that never occurs."""
    return _turned(project, Project.TaskKind.SPANS)


def _turned(project: Project, kind: Project.TaskKind) -> Project:
    project.task_kind = kind
    project.save(update_fields=["task_kind"])
    return project


def truth(item: Item, value: dict[str, Any]) -> Resolution:
    return Resolution.objects.create(
        item=item, project=item.project, split=item.split, value=value, how=Resolution.How.IMPORTED
    )


def several(project: Project, n: int, *, split: str = "pool", start: int = 0) -> list[Item]:
    """Texts that name each of their labels, none of them now and then."""
    labels = list(project.labels.order_by("pk"))
    made = []
    for number in range(start, start + n):
        chosen = [label for place, label in enumerate(labels) if number >> place & 1]
        text = f"{split} {number}: " + (" and ".join(label.name for label in chosen) or "nothing of that")
        item = add_item(project, text, split=split)
        truth(item, {"labels": sorted(label.pk for label in chosen)})
        made.append(item)
    return made


def marked(project: Project, n: int, *, split: str = "pool", start: int = 0) -> list[Item]:
    """Texts with a place and a day in them."""
    place, day, *_rest = project.labels.order_by("pk")
    made = []
    for number in range(start, start + n):
        city, when = CITIES[number % len(CITIES)], DAYS[number % len(DAYS)]
        text = f"😀 {split} {number}: send it to {city} by {when} please"
        item = add_item(project, text, split=split)
        truth(item, {"spans": [span(text, city, place), span(text, when, day)]})
        made.append(item)
    return made


def span(text: str, quote: str, label: Label) -> dict[str, Any]:
    start = text.index(quote)
    return {"start": start, "end": start + len(quote), "label": label.pk, "quote": quote}
