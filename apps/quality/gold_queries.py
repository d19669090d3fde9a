"""How people do on gold items, and gold items with people."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Exists, F, Max, OuterRef, Q, QuerySet

from apps.accounts.models import User
from apps.annotation.models import Annotation, Gold, Resolution, Task
from apps.annotation.services.golds import Accuracy, gold_answers, is_right
from apps.content.models import Split
from apps.projects.access import CAN, Capability
from apps.projects.models import Membership, Project
from apps.quality.models import Pause

FEWEST = 5  # answers below which nothing is said about a gold item
DOUBTED = 0.5  # an item that more than half of all people miss is probably wrong itself


@dataclass(frozen=True)
class Told:
    """One gold answer that counts."""

    item: int
    annotator: int
    right: bool
    at: datetime


def told(project: Project) -> list[Told]:
    golds = {gold.pk: gold for gold in Gold.objects.filter(project=project, retired_at=None)}
    rows = gold_answers(project).values_list("item_id", "annotator_id", "label_id", "value", "created_at")
    return [
        Told(item, annotator, is_right(golds[item], label, value), at)
        for item, annotator, label, value, at in rows
        if item in golds
    ]


def counting_from(project: Project) -> Mapping[int, datetime]:
    """Per person: when they were last let go on. What they answered before counts no more."""
    lifted = Pause.objects.filter(project=project, lifted_at__isnull=False).values("user")
    return dict(lifted.annotate(last=Max("lifted_at")).values_list("user", "last"))


def by_person(project: Project, answers: list[Told] | None = None) -> dict[int, Accuracy]:
    since = counting_from(project)
    counted = [one for one in (told(project) if answers is None else answers) if _counts(one, since)]
    n, right = Counter(one.annotator for one in counted), Counter(one.annotator for one in counted if one.right)
    return {user: Accuracy(right[user], n[user]) for user in n}


def _counts(one: Told, since: Mapping[int, datetime]) -> bool:
    return one.annotator not in since or one.at > since[one.annotator]


@dataclass(frozen=True)
class GoldRow:
    gold: Gold
    accuracy: Accuracy

    @property
    def doubted(self) -> bool:
        share = self.accuracy.share
        return share is not None and self.accuracy.n >= FEWEST and share < DOUBTED


def items(project: Project, answers: list[Told]) -> list[GoldRow]:
    """Those that most people miss come first."""
    n, right = Counter(one.item for one in answers), Counter(one.item for one in answers if one.right)
    golds = Gold.objects.filter(project=project, retired_at=None).select_related("item", "label", "by")
    rows = [GoldRow(gold, Accuracy(right[gold.pk], n[gold.pk])) for gold in golds]
    return sorted(rows, key=lambda row: (not row.doubted, row.accuracy.high, -row.gold.pk))


@dataclass(frozen=True)
class Annotator:
    member: Membership
    accuracy: Accuracy
    seen: int  # gold items answered, "cannot decide" too
    wanted: int  # of them before the ordinary queue; 0: not in training
    pause: Pause | None = field(default=None)

    @property
    def in_training(self) -> bool:
        return self.wanted > 0 and self.member.trained_at is None


def annotators(project: Project, answers: list[Told]) -> list[Annotator]:
    right = by_person(project, answers)
    seen = seen_by(project)
    pauses = {pause.user_id: pause for pause in Pause.objects.filter(project=project, lifted_at=None)}
    return [
        Annotator(
            member,
            right.get(member.user_id, Accuracy(0, 0)),
            seen.get(member.user_id, 0),
            project.training_items,
            pauses.get(member.user_id),
        )
        for member in labelling(project).select_related("user").order_by("user__name", "user__email")
    ]


def labelling(project: Project) -> QuerySet[Membership]:
    roles = [role for role, can in CAN.items() if Capability.ANNOTATE in can]
    return Membership.objects.filter(project=project, role__in=roles, user__is_active=True)


def seen_by(project: Project) -> dict[int, int]:
    """Per person: how many gold items they answered in whatever way."""
    later = Q(item=OuterRef("item"), annotator=OuterRef("annotator"), revision__gt=OuterRef("revision"))
    said = Annotation.objects.filter(project=project, task__reason=Task.Reason.GOLD, retracted=False)
    rows = said.exclude(Exists(Annotation.objects.filter(later))).values_list("annotator_id", "item_id").distinct()
    found: defaultdict[int, int] = defaultdict(int)
    for annotator, _item in rows:
        found[annotator] += 1
    return found


def candidates(project: Project) -> QuerySet[Resolution]:
    """What a reviewer decided, newest first: the best that gold can be made from."""
    decided = Resolution.objects.filter(project=project, how=Resolution.How.ADJUDICATED, split=Split.POOL)
    used = Q(item__gold__isnull=False, item__gold__retired_at=None)
    found = decided.exclude(used).filter(item__archived_at=None).select_related("item", "label", "by")
    return found.order_by(F("changed_at").desc(), "-item_id")


def leads(project: Project) -> list[User]:
    roles = [role for role, can in CAN.items() if Capability.MANAGE in can]
    return list(
        User.objects.filter(memberships__project=project, memberships__role__in=roles, is_active=True).distinct()
    )
