"""Maps as jobs: asked for by people or by beat, drawn by one worker, written to only under the newest attempt."""

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.explore import map_files, map_queries
from apps.explore.models import Projection
from apps.learning.models import Encoding
from apps.projects.models import Project

State = Projection.State

STALE_AFTER = timedelta(seconds=60)
RESEND_AFTER = timedelta(seconds=30)  # a queued map whose message may be lost; a second message does no harm
ATTEMPTS = 3
LEAST = 10  # texts: fewer are read, not looked at from above
KEPT = 5  # maps of a project whose files stay: saved views refer to areas of them
AGAIN = timedelta(hours=1)  # between two maps that nobody asked for
GROWN = 1.5  # times as many texts make a new map worth its while


class Superseded(DomainError):
    """Another worker has taken this map; what this one computed is not written."""


def ask(project: Project, by: User | None) -> Projection:
    vectors = map_queries.encoding(project)
    if vectors is None or vectors.done < LEAST:
        raise DomainError(
            _("A map needs the vectors of at least %(n)d texts. They are computed once content is there.")
            % {"n": LEAST}
        )
    try:
        with transaction.atomic():
            return Projection.objects.create(project=project, by=by, encoder_digest=vectors.encoder_digest)
    except IntegrityError as error:
        raise DomainError(_("A map is being drawn already. It appears here when it is done.")) from error


def ask_due() -> list[int]:
    """Queue a map for projects whose vectors are complete and that have none, or have grown far beyond theirs."""
    asked = []
    for vectors in Encoding.objects.filter(project__archived_at=None, done__gte=LEAST, error="").select_related(
        "project"
    ):
        if vectors.encoder_digest and _is_due(vectors):
            try:
                asked.append(ask(vectors.project, None).pk)
            except DomainError:  # a person was quicker
                continue
    return asked


def _is_due(vectors: Encoding) -> bool:
    last = map_queries.latest_try(vectors.project)
    if last is not None and (last.state in {State.QUEUED, State.RUNNING} or last.created_at > timezone.now() - AGAIN):
        return False
    if vectors.through_item < map_queries.newest_item(vectors.project):
        return False
    if last is None or last.encoder_digest != vectors.encoder_digest:
        return True
    return last.state == State.SUCCEEDED and vectors.done > GROWN * last.total


def claim(pk: int) -> Projection | None:
    taken = Projection.objects.filter(pk=pk, state=State.QUEUED).update(
        state=State.RUNNING, attempt=F("attempt") + 1, heartbeat_at=Now(), error="", progress=0
    )
    return Projection.objects.select_related("project").get(pk=pk) if taken else None


def report(held: Projection, progress: float | None = None) -> bool:
    """Heartbeat. False when the map is no longer this attempt's to write."""
    changes: dict[str, Any] = {} if progress is None else {"progress": progress}
    return bool(_held(held).update(heartbeat_at=Now(), **changes))


def fail(held: Projection, error: str) -> bool:
    return bool(_held(held).update(state=State.FAILED, error=error, finished_at=Now()))


def finish(held: Projection, **found: Any) -> bool:
    """`found`: file, n, total, quality, regions, seconds."""
    with transaction.atomic():
        written = _held(held).update(state=State.SUCCEEDED, finished_at=Now(), progress=1, **found)
        kept = Projection.objects.filter(project=held.project_id, state=State.SUCCEEDED).exclude(file="")
        names = list(kept.order_by("-pk").values_list("file", flat=True)[KEPT:]) if written else []
        Projection.objects.filter(file__in=names).update(file="")
    for name in names:
        map_files.remove(name)
    return bool(written)


def _held(held: Projection) -> Any:
    return Projection.objects.filter(pk=held.pk, attempt=held.attempt, state=State.RUNNING)


def revive() -> list[int]:
    """Maps that need a wake-up: queued ones whose message was lost, running ones whose worker died."""
    now = timezone.now()
    stale = Projection.objects.filter(state=State.RUNNING, heartbeat_at__lt=now - STALE_AFTER)
    stale.filter(attempt__gte=ATTEMPTS).update(
        state=State.FAILED,
        finished_at=now,
        error=_("The worker died %(n)d times while it drew this map, so it was given up.") % {"n": ATTEMPTS},
    )
    stale.update(state=State.QUEUED, heartbeat_at=None)
    # heartbeat_at of a queued map says when it was last sent
    lost = Projection.objects.filter(
        Q(heartbeat_at=None, attempt__gt=0)
        | Q(heartbeat_at=None, created_at__lt=now - RESEND_AFTER)
        | Q(heartbeat_at__lt=now - RESEND_AFTER),
        state=State.QUEUED,
    )
    ids = list(lost.values_list("pk", flat=True))
    Projection.objects.filter(pk__in=ids, state=State.QUEUED).update(heartbeat_at=now)
    return ids
