"""What one sitting came to. A sitting ends with half an hour in which nothing was answered."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation
from apps.annotation.services import golds
from apps.annotation.services.comments import handle
from apps.projects.models import Project

GAP = timedelta(minutes=30)
NEWEST = 3_000  # answers looked at
LONGEST = 300.0  # seconds that one text counts at most: who went to lunch was not reading
GOLD_FROM = 5  # with fewer gold items in a sitting, their share says nothing and might give one away
RANKED = timedelta(days=7)
RANKED_ROWS = 50_000


@dataclass(frozen=True)
class Sitting:
    began: datetime
    ended: datetime
    items: int
    seconds: float  # at the texts themselves
    median: float | None  # seconds for a text
    accepted: int  # as suggested
    suggested: int  # answered with a suggestion in sight
    undecided: int
    flagged: int
    taken_back: int
    gold: golds.Accuracy | None


@dataclass(frozen=True)
class Ranked:
    name: str
    items: int
    me: bool


def sitting(project: Project, user: User) -> Sitting | None:
    """The newest one; None before the first answer."""
    fields = ("item_id", "created_at", "seconds", "outcome", "undecided", "flagged", "retracted")
    said = Annotation.objects.filter(project=project, annotator=user).order_by("-pk")
    rows = _together(list(said.only(*fields)[:NEWEST]))
    if not rows:
        return None
    newest = {row.item_id: row for row in reversed(rows)}
    standing = [row for row in newest.values() if not row.retracted]
    spent: dict[int, float] = {}
    for row in rows:
        spent[row.item_id] = spent.get(row.item_id, 0.0) + min(row.seconds or 0.0, LONGEST)
    times = [seconds for seconds in spent.values() if seconds]
    outcomes = [row.outcome for row in standing if not row.undecided]
    return Sitting(
        began=rows[-1].created_at,
        ended=rows[0].created_at,
        items=len(standing),
        seconds=sum(times),
        median=statistics.median(times) if times else None,
        accepted=outcomes.count(Annotation.Outcome.ACCEPTED),
        suggested=len(outcomes) - outcomes.count(Annotation.Outcome.SCRATCH),
        undecided=sum(1 for row in standing if row.undecided),
        flagged=sum(1 for row in standing if row.flagged),
        taken_back=len(newest) - len(standing),
        gold=_gold(project, user, rows[-1].created_at),
    )


def _together(rows: Sequence[Annotation]) -> list[Annotation]:
    """Newest first, up to the first long pause."""
    kept = list(rows[:1])
    for row in rows[1:]:
        if kept[-1].created_at - row.created_at > GAP:
            break
        kept.append(row)
    return kept


def _gold(project: Project, user: User, began: datetime) -> golds.Accuracy | None:
    found = golds.accuracy(project, user, since=began - timedelta(microseconds=1))
    return found if found.n >= GOLD_FROM else None


def ranking(project: Project, user: User) -> list[Ranked]:
    """Who answered how many texts in a week. Only where whoever leads the project wants it seen."""
    if not project.ranking_shown:
        return []
    newest = Annotation.objects.filter(project=project).order_by("-pk").values_list("pk", flat=True)
    oldest = newest[RANKED_ROWS - 1 : RANKED_ROWS].first() or 0
    week = Q(pk__gte=oldest, created_at__gt=timezone.now() - RANKED, retracted=False)
    counted = Annotation.objects.filter(week, project=project).values("annotator")
    rows = counted.annotate(n=Count("item", distinct=True)).order_by("-n", "annotator")
    people = User.objects.in_bulk([row["annotator"] for row in rows])
    return [Ranked(handle(people[row["annotator"]]), row["n"], row["annotator"] == user.pk) for row in rows]
