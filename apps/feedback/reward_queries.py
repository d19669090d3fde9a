from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, QuerySet, Sum

from apps.feedback.models import FeedbackPolicy, RewardEntry
from apps.projects.models import Project

SHOWN = 50  # people at the top


def is_on(project: Project) -> bool:
    return FeedbackPolicy.objects.filter(project=project, rewards=True).exists()


def entries(project: Project, subject: str = "") -> QuerySet[RewardEntry]:
    rows = RewardEntry.objects.filter(project=project).select_related("signal", "ticket")
    return rows.filter(subject=subject) if subject else rows


@dataclass(frozen=True, slots=True)
class Balance:
    subject: str
    balance: int
    granted: int
    taken_back: int
    entries: int
    last_at: datetime | None


def balance(project: Project, subject: str) -> Balance:
    found = _balances(RewardEntry.objects.filter(project=project, subject=subject))
    return found[0] if found else Balance(subject, 0, 0, 0, 0, None)


def balances(project: Project, most: int = SHOWN) -> list[Balance]:
    """The richest first."""
    return _balances(RewardEntry.objects.filter(project=project), most)


def _balances(rows: QuerySet[RewardEntry], most: int = 1) -> list[Balance]:
    found = (
        rows.order_by()
        .values("subject")
        .annotate(
            balance=Sum("points"),
            granted=Sum("points", filter=Q(points__gt=0), default=0),
            taken=Sum("points", filter=Q(points__lt=0), default=0),
            n=Count("pk"),
            last_at=Max("at"),
        )
        .order_by("-balance", "subject")[:most]
    )
    return [
        Balance(row["subject"], row["balance"], row["granted"], -row["taken"], row["n"], row["last_at"])
        for row in found
    ]


@dataclass(frozen=True, slots=True)
class Totals:
    people: int
    granted: int
    taken_back: int


def totals(project: Project) -> Totals:
    found = RewardEntry.objects.filter(project=project).aggregate(
        people=Count("subject", distinct=True),
        granted=Sum("points", filter=Q(points__gt=0), default=0),
        taken=Sum("points", filter=Q(points__lt=0), default=0),
    )
    return Totals(found["people"], found["granted"], -found["taken"])
