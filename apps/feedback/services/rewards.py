"""Points for contributors. Beat credits what the rules allow, once for each signal and outcome, and takes spam back.

A contribution counts on the day it came in, so a rule's cap holds whenever it is looked at. What people decided is left
alone for a few minutes first: they may undo it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.common.rows import rows
from apps.feedback.models import FeedbackPolicy, RewardEntry, RewardRule, Signal
from apps.notices.services.telling import publish
from apps.projects.models import Project

Kind, Outcome = Signal.Kind, RewardRule.Outcome
KINDS = (Kind.THUMB, Kind.RATING, Kind.LABEL, Kind.SPANS, Kind.COMMENT, Kind.ANSWER)
WITHOUT_TICKET = (Kind.ANSWER,)  # nothing that could prove right
# kind -> points for sent, right, fixed; contributions of a person that count in a day
DEFAULTS: dict[str, tuple[int, int, int, int]] = {
    Kind.THUMB: (1, 5, 10, 5),
    Kind.RATING: (1, 0, 0, 5),
    Kind.LABEL: (2, 10, 20, 10),
    Kind.SPANS: (3, 10, 20, 10),
    Kind.COMMENT: (1, 5, 10, 5),
    Kind.ANSWER: (2, 0, 0, 3),
}
MOST_POINTS, MOST_A_DAY = 100_000, 1_000
SETTLED = timedelta(minutes=10)  # after which a decision is taken for meant
LOOKED_BACK = timedelta(days=7)  # for what was sent
DECIDED_BACK = timedelta(days=60)  # for what was decided
BATCH = 500

_CAPPED = """
already AS (
    SELECT e.subject, (s.received_at AT TIME ZONE 'UTC')::date AS day, count(*) AS n
    FROM feedback_rewardentry e JOIN feedback_signal s ON s.id = e.signal_id
    WHERE e.project_id = %(project)s AND e.outcome = %(outcome)s AND e.points > 0 AND s.kind = %(kind)s
      AND e.subject IN (SELECT subject FROM waiting)
    GROUP BY 1, 2
), placed AS (
    SELECT w.*, coalesce(a.n, 0) + row_number() OVER (PARTITION BY w.subject, w.day ORDER BY w.id) AS place
    FROM waiting w LEFT JOIN already a USING (subject, day)
)
SELECT id, subject, event, ticket_id FROM placed WHERE place <= %(per_day)s ORDER BY id LIMIT %(batch)s
"""
_WAITING = """
WITH waiting AS (
    SELECT s.id, s.subject, s.event, s.ticket_id, (s.received_at AT TIME ZONE 'UTC')::date AS day
    FROM feedback_signal s {joined}
    WHERE s.project_id = %(project)s AND s.kind = %(kind)s AND s.subject <> '' AND s.received_at >= %(since)s
      AND {condition}
      AND NOT EXISTS (
          SELECT 1 FROM feedback_rewardentry e
          WHERE e.signal_id = s.id AND e.outcome = %(outcome)s AND e.points > 0
      )
), """
_SENT = _WAITING.format(
    joined="",
    condition="s.received_at >= %(recent)s AND s.received_at < %(settled)s AND s.state IN ('grouped', 'kept')",
)
# a signal of a duplicate shares the fate of the ticket that it is a duplicate of
_DECIDED = _WAITING.format(
    joined="""JOIN feedback_ticket own ON own.id = s.ticket_id
        JOIN feedback_ticket t ON t.id = CASE own.state WHEN 'duplicate' THEN own.duplicate_of_id ELSE own.id END""",
    condition="""t.project_id = %(project)s AND t.state = ANY(%(states)s) AND t.state_at < %(settled)s
      AND t.state_at >= %(decided)s AND s.state = 'grouped' AND s.polarity < 0
      AND NOT EXISTS (
          SELECT 1 FROM feedback_regressioncase c WHERE c.ticket_id = t.id AND c.label_id <> s.wanted_id
      )""",
)
_SPAM = """
SELECT e.id FROM feedback_rewardentry e
JOIN feedback_signal s ON s.id = e.signal_id
LEFT JOIN feedback_ticket own ON own.id = s.ticket_id
LEFT JOIN feedback_ticket t ON t.id = CASE own.state WHEN 'duplicate' THEN own.duplicate_of_id ELSE own.id END
WHERE e.project_id = %(project)s AND e.points > 0
  AND (s.state = 'aside' OR (t.state = 'dismissed' AND t.dismissal = 'spam' AND t.state_at < %(settled)s))
  AND NOT EXISTS (
      SELECT 1 FROM feedback_rewardentry b WHERE b.signal_id = e.signal_id AND b.outcome = e.outcome AND b.points < 0
  )
ORDER BY e.id LIMIT %(batch)s
"""
_STATES = {Outcome.RIGHT: ["confirmed", "fixed", "regressed"], Outcome.FIXED: ["fixed"]}


@dataclass(frozen=True, slots=True)
class Done:
    granted: int = 0
    taken_back: int = 0

    @property
    def full(self) -> bool:
        """There may be more to do."""
        return self.granted >= BATCH or self.taken_back >= BATCH


def projects_with_rewards() -> list[int]:
    on = FeedbackPolicy.objects.filter(rewards=True, project__archived_at=None)
    return list(on.values_list("project_id", flat=True))


@transaction.atomic
def credit(project: Project, now: datetime | None = None) -> Done:
    """A batch for each rule and of what turned out to be spam. Doing it again does nothing."""
    policy = FeedbackPolicy.objects.select_for_update().filter(project=project, rewards=True).first()
    if policy is None:
        return Done()
    now = now or timezone.now()
    granted = 0
    for rule in RewardRule.objects.filter(project=project, points__gt=0).order_by("kind", "outcome"):
        granted = max(granted, _grant(project, rule, now))
    return Done(granted, _take_back(project, now))


def _grant(project: Project, rule: RewardRule, now: datetime) -> int:
    sql = _SENT if rule.outcome == Outcome.SENT else _DECIDED
    found = rows(
        sql + _CAPPED,
        {
            "project": project.pk,
            "kind": rule.kind,
            "outcome": rule.outcome,
            "per_day": rule.per_day,
            "since": rule.since,
            "recent": now - LOOKED_BACK,
            "settled": now - SETTLED,
            "decided": now - DECIDED_BACK,
            "states": _STATES.get(Outcome(rule.outcome), []),
            "batch": BATCH,
        },
    )
    entries = [
        RewardEntry(
            project=project,
            subject=subject,
            points=rule.points,
            outcome=rule.outcome,
            signal_id=signal,
            ticket_id=ticket,
            at=now,
        )
        for signal, subject, _event, ticket in found
    ]
    RewardEntry.objects.bulk_create(entries)
    events = {signal: event for signal, _subject, event, _ticket in found}
    _publish(project, entries, {entry.pk: (events[entry.signal_id], rule.kind) for entry in entries if entry.signal_id})
    return len(entries)


def _take_back(project: Project, now: datetime) -> int:
    values = {"project": project.pk, "settled": now - SETTLED, "batch": BATCH}
    found = RewardEntry.objects.filter(pk__in=[pk for (pk,) in rows(_SPAM, values)]).select_related("signal")
    pairs = [
        (
            old.signal,
            RewardEntry(
                project=project,
                subject=old.subject,
                points=-old.points,
                outcome=old.outcome,
                signal=old.signal,
                ticket_id=old.ticket_id,
                why="spam",
                at=now,
            ),
        )
        for old in found
    ]
    entries = RewardEntry.objects.bulk_create([entry for _signal, entry in pairs])
    about = {entry.pk: (signal.event, signal.kind) for signal, entry in pairs if signal}
    _publish(project, entries, about)
    return len(entries)


def _publish(project: Project, entries: Sequence[RewardEntry], about: Mapping[int, tuple[str, str]]) -> None:
    """The host knows its own event; our pseudonym tells it nothing unless it asked for the balance before."""
    if not entries:
        return
    people = {entry.subject for entry in entries}
    sums = RewardEntry.objects.filter(project=project, subject__in=people).order_by().values_list("subject")
    balances = dict(sums.annotate(sum=Sum("points")))
    for entry in entries:
        event, kind = about[entry.pk]
        payload = {
            "id": entry.pk,
            "event": event,
            "subject": entry.subject,
            "kind": kind,
            "outcome": entry.outcome,
            "points": entry.points,
            "balance": balances[entry.subject],
            "at": entry.at.isoformat(),
        }
        publish(project, "reward.granted", payload, key=f"reward-{entry.pk}", about=f"reward {entry.subject}")


# --- rules ---------------------------------------------------------------------------------------------------


@transaction.atomic
def switch(project: Project, on: bool) -> None:
    """Off, nothing is credited and nothing is lost. On again, what came in between earns as the rules say."""
    FeedbackPolicy.objects.update_or_create(project=project, defaults={"rewards": on})
    if on and not RewardRule.objects.filter(project=project).exists():
        set_rules(project, {kind: Worth(*worth) for kind, worth in DEFAULTS.items()})


@dataclass(frozen=True, slots=True)
class Worth:
    """What one kind of contribution earns; 0 is no rule."""

    sent: int
    right: int
    fixed: int
    per_day: int


@transaction.atomic
def set_rules(project: Project, worth: Mapping[str, Worth]) -> None:
    Project.objects.select_for_update().get(pk=project.pk)
    for kind, one in worth.items():
        _refuse_strange(kind, one)
        for outcome in Outcome:
            points = getattr(one, outcome)
            rule = RewardRule.objects.filter(project=project, kind=kind, outcome=outcome)
            if not points:
                rule.delete()
            elif not rule.update(points=points, per_day=one.per_day):
                RewardRule.objects.create(
                    project=project, kind=kind, outcome=outcome, points=points, per_day=one.per_day
                )


def _refuse_strange(kind: str, one: Worth) -> None:
    if kind not in KINDS:
        raise InvalidInput(_("No points can be given for this."), field=kind)
    if kind in WITHOUT_TICKET and (one.right or one.fixed):
        raise InvalidInput(_("A survey answer cannot prove right: only sending it can earn points."), field=kind)
    if not all(0 <= points <= MOST_POINTS for points in (one.sent, one.right, one.fixed)):
        raise InvalidInput(_("Points are a whole number from 0 to %(n)d.") % {"n": MOST_POINTS}, field=kind)
    if not 1 <= one.per_day <= MOST_A_DAY:
        raise InvalidInput(_("In a day, 1 to %(n)d contributions may count.") % {"n": MOST_A_DAY}, field=kind)


def worth(project: Project) -> dict[str, Worth]:
    """The rules as a table; the defaults' daily number where there is no rule."""
    found: dict[str, dict[str, Any]] = {
        kind: {"sent": 0, "right": 0, "fixed": 0, "per_day": DEFAULTS[kind][3]} for kind in KINDS
    }
    for rule in RewardRule.objects.filter(project=project, kind__in=KINDS):
        found[rule.kind] |= {rule.outcome: rule.points, "per_day": rule.per_day}
    return {kind: Worth(**fields) for kind, fields in found.items()}
