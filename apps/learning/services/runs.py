"""Training runs: asked for by people, claimed by one worker at a time, written to only under the newest attempt."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.learning import queries
from apps.learning.models import TrainingRun
from apps.learning.queries import LabelCount
from apps.learning.services import snapshots
from apps.projects.models import Project
from apps.registry.models import ModelVersion

Kind = ModelVersion.Kind
State = TrainingRun.State

LEAST_EXAMPLES = {Kind.HEAD: 10, Kind.TRANSFORMER: 40}
STALE_AFTER = timedelta(seconds=30)  # three heartbeats missed
RESEND_AFTER = timedelta(seconds=20)  # a queued run whose message may be lost; a second message does no harm
ATTEMPTS = 3
NAMED = 5  # labels named in a refusal before "and 12 more"
CHAR_NGRAMS = "char-ngrams"


@dataclass(frozen=True, slots=True)
class Wish:
    kind: ModelVersion.Kind
    encoder: str
    seed: int = 0
    epochs: int | None = None
    learning_rate: float | None = None
    leave_out: bool = False  # labels without an example
    config: dict[str, Any] = field(default_factory=dict)  # what differs from the defaults: epochs, trials …
    sources: tuple[ModelVersion, ...] = ()  # versions to go on from, to make smaller, to join


@dataclass(frozen=True, slots=True)
class Advice:
    kind: ModelVersion.Kind
    epochs: int
    learning_rate: float
    why: str


def advise(n_examples: int) -> Advice:
    """What the form proposes for this many examples, and why."""
    epochs = next(epochs for least, epochs in ((10_000, 3), (2_000, 5), (300, 8), (0, 12)) if n_examples >= least)
    values = {"n": n_examples, "epochs": epochs}
    if n_examples < 2_000:
        kind, why = (
            Kind.HEAD,
            _(
                "With %(n)d examples a published head is the better bet: it learns in seconds, and small sets do not "
                "feed a transformer. If you fine-tune one all the same, %(epochs)d epochs make up for the few examples."
            ),
        )
    else:
        kind, why = (
            Kind.TRANSFORMER,
            _(
                "With %(n)d examples there is enough to fine-tune the transformer; %(epochs)d epochs see every example "
                "often enough."
            ),
        )
    return Advice(kind, epochs, 1e-4, why % values)


def create(project: Project, by: User, wish: Wish) -> TrainingRun:
    """Queue a run on the labels as they stand now, or refuse before any work is done."""
    counts = queries.label_counts(project)
    taught = _refuse_hopeless(project, counts, wish)
    advice = advise(sum(count.n for count in taught))
    config = {
        "encoder": wish.encoder,
        "epochs": wish.epochs or advice.epochs,
        "learning_rate": wish.learning_rate or advice.learning_rate,
        "left_out": [count.label.name for count in counts if not count.n],
        "labels": [[count.label.pk, count.label.name] for count in taught],
    }
    try:
        with transaction.atomic():
            # the row first: its constraint keeps a second run out before the snapshot is copied
            run = TrainingRun.objects.create(project=project, kind=wish.kind, config=config, seed=wish.seed, by=by)
            run.snapshot = snapshots.take(project, [count.label for count in taught])
            run.save(update_fields=["snapshot"])
            return run
    except IntegrityError as error:
        raise _one_at_a_time() from error


def _refuse_hopeless(project: Project, counts: list[LabelCount], wish: Wish) -> list[LabelCount]:
    if project.task_kind != Project.TaskKind.SINGLE:
        raise DomainError(_("Only projects with one label per text can be trained so far."))
    if wish.kind == Kind.TRANSFORMER and wish.encoder == CHAR_NGRAMS:
        raise InvalidInput(_("Character n-grams are no transformer: choose a published head."), field="encoder")
    if queries.live_run(project):
        raise _one_at_a_time()
    taught = [count for count in counts if count.n]
    if len(taught) < 2:
        raise DomainError(
            _("A model needs examples of at least two labels; so far %(n)d has some. Label more content first.")
            % {"n": len(taught)}
        )
    n, least = sum(count.n for count in taught), LEAST_EXAMPLES[wish.kind]
    if n < least:
        raise DomainError(
            _("%(kind)s needs at least %(least)d labelled examples; there are %(n)d. Label %(more)d more first.")
            % {"kind": wish.kind.label, "least": least, "n": n, "more": least - n}
        )
    missing = [count.label.name for count in counts if not count.n]
    if missing and not wish.leave_out:
        raise InvalidInput(
            ngettext(
                "No example yet of %(names)s. Label one, or tick “leave these labels out”: the model will then "
                "never answer with it.",
                "No example yet of %(names)s. Label some, or tick “leave these labels out”: the model will then "
                "never answer with them.",
                len(missing),
            )
            % {"names": _enumerated(missing)},
            field="leave_out",
        )
    return taught


def _enumerated(names: list[str]) -> str:
    shown = ", ".join(f"“{name}”" for name in names[:NAMED])
    rest = len(names) - NAMED
    return shown if rest <= 0 else _("%(names)s and %(rest)d more") % {"names": shown, "rest": rest}


def _one_at_a_time() -> DomainError:
    return DomainError(_("Another run of this project is still going. Wait for it or cancel it first."))


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
