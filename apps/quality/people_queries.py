"""The work of people over a time: how much, how long, how quick, and how good."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from django.utils import timezone

from apps.accounts.models import User
from apps.annotation import opinion_table
from apps.annotation.models import Resolution
from apps.annotation.services.golds import Accuracy
from apps.common.rows import rows
from apps.projects.models import Project
from apps.quality import gold_queries, review_queries

LONGEST = 300.0  # seconds that one answer counts at most: whoever is away longer takes a break


@dataclass(frozen=True)
class Period:
    """Whole days of the installation's time, both included."""

    first: date
    last: date

    @property
    def since(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.first, time.min))

    @property
    def until(self) -> datetime:
        return timezone.make_aware(datetime.combine(self.last + timedelta(days=1), time.min))


def this_month() -> Period:
    today = timezone.localdate()
    return Period(today.replace(day=1), today)


@dataclass(frozen=True)
class Agreement:
    """With what became the truth, on texts that several people answered. Spans agree in part: a mean, no share."""

    mean: float | None
    n: int
    whole: Accuracy | None  # None for spans


NO_GOLD = Accuracy(0, 0)


@dataclass(frozen=True)
class Work:
    user: User
    items: int = 0
    at_once: int = 0  # labelled together with others by one act, not paid by the piece
    seconds: float = 0.0
    median: float | None = None
    agreement: Agreement = field(default=Agreement(None, 0, None))
    gold: Accuracy = NO_GOLD
    reviewed: Accuracy = NO_GOLD

    @property
    def hours(self) -> float:
        return self.seconds / 3600


# an item belongs to the period of its first answer, whatever was changed later; what was taken back is no work done
_ITEMS = """
SELECT a.annotator_id, count(*) FILTER (WHERE a.task_id IS NOT NULL), count(*) FILTER (WHERE a.task_id IS NULL)
FROM annotation_annotation a
WHERE a.project_id = %(project)s AND a.revision = 1 AND a.created_at >= %(since)s AND a.created_at < %(until)s
  AND (%(user)s::bigint IS NULL OR a.annotator_id = %(user)s)
  AND NOT coalesce((SELECT b.retracted FROM annotation_annotation b WHERE b.item_id = a.item_id
                    AND b.annotator_id = a.annotator_id ORDER BY b.revision DESC LIMIT 1), false)
GROUP BY 1
"""
_SECONDS = """
SELECT annotator_id, sum(least(seconds, %(longest)s)), percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)
FROM annotation_annotation
WHERE project_id = %(project)s AND created_at >= %(since)s AND created_at < %(until)s AND seconds >= 0
  AND NOT retracted AND (%(user)s::bigint IS NULL OR annotator_id = %(user)s)
GROUP BY 1
"""


def work(project: Project, period: Period, *, user: User | None = None) -> list[Work]:
    """Everybody who did or may do something here, most items first; or this one person."""
    values = {
        "project": project.pk,
        "since": period.since,
        "until": period.until,
        "user": user.pk if user else None,
        "longest": LONGEST,
    }
    items = {pk: (n, together) for pk, n, together in rows(_ITEMS, values)}
    seconds = {pk: (float(total), float(median)) for pk, total, median in rows(_SECONDS, values)}
    agreed, gold, reviewed = agreement(project, period), _gold(project, period), _reviewed(project, period)
    members = set(gold_queries.labelling(project).values_list("user_id", flat=True))
    wanted = {user.pk} if user else members | items.keys() | seconds.keys()
    found = []
    for person in User.objects.filter(pk__in=wanted):
        n, together = items.get(person.pk, (0, 0))
        total, median = seconds.get(person.pk, (0.0, None))
        found.append(
            Work(
                person,
                items=n,
                at_once=together,
                seconds=total,
                median=median,
                agreement=agreed.get(person.pk, Agreement(None, 0, None)),
                gold=gold.get(person.pk, NO_GOLD),
                reviewed=reviewed.get(person.pk, NO_GOLD),
            )
        )
    return sorted(found, key=lambda one: (-one.items, str(one.user).lower()))


def agreement(project: Project, period: Period) -> dict[int, Agreement]:
    """Only where several people answered and it is settled what is true; one's own answer is one of several."""
    said = opinion_table.table(project, until=period.until).shared()
    since = period.since.timestamp()
    decided = Resolution.objects.filter(
        project=project,
        item__in=set(said.items.tolist()),
        how__in=[Resolution.How.CONSENSUS, Resolution.How.ADJUDICATED],
    )
    truth = {
        item: label if value is None else value for item, label, value in decided.values_list("item", "label", "value")
    }
    close: defaultdict[int, list[float]] = defaultdict(list)
    for row in range(len(said)):
        item = int(said.items[row])
        if item in truth and said.at[row] >= since:
            close[int(said.annotators[row])].append(opinion_table.closeness(said.answer(row), truth[item]))
    return {person: _agreement(project, found) for person, found in close.items()}


def _agreement(project: Project, close: list[float]) -> Agreement:
    whole = None
    if project.task_kind != Project.TaskKind.SPANS:
        whole = Accuracy(sum(one == 1.0 for one in close), len(close))
    return Agreement(sum(close) / len(close), len(close), whole)


def _gold(project: Project, period: Period) -> dict[int, Accuracy]:
    told = [one for one in gold_queries.told(project) if period.since <= one.at < period.until]
    n, right = Counter(one.annotator for one in told), Counter(one.annotator for one in told if one.right)
    return {person: Accuracy(right[person], n[person]) for person in n}


def _reviewed(project: Project, period: Period) -> dict[int, Accuracy]:
    found = review_queries.by_author(project, since=period.since, until=period.until)
    return {one.user.pk: one.accuracy for one in found}
