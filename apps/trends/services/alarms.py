"""What people do about alarms, and the rules that raise them."""

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.projects.models import Label, Project
from apps.trends.models import Alarm, AlarmMove, AlarmRule

State, Action = Alarm.State, AlarmMove.Action
MOST_RULES = 30


def acknowledge(alarm: Alarm, by: User) -> Alarm:
    return _move(alarm, by, Action.ACKNOWLEDGE, (State.RAISED, State.SNOOZED), state=State.ACKNOWLEDGED)


def snooze(alarm: Alarm, by: User, *, hours: int) -> Alarm:
    """Quiet for so long; it wakes if it is still on by then."""
    if not 1 <= hours <= 24 * 30:
        raise InvalidInput(_("Snooze for an hour at least and thirty days at most."), field="hours")
    until = timezone.now() + timedelta(hours=hours)
    allowed = (State.RAISED, State.ACKNOWLEDGED)
    return _move(alarm, by, Action.SNOOZE, allowed, state=State.SNOOZED, until=until, note=f"{hours} h")


def close(alarm: Alarm, by: User, *, note: str = "") -> Alarm:
    """The chart begins anew from here."""
    allowed = (State.RAISED, State.ACKNOWLEDGED, State.SNOOZED)
    return _move(alarm, by, Action.CLOSE, allowed, state=State.CLOSED, note=note)


@transaction.atomic
def _move(
    alarm: Alarm,
    by: User,
    action: str,
    allowed: tuple[str, ...],
    *,
    state: str,
    until: datetime | None = None,
    note: str = "",
) -> Alarm:
    closed_at = timezone.now() if state == State.CLOSED else None
    rows = Alarm.objects.filter(pk=alarm.pk, state__in=allowed)
    if not rows.update(state=state, snoozed_until=until, closed_at=closed_at):
        raise DomainError(_("Somebody was faster: the alarm is in another state by now. Look at it again."))
    AlarmMove.objects.create(alarm=alarm, action=action, by=by, note=note[:300])
    alarm.refresh_from_db()
    return alarm


_DIRECTIONS = {
    AlarmRule.Stream.SERVED: (AlarmRule.Direction.STOPS,),
    AlarmRule.Stream.SIGNALS: (AlarmRule.Direction.STOPS,),
    AlarmRule.Stream.CONTENT: (AlarmRule.Direction.CHANGES,),
}
_OF_SHARES = (AlarmRule.Direction.UP, AlarmRule.Direction.DOWN)


@transaction.atomic
def make_rule(
    project: Project,
    by: User | None,
    *,
    stream: str,
    direction: str,
    label: Label | None = None,
    patience: int = AlarmRule.Patience.USUAL,
    to_inbox: bool = True,
    to_webhook: bool = True,
) -> AlarmRule:
    Project.objects.select_for_update().get(pk=project.pk)
    if AlarmRule.objects.filter(project=project, removed_at=None).count() >= MOST_RULES:
        raise DomainError(_("A project has at most %(n)d rules. Remove one that nobody needs.") % {"n": MOST_RULES})
    if direction not in _DIRECTIONS.get(AlarmRule.Stream(stream), _OF_SHARES):
        sentence = _("Shares rise or fall, streams stop coming, and what texts are about changes. Choose what fits.")
        raise InvalidInput(sentence, field="direction")
    if stream == AlarmRule.Stream.LABEL and label is None:
        raise InvalidInput(_("Choose the label whose share is watched."), field="label")
    try:
        with transaction.atomic():
            return AlarmRule.objects.create(
                project=project,
                by=by,
                stream=stream,
                direction=direction,
                label=label if stream == AlarmRule.Stream.LABEL else None,
                patience=patience,
                to_inbox=to_inbox,
                to_webhook=to_webhook,
            )
    except IntegrityError as error:
        raise DomainError(_("There is such a rule already.")) from error


@transaction.atomic
def remove_rule(rule: AlarmRule, by: User) -> None:
    """Its alarms stay in the history; open ones are closed."""
    if not AlarmRule.objects.filter(pk=rule.pk, removed_at=None).update(removed_at=timezone.now()):
        raise DomainError(_("The rule is removed already."))
    for alarm in Alarm.objects.filter(rule=rule).exclude(state=State.CLOSED):
        close(alarm, by, note=_("The rule was removed."))
