"""After a promotion: some of the items that the new version answers differently go to people."""

import heapq
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q

from apps.annotation.models import Resolution, Task
from apps.annotation.services import asking
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.feedback.models import FeedbackPolicy
from apps.learning.models import FlipReview, Repredict
from apps.learning.services.flips import DIFFER, PAIRS
from apps.projects.models import Project
from apps.registry.models import Deployment, ModelVersion

RANDOM = 0.2  # share drawn at random: where the new version is sure and wrong, doubt alone would not look

# what people have decided already needs nobody's look: it is known which of the two versions is right
_UNLABELLED = """
SELECT b.item_id, b.margin, {change} {pairs}
WHERE b.version_id = %(new)s AND {differ} AND NOT EXISTS (
    SELECT 1 FROM annotation_resolution r
    WHERE r.item_id = b.item_id AND (r.label_id IS NOT NULL OR r.value IS NOT NULL))
ORDER BY b.item_id
"""
# what counts as the same kind of change: the old and the new likeliest label, or the labels of the old and new spans
_CHANGE = {
    Project.TaskKind.SPANS: "jsonb_path_query_array(a.value, '$.spans[*].label')::text,"
    " jsonb_path_query_array(b.value, '$.spans[*].label')::text",
}
_LIKELIEST = "a.label_id, b.label_id"


def due() -> list[int]:
    """Deployments that serve, replaced another version, have the whole pool predicted and were not looked at yet."""
    newer = Deployment.objects.filter(project_id=OuterRef("project_id"), sequence__gt=OuterRef("sequence"))
    predicted = Repredict.objects.filter(
        version_id=OuterRef("version_id"), wanted_pool=True, finished_at__isnull=False, error=""
    )
    rows = Deployment.objects.filter(
        ~Exists(newer),
        ~Exists(FlipReview.objects.filter(deployment_id=OuterRef("pk"))),
        Exists(predicted),
        kind=Deployment.Kind.PROMOTE,
        previous__isnull=False,
        project__archived_at=None,
    ).exclude(project__task_kind=Project.TaskKind.ENGAGEMENT)  # nobody labels there
    return list(rows.order_by("pk").values_list("pk", flat=True))


@transaction.atomic
def send(deployment_id: int) -> FlipReview:
    """Put a sample of what changed to people, once. Asked again, or by two workers at once, it is the same review."""
    deployment = Deployment.objects.select_related("project", "version", "previous").get(pk=deployment_id)
    review, new = FlipReview.objects.get_or_create(deployment=deployment)
    if not new:
        return review
    flips = _flips(deployment)
    rng = np.random.default_rng([deployment.project.seed, deployment.pk])
    wanted = places(deployment.project)
    chosen = choose([flip[2:] for flip in flips], [flip[1] for flip in flips], wanted, rng)
    items = Item.objects.in_bulk([flips[place][0] for place in chosen])
    for place in chosen:
        item = items[flips[place][0]]
        try:
            with transaction.atomic():
                asking.ask(deployment.project, item, reason=Task.Reason.FLIP)
        except DomainError:
            continue  # nobody can be asked about this one
        review.items.append(item.pk)
    review.flips = len(flips)
    review.save(update_fields=["flips", "items"])
    return review


def places(project: Project) -> int:
    said = FeedbackPolicy.objects.filter(project=project).values_list("flip_review", flat=True).first()
    return int(FeedbackPolicy._meta.get_field("flip_review").get_default()) if said is None else said


def _flips(deployment: Deployment) -> list[tuple[int, float, Hashable, Hashable]]:
    """(item, margin under the new version, old answer, new answer) of every unlabelled pool item that changed."""
    task = Project.TaskKind(deployment.version.task)
    sql = _UNLABELLED.format(change=_CHANGE.get(task, _LIKELIEST), pairs=PAIRS, differ=DIFFER[task][0])
    values = {"old": deployment.previous_id, "new": deployment.version_id}
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return list(cursor.fetchall())


def choose(changes: Sequence[Hashable], margins: Sequence[float], wanted: int, rng: np.random.Generator) -> list[int]:
    """Places of the chosen ones, most frequent kind of change first.

    Every kind of change has its share and at least one place while there are any; within a kind the least sure come
    first, and about one in five is drawn at random instead.
    """
    members: dict[Hashable, list[int]] = {}
    for place, change in enumerate(changes):
        members.setdefault(change, []).append(place)
    chosen: list[int] = []
    for change, share in quotas({change: len(found) for change, found in members.items()}, wanted).items():
        found = sorted(members[change], key=lambda place: margins[place])
        at_random = int(rng.binomial(share, RANDOM))
        unsure, rest = found[: share - at_random], found[share - at_random :]
        chosen += [*unsure, *rng.choice(rest, at_random, replace=False).tolist()] if at_random else unsure
    return chosen


def quotas(sizes: dict[Hashable, int], wanted: int) -> dict[Hashable, int]:
    """Places for each, most frequent first: one each, then by Sainte-Laguë, never more than there are."""
    ranked = [change for change, _n in Counter(sizes).most_common(max(0, wanted))]
    given = dict.fromkeys(ranked, 1)
    claims = [(-sizes[change] / 3, place) for place, change in enumerate(ranked) if sizes[change] > 1]
    heapq.heapify(claims)
    for _left in range(wanted - len(ranked)):
        if not claims:
            break
        _claim, place = heapq.heappop(claims)
        change = ranked[place]
        given[change] += 1
        if given[change] < sizes[change]:
            heapq.heappush(claims, (-sizes[change] / (2 * given[change] + 1), place))
    return given


@dataclass(frozen=True, slots=True)
class Progress:
    review: FlipReview
    sent: int
    seen: int  # of those, how many have their truth by now


def latest(new: ModelVersion, old: ModelVersion) -> Progress | None:
    """How far people have come with what the newest promotion of this version in place of that one changed."""
    rows = FlipReview.objects.filter(deployment__version=new, deployment__previous=old)
    review = rows.order_by("-at").first()
    if review is None:
        return None
    known = Q(label__isnull=False) | Q(value__isnull=False)
    truths = Resolution.objects.filter(known, item__in=review.items)
    return Progress(review, len(review.items), truths.count())
