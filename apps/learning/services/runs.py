"""Training runs: asked for by people, claimed by one worker at a time, written to only under the newest attempt."""

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.learning.models import TrainingRun
from apps.learning.services import snapshots, wishes
from apps.learning.services.wishes import Wish
from apps.projects.models import Project

State = TrainingRun.State

STALE_AFTER = timedelta(seconds=30)  # three heartbeats missed
RESEND_AFTER = timedelta(seconds=20)  # a queued run whose message may be lost; a second message does no harm
ATTEMPTS = 3


def create(project: Project, by: User, wish: Wish) -> TrainingRun:
    """Queue a run on the labels as they stand now, or refuse before any work is done."""
    plan = wishes.plan(project, wish)
    try:
        with transaction.atomic():
            # the row first: its constraint keeps a second run out before the snapshot is copied
            run = TrainingRun.objects.create(project=project, kind=wish.kind, config=plan.config, seed=wish.seed, by=by)
            if plan.freezes:
                run.snapshot = snapshots.take(project, plan.labels, with_users=bool(plan.config.get("weak_labels")))
                run.save(update_fields=["snapshot"])
            return run
    except IntegrityError as error:
        raise wishes.one_at_a_time() from error


def cancel(run: TrainingRun) -> TrainingRun:
    """A queued run is cancelled at once; a running one as soon as its supervisor sees the wish."""
    now = timezone.now()
    mine = TrainingRun.objects.filter(pk=run.pk)
    if not (
        mine.filter(state=State.QUEUED).update(state=State.CANCELLED, finished_at=now)
        or mine.filter(state=State.RUNNING).update(state=State.CANCELLING)
        or mine.filter(state__in=[State.CANCELLING, State.CANCELLED]).exists()
    ):
        raise DomainError(_("This run has ended already; there is nothing to cancel."))
    run.refresh_from_db()
    return run


def claim(run_id: int) -> TrainingRun | None:
    """Take a queued run for this process. None: another worker was first, or it is no longer wanted."""
    taken = TrainingRun.objects.filter(pk=run_id, state=State.QUEUED).update(
        state=State.RUNNING,
        attempt=F("attempt") + 1,
        heartbeat_at=Now(),
        started_at=Coalesce("started_at", Now()),
        error="",
    )
    return TrainingRun.objects.select_related("project", "snapshot", "by").get(pk=run_id) if taken else None


def _held(run: TrainingRun) -> Q:
    """The fence: only the newest attempt may write, and only while the run goes on."""
    return Q(pk=run.pk, attempt=run.attempt, state__in=[State.RUNNING, State.CANCELLING])


def report(run: TrainingRun, **changes: Any) -> TrainingRun.State | None:
    """Heartbeat and news. Answers the state as it is now; None when the run is no longer this attempt's to write."""
    if not TrainingRun.objects.filter(_held(run)).update(heartbeat_at=Now(), **changes):
        return None
    state = TrainingRun.objects.filter(pk=run.pk).values_list("state", flat=True).first()
    return State(state) if state else None


def settle(run: TrainingRun, state: TrainingRun.State, error: str = "", **changes: Any) -> bool:
    """End this attempt's run. False when the attempt is not the newest any more."""
    return bool(TrainingRun.objects.filter(_held(run)).update(state=state, error=error, finished_at=Now(), **changes))


def hand_back(run: TrainingRun) -> bool:
    """The worker is asked to stop: another one continues from the last checkpoint."""
    held = TrainingRun.objects.filter(_held(run), state=State.RUNNING)
    return bool(held.update(state=State.QUEUED, heartbeat_at=None))


def revive() -> list[int]:
    """Runs that need a wake-up: queued ones whose message was lost, running ones whose worker died."""
    now = timezone.now()
    stale = TrainingRun.objects.filter(heartbeat_at__lt=now - STALE_AFTER)
    stale.filter(state=State.CANCELLING).update(state=State.CANCELLED, finished_at=now)
    stale.filter(state=State.RUNNING, attempt__gte=ATTEMPTS).update(
        state=State.FAILED,
        finished_at=now,
        error=_("The worker died %(n)d times during this run, so it was given up. Its log says how far it came.")
        % {"n": ATTEMPTS},
    )
    # heartbeat_at of a queued run says when it was last sent
    stale.filter(state=State.RUNNING).update(state=State.QUEUED, heartbeat_at=None)
    lost = TrainingRun.objects.filter(
        Q(heartbeat_at=None, attempt__gt=0)
        | Q(heartbeat_at=None, created_at__lt=now - RESEND_AFTER)
        | Q(heartbeat_at__lt=now - RESEND_AFTER),
        state=State.QUEUED,
    )
    ids = list(lost.values_list("pk", flat=True))
    TrainingRun.objects.filter(pk__in=ids, state=State.QUEUED).update(heartbeat_at=now)
    return ids
