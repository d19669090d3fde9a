"""Looks at every rule once an hour and raises what is there to raise, once."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.notices.services.telling import publish, tell
from apps.projects.models import Label, Role
from apps.trends import series, wording
from apps.trends.models import Alarm, AlarmMove, AlarmRule
from apps.trends.series import Counts, Hourly
from workers.learning.monitor import cusum
from workers.learning.monitor.silence import silence

LATE = timedelta(minutes=5)  # by then an hour that is over has been counted
RECENT = timedelta(hours=24)  # what a new rule finds in its past is told only if it is as new as that
SHOWN = 7 * 24  # hours of evidence kept with an alarm
SUSPECT = 1.0  # of the log-likelihood ratio against a flat baseline: below, no chart can be near its threshold
CALM = 24  # hours without a sign of it after which an alarm closes by itself


@dataclass(frozen=True)
class Finding:
    label: int | None
    at: int
    onset: int
    evidence: dict[str, Any]


def look_all(now: datetime | None = None) -> None:
    until = (now or timezone.now() - LATE).replace(minute=0, second=0, microsecond=0)
    due = AlarmRule.objects.filter(removed_at=None, project__archived_at=None).exclude(stream=AlarmRule.Stream.CONTENT)
    for rule in due.exclude(checked_through__gte=until).select_related("project", "label"):
        look(rule, until)
    wake(until)


def look(rule: AlarmRule, until: datetime) -> None:
    """Judges the whole hours before `until`."""
    hourly = series.of_rule(rule, until)
    findings, state = _findings(rule, hourly) if hourly else ([], _("Nothing came yet."))
    since = rule.checked_through or until - RECENT
    for found in findings:
        if hourly and hourly.time(found.at) >= since:
            raise_alarm(rule, hourly, found)
    # what could not be judged yet is looked at again, and its last day told then
    AlarmRule.objects.filter(pk=rule.pk).update(checked_through=None if state else until, state=state[:200])


def _findings(rule: AlarmRule, hourly: Hourly) -> tuple[list[Finding], str]:
    if rule.stream not in AlarmRule.SHARES:
        return _silences(rule, hourly)
    if not hourly.hits:
        return [], _("Say first which labels are negative, on the page “Public opinion”.")
    if len(hourly.n) <= cusum.LEARN_WEEK:
        days = (len(hourly.n)) // 24
        return [], _("Learning the week: %(days)d of 14 days.") % {"days": days}
    design = cusum.Design(
        up=rule.direction == AlarmRule.Direction.UP,
        false_alarms_per_month=30 / rule.patience,
        streams=len(hourly.hits),
    )
    findings = []
    for label, hits in hourly.hits.items():
        open_one = Alarm.objects.filter(rule=rule, label=label).exclude(state=Alarm.State.CLOSED).first()
        if open_one is None and not _suspect(hourly.n, hits, design):
            continue
        path = _path(rule, hourly, label, design)
        if open_one:
            _close_if_calm(open_one, path)
        elif path.alarms:
            newest = path.alarms[-1]
            findings.append(Finding(label, newest.at, newest.onset, evidence(hourly, hits, path, newest.at)))
    return findings, ""


def _path(rule: AlarmRule, hourly: Hourly, label: int | None, design: cusum.Design) -> cusum.Path:
    closed = Alarm.objects.filter(rule=rule, label=label).exclude(closed_at=None).values_list("closed_at", flat=True)
    return cusum.watch(
        hourly.first,
        hourly.n,
        hourly.hits[label],
        design,
        releases=series.releases(rule.project_id, hourly),
        resets=[hourly.index(at) for at in closed if at],
        seed=rule.pk,
    )


def _suspect(n: Counts, hits: Counts, design: cusum.Design) -> bool:
    """Whether the last week, from any hour on, looks more like the change than like the whole series."""
    share = np.clip(np.array([hits.sum() / max(int(n.sum()), 1)]), 0.002, 0.98)
    hit, miss = cusum.steps(share, design.shift)
    recent = (hits[-SHOWN:] * hit[0] + (n[-SHOWN:] - hits[-SHOWN:]) * miss[0])[::-1].cumsum()
    return bool(recent.max() > SUSPECT)


def evidence(hourly: Hourly, hits: Counts, path: cusum.Path, at: int) -> dict[str, Any]:
    part = slice(max(0, at + 1 - SHOWN), at + 1)
    return {
        "first": hourly.time(part.start).isoformat(),
        "n": hourly.n[part].tolist(),
        "k": hits[part].tolist(),
        "expected": [None if np.isnan(x) else round(float(x), 4) for x in path.expected[part]],
        "score": [round(float(x), 2) for x in path.score[part]],
        "threshold": [None if np.isnan(x) else round(float(x), 2) for x in path.threshold[part]],
    }


def _close_if_calm(alarm: Alarm, path: cusum.Path) -> None:
    if path.armed and len(path.score) > CALM and float(path.score[-CALM:].max()) == 0.0:
        close_by_itself(alarm)


def _silences(rule: AlarmRule, hourly: Hourly) -> tuple[list[Finding], str]:
    run_length = cusum.SAFETY * 24 * rule.patience
    found = silence(hourly.first, hourly.n, run_length)
    if found is None:
        return [], _("Learning how much usually comes: three days.")
    open_one = Alarm.objects.filter(rule=rule, label=None).exclude(state=Alarm.State.CLOSED).first()
    if open_one and not found.stopped:
        close_by_itself(open_one)
    if not found.stopped:
        return [], ""
    at = len(hourly.n) - 1
    part = slice(max(0, at + 1 - SHOWN), at + 1)
    shown = {"first": hourly.time(part.start).isoformat(), "n": hourly.n[part].tolist()}
    return [Finding(None, at, at + 1 - found.hours, shown | {"missing": round(found.expected, 1)})], ""


@transaction.atomic
def raise_alarm(rule: AlarmRule, hourly: Hourly | None, found: Finding, onset: datetime | None = None) -> Alarm | None:
    """None where one is open already. The inbox, mail and webhooks are told in the same transaction."""
    at = hourly.time(found.at) if hourly else timezone.now()
    began = hourly.time(found.onset) if hourly else onset or at
    try:
        with transaction.atomic():
            alarm = Alarm.objects.create(
                rule=rule, project=rule.project, label_id=found.label, onset=began, hour=at, evidence=found.evidence
            )
    except IntegrityError:
        return None
    AlarmMove.objects.create(alarm=alarm, action=AlarmMove.Action.RAISE)
    alarm.label = Label.objects.filter(pk=found.label).first() if found.label else None
    url = reverse("alarm", args=[rule.project.slug, alarm.pk])
    if rule.to_inbox:
        tell(
            managers(rule),
            project=rule.project,
            kind="alarm",
            title=lambda: f"{rule.project.name}: {wording.title(alarm)}",
            body=lambda: wording.sentence(alarm),
            url=url,
            key=f"alarm-{alarm.pk}",
        )
    if rule.to_webhook:
        publish(rule.project, "alarm.raised", payload(alarm), key=f"alarm-{alarm.pk}", about=f"alarm {alarm.pk}")
    return alarm


def managers(rule: AlarmRule) -> list[User]:
    roles = [Role.PRODUCT_MANAGER, Role.ADMINISTRATOR]
    return list(User.objects.filter(memberships__project=rule.project_id, memberships__role__in=roles, is_active=True))


def payload(alarm: Alarm) -> dict[str, Any]:
    return {
        "id": alarm.pk,
        "stream": alarm.rule.stream,
        "direction": alarm.rule.direction,
        "label": alarm.label.name if alarm.label else None,
        "onset": alarm.onset.isoformat(),
        "hour": alarm.hour.isoformat(),
        **wording.figures(alarm),
    }


@transaction.atomic
def close_by_itself(alarm: Alarm) -> None:
    rows = Alarm.objects.filter(pk=alarm.pk).exclude(state=Alarm.State.CLOSED)
    if rows.update(state=Alarm.State.CLOSED, closed_at=timezone.now()):
        AlarmMove.objects.create(alarm=alarm, action=AlarmMove.Action.CLOSE, note=_("Back to what is usual."))


@transaction.atomic
def wake(now: datetime) -> None:
    due = Alarm.objects.filter(state=Alarm.State.SNOOZED, snoozed_until__lte=now)
    for alarm in due.select_for_update(skip_locked=True, of=("self",)):
        Alarm.objects.filter(pk=alarm.pk).update(state=Alarm.State.RAISED, snoozed_until=None)
        AlarmMove.objects.create(alarm=alarm, action=AlarmMove.Action.WAKE)
