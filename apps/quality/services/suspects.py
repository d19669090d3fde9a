"""Looking for label errors: a run finds doubted truths, people are asked again, what they say is followed."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from apps.accounts.models import User
from apps.annotation.models import Resolution, Task
from apps.annotation.services import values
from apps.annotation.services.asking import ask
from apps.annotation.services.deciding import decide_by_hand
from apps.common.errors import DomainError
from apps.common.wake import wake_on_commit
from apps.projects.models import Label, Project
from apps.quality.models import Suspect, SuspectRun
from apps.quality.suspect_search import LISTED, Found, search
from workers.learning.types import LearningError

State = Suspect.State
STALE_AFTER = timedelta(minutes=20)
BATCH = 20


# --- runs -------------------------------------------------------------------------------------------------
def start(project: Project) -> SuspectRun:
    if project.task_kind == Project.TaskKind.ENGAGEMENT:
        raise DomainError(_("Behaviour labels these items; there is nobody's label to doubt."))
    try:
        with transaction.atomic():
            run = SuspectRun.objects.create(project=project)
    except IntegrityError as error:
        raise DomainError(_("A look is under way already. Its list appears here.")) from error
    wake_on_commit("quality.find_suspects", run.pk)
    return run


def due() -> list[int]:
    """Runs that wait for a worker. Those whose worker is gone fail, so that somebody may start anew."""
    gone = SuspectRun.objects.filter(state=SuspectRun.State.RUNNING, heartbeat_at__lt=timezone.now() - STALE_AFTER)
    gone.update(
        state=SuspectRun.State.FAILED,
        finished_at=timezone.now(),
        error=gettext_noop("The worker stopped. Look once more."),
    )
    waiting = SuspectRun.objects.filter(state=SuspectRun.State.QUEUED, project__archived_at=None)
    return list(waiting.values_list("pk", flat=True))


def run(run_id: int) -> None:
    """One worker's whole job. The moment of claiming is the fence: a run that was given up is not written to."""
    claimed = timezone.now()
    mine = SuspectRun.objects.filter(pk=run_id, state=SuspectRun.State.QUEUED)
    if not mine.update(state=SuspectRun.State.RUNNING, heartbeat_at=claimed):
        return
    job = SuspectRun.objects.select_related("project").get(pk=run_id)
    held = SuspectRun.objects.filter(pk=run_id, state=SuspectRun.State.RUNNING, heartbeat_at=claimed)
    try:
        found = search(job.project)
    except LearningError as error:
        held.update(state=SuspectRun.State.FAILED, finished_at=timezone.now(), error=str(error))
        return
    except Exception:
        held.update(
            state=SuspectRun.State.FAILED,
            finished_at=timezone.now(),
            error=gettext_noop(
                "The server could not do this. Look once more, and tell your administrator if it stays."
            ),
        )
        raise
    with transaction.atomic():
        if held.select_for_update().exists():
            _keep(job, found)


def _keep(job: SuspectRun, found: Found) -> None:
    known = _known(job.project, found)
    doubts = [doubt for doubt in found.doubts if _key(doubt.item, doubt.label, doubt.value) not in known]
    Suspect.objects.bulk_create(
        Suspect(
            run=job,
            item_id=doubt.item,
            label_id=doubt.label,
            value=doubt.value,
            suggested_id=doubt.suggested,
            suggested_value=doubt.suggested_value,
            score=doubt.score,
            rank=place,
        )
        for place, doubt in enumerate(doubts[:LISTED], start=1)
    )
    # a new list takes the place of the old one; what people were asked about stays with its outcome
    Suspect.objects.filter(run__project=job.project, state=State.LISTED).exclude(run=job).delete()
    SuspectRun.objects.filter(pk=job.pk).update(
        state=SuspectRun.State.SUCCEEDED,
        looked_at=found.looked_at,
        flagged=len(doubts),
        finished_at=timezone.now(),
    )


def _known(project: Project, found: Found) -> set[Any]:
    """Doubts of earlier looks that people were or are being asked about: nobody is asked the same twice."""
    before = Suspect.objects.filter(
        run__project=project,
        state__in=[State.ASKED, State.RIGHT],
        asked_at__isnull=False,
        item__in=[doubt.item for doubt in found.doubts],
    )
    return {_key(*row) for row in before.values_list("item_id", "label_id", "value")}


def _key(item: int, label: int | None, value: Any) -> Any:
    return item, label, values.parts(value)


# --- asking and judging -----------------------------------------------------------------------------------
@transaction.atomic
def ask_again(project: Project, job: SuspectRun, by: User, n: int = BATCH) -> int:
    """The most doubtful ones that nobody was asked about yet go to the front of the queue. Says how many."""
    if job.stopped_at is not None:
        raise DomainError(_("You have stopped asking about this list. Go on with it first, or look anew."))
    listed = Suspect.objects.select_for_update(of=("self",)).filter(run=job, state=State.LISTED).order_by("rank")
    now = timezone.now()
    chosen = list(listed.select_related("item")[:n])
    for suspect in chosen:
        task = ask(project, suspect.item, reason=Task.Reason.SUSPECT, by=by)
        Suspect.objects.filter(pk=suspect.pk).update(state=State.ASKED, task=task, asked_at=now)
    return len(chosen)


def stop(job: SuspectRun, *, stopped: bool = True) -> None:
    SuspectRun.objects.filter(pk=job.pk).update(stopped_at=timezone.now() if stopped else None)


@transaction.atomic
def judge_right(project: Project, suspect: Suspect) -> None:
    _settle(suspect, State.RIGHT, asked=True)


@transaction.atomic
def put_right(project: Project, suspect: Suspect, by: User, answer: Mapping[str, Any]) -> None:
    """The lead decides the item; whether it was wrong follows from the answer."""
    truth = decide_by_hand(project, suspect.item, by, **answer)
    merged = _merged(project)
    _settle(suspect, State.RIGHT if _same(suspect, truth, merged) else State.WRONG, asked=True)


def take_suggestion(project: Project, suspect: Suspect, by: User) -> None:
    if suspect.suggested_value is not None:
        put_right(project, suspect, by, {"value": suspect.suggested_value})
    elif suspect.suggested is not None:
        put_right(project, suspect, by, {"label": suspect.suggested})
    else:
        raise DomainError(_("There is no suggestion to take."))


def _settle(suspect: Suspect, state: State, *, asked: bool) -> None:
    now = timezone.now()
    changes: dict[str, Any] = {"state": state, "settled_at": now}
    if asked:
        changes["asked_at"] = suspect.asked_at or now
    open_still = Suspect.objects.filter(pk=suspect.pk, state__in=[State.LISTED, State.ASKED])
    if not open_still.update(**changes):
        raise DomainError(_("This one is settled already."))


# --- following --------------------------------------------------------------------------------------------
def follow() -> int:
    """What people said in the meantime: an asked one is settled when its task is done, a listed one when its truth
    has become another by whatever way. Says how many were settled."""
    asked = Suspect.objects.filter(state=State.ASKED)
    withdrawn = asked.filter(Q(task=None) | Q(task__state=Task.State.CLOSED))
    withdrawn.update(state=State.LISTED, asked_at=None, task=None)
    done = Suspect.objects.filter(
        Q(state=State.ASKED, task__state=Task.State.DONE)
        | Q(state=State.LISTED, item__resolution__changed_at__gt=F("run__finished_at"))
    )
    settled = 0
    for suspect in done.select_related("run__project", "item__resolution").iterator(chunk_size=500):
        settled += _follow_one(suspect)
    return settled


def _follow_one(suspect: Suspect) -> bool:
    truth: Resolution | None = getattr(suspect.item, "resolution", None)
    if truth is None:
        return False  # people differ: whoever settles it settles this too
    same = _same(suspect, truth, _merged(suspect.run.project))
    if same and suspect.state == State.LISTED:
        return False
    state = State.RIGHT if same else State.WRONG
    return bool(
        Suspect.objects.filter(pk=suspect.pk, state=suspect.state).update(state=state, settled_at=timezone.now())
    )


def _merged(project: Project) -> dict[int, int]:
    """Labels that have become others: the same answer under another name is no other answer."""
    pairs = Label.objects.filter(project=project).values_list("pk", "merged_into")
    return {pk: into for pk, into in pairs if into is not None}


def _same(suspect: Suspect, truth: Resolution, merged: Mapping[int, int]) -> bool:
    if suspect.value is not None:
        return bool(_parts(suspect.value, merged) == _parts(truth.value, merged))
    return truth.label_id is not None and _now(suspect.label_id, merged) == _now(truth.label_id, merged)


def _parts(value: Any, merged: Mapping[int, int]) -> Any:
    found = values.parts(value)
    if found is None:
        return None
    return frozenset(
        (*part[:2], _now(part[2], merged)) if isinstance(part, tuple) else _now(part, merged) for part in found
    )


def _now(label: int | None, merged: Mapping[int, int]) -> int | None:
    while label is not None and label in merged:
        label = merged[label]
    return label
