"""What the pages and the API read. Nothing here counts a million rows."""

import time
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.annotation.models import Annotation, Arrival, Comment, Prediction, Resolution, Task
from apps.common.rows import first
from apps.content.models import Item, Split
from apps.projects.models import Project

COUNT_TO = 10_000  # rows counted one by one; beyond, the planner's estimate will do
PROGRESS_LASTS = 2.0  # seconds


@dataclass(frozen=True)
class Amount:
    n: int
    about: bool = False  # an estimate, to be shown as "about"


@dataclass(frozen=True)
class Progress:
    items: Amount
    labelled: Amount
    open: Amount  # tasks with a free place
    holdout_labelled: int
    holdout_target: int


_progress: dict[int, tuple[float, Progress]] = {}


def progress(project: Project) -> Progress:
    """How far the project is. May be two seconds old: a page shows it after every answer."""
    known = _progress.get(project.pk)
    if known is not None and time.monotonic() - known[0] < PROGRESS_LASTS:
        return known[1]
    fresh = count_progress(project)
    _progress[project.pk] = (time.monotonic(), fresh)
    return fresh


def count_progress(project: Project) -> Progress:
    return Progress(
        items=amount(Item.objects.filter(project=project)),
        labelled=amount(Resolution.objects.filter(project=project)),
        open=amount(Task.objects.filter(project=project, state=Task.State.OPEN)),
        holdout_labelled=holdout_labelled(project),
        holdout_target=project.holdout_target,
    )


def amount(found: "QuerySet[Item] | QuerySet[Resolution] | QuerySet[Task]") -> Amount:
    """Exact up to COUNT_TO, the planner's estimate above."""
    exact = found.order_by()[: COUNT_TO + 1].count()
    if exact <= COUNT_TO:
        return Amount(exact)
    sql, values = found.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (FORMAT JSON) " + sql, values)
        (plan,) = cursor.fetchone()
    rows = plan[0]["Plan"]["Plan Rows"]
    return Amount(max(int(rows), COUNT_TO), about=True)


def holdout_labelled(project: Project) -> int:
    return Resolution.objects.filter(project=project, split=Split.HOLDOUT).count()


def _replaced() -> Exists:
    """A later revision of the same person's opinion on the same item."""
    later = Q(item=OuterRef("item"), annotator=OuterRef("annotator"), revision__gt=OuterRef("revision"))
    return Exists(Annotation.objects.filter(later))


def newest_answer(project: Project, user: User, *, item_id: int | None = None) -> Annotation | None:
    """This person's newest opinion that still stands: the last revision on its item, and not taken back."""
    standing = Annotation.objects.raw(
        """
        SELECT a.* FROM annotation_annotation a
        WHERE a.annotator_id = %(user)s AND a.project_id = %(project)s AND NOT a.retracted AND a.task_id IS NOT NULL
          AND (%(item)s::bigint IS NULL OR a.item_id = %(item)s)
          AND NOT EXISTS (SELECT 1 FROM annotation_annotation b WHERE b.item_id = a.item_id
                          AND b.annotator_id = a.annotator_id AND b.revision > a.revision OFFSET 0)
        ORDER BY a.id DESC LIMIT 1
        """,
        {"user": user.pk, "project": project.pk, "item": item_id},
    )
    return next(iter(standing), None)


def my_history(project: Project, user: User, limit: int = 50) -> list[Annotation]:
    """This person's answers here that stand, newest first, one an item."""
    said = Annotation.objects.filter(project=project, annotator=user, retracted=False).exclude(_replaced())
    return list(said.select_related("item", "label", "review__by").order_by("-pk")[:limit])


def sent_back(project: Project, user: User) -> int:
    """How many answers a reviewer wants this person to look at again."""
    # reviews are kept by a later app and hang on the answer
    mine = Annotation.objects.filter(project=project, review__project=project, review__annotator=user)
    waiting = mine.filter(review__verdict="rejected", review__answered_at=None, item__archived_at=None)
    return waiting.exclude(_replaced()).count()


def comments_on(item: Item) -> list[Comment]:
    """The thread in the item's margin, oldest first."""
    said = Comment.objects.filter(item=item, deleted_at=None).select_related("by").prefetch_related("mentions")
    return list(said.order_by("pk"))


@dataclass(frozen=True)
class ItemHistory:
    resolution: Resolution | None
    annotations: list[Annotation]  # all revisions, newest first
    predictions: list[Prediction]  # newest version first
    tasks: list[Task]


def item_history(item: Item) -> ItemHistory:
    """A hold-out item is labelled blind: what models say about it stays hidden until it has its truth."""
    resolution = Resolution.objects.filter(item=item).select_related("label", "by").first()
    annotations = Annotation.objects.filter(item=item).select_related("annotator", "label").order_by("-pk")
    predictions = Prediction.objects.filter(item=item).select_related("version", "label").order_by("-version__number")
    return ItemHistory(
        resolution=resolution,
        annotations=list(annotations),
        predictions=list(predictions) if resolution or item.split == Split.POOL else [],
        tasks=list(Task.objects.filter(item=item).order_by("-pk")),
    )


def why(task: Task) -> str:
    """The answer to "Why am I seeing this?"."""
    match task.reason:
        case Task.Reason.COLD_START:
            return _("A typical example of its kind, to begin with: the model knows too little yet.")
        case Task.Reason.UNCERTAIN if task.score is not None:
            points = round(task.score * 100)
            return _("The model is unsure: its two likeliest labels lie %(points)d points apart.") % {"points": points}
        case Task.Reason.UNCERTAIN:
            return _("The model is unsure about this one.")
        case Task.Reason.HOLDOUT:
            return _("Held out to measure the model. It is labelled without a suggestion and never learned from.")
        case Task.Reason.FEEDBACK | Task.Reason.FLIP | Task.Reason.SUSPECT | Task.Reason.CHOSEN:
            return _why_out_of_turn(task)
        case _:
            return _("Drawn at random, to keep the picture honest.")


def _why_out_of_turn(task: Task) -> str:
    if task.reason == Task.Reason.CHOSEN:
        return _("Chosen by hand: somebody who looks after this project wants it labelled.")
    if task.reason == Task.Reason.SUSPECT:
        return _("Its label may be wrong. It is not shown, so that you judge for yourself.")
    if task.reason == Task.Reason.FEEDBACK:
        return _("Users complained about the model's answer. It is not shown, so that you judge for yourself.")
    return _("A new model answers differently. Neither answer is shown, so that you judge for yourself.")


@dataclass(frozen=True)
class Standing:
    """What decides about what this person is handed."""

    paused_at: datetime | None = None
    paused_why: str = ""
    training_left: int = 0  # gold items a newcomer still meets first


# from the gold side: few tasks are gold, and a person may have many leases
_STANDING = """
SELECT m.paused_at, m.paused_why, m.trained_at IS NULL AND %(items)s > 0,
       CASE WHEN m.trained_at IS NULL AND %(items)s > 0 THEN (
           SELECT count(*) FROM annotation_task t JOIN annotation_lease l ON l.task_id = t.id
           WHERE t.project_id = %(project)s AND t.reason = 'gold'
             AND l.annotator_id = %(user)s AND l.state = 'answered') END
FROM projects_membership m WHERE m.project_id = %(project)s AND m.user_id = %(user)s
"""


def standing(project: Project, user: User) -> Standing:
    values = {"project": project.pk, "user": user.pk, "items": project.training_items}
    found = first(_STANDING, values)
    if found is None:  # a superuser without membership
        return Standing()
    paused_at, paused_why, training, had = found
    return Standing(paused_at, paused_why, max(0, project.training_items - had) if training else 0)


def projects_with_arrivals() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT p.id FROM projects_project p LEFT JOIN annotation_arrival a ON a.project_id = p.id
            WHERE p.archived_at IS NULL AND EXISTS (
                SELECT 1 FROM content_item i WHERE i.project_id = p.id AND i.id > coalesce(a.last_item, 0))
            """
        )
        return [row[0] for row in cursor.fetchall()]


def projects_with_another_overlap() -> list[Project]:
    """Those whose waiting tasks were made under other settings of overlap than they have now."""
    there = Project.objects.filter(archived_at=None, pk__in=Arrival.objects.values("project"))
    same = Arrival.objects.filter(
        project=OuterRef("pk"), overlap_share=OuterRef("overlap_share"), overlap_wanted=OuterRef("overlap_wanted")
    )
    return list(there.filter(~Exists(same)).order_by("pk"))
