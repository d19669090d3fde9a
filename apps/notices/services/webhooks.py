"""Endpoints of a project: made, changed, given another secret, tried out."""

import uuid

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common import outbound
from apps.common.errors import DomainError, InvalidInput
from apps.common.wake import wake_on_commit
from apps.notices.models import Delivery, Event, Webhook, new_salt
from apps.notices.signing import secret_of
from apps.projects.models import Project

MOST = 20  # endpoints of a project


@transaction.atomic
def make(project: Project, by: User, *, url: str, events: list[str]) -> tuple[Webhook, str]:
    """The row and the secret, which is shown this one time."""
    Project.objects.select_for_update().get(pk=project.pk)
    if Webhook.objects.filter(project=project).count() >= MOST:
        raise DomainError(_("A project has at most %(n)d endpoints. Remove one you do not use.") % {"n": MOST})
    webhook = Webhook.objects.create(project=project, url=_checked(url), events=_known(events), by=by)
    return webhook, secret_of(webhook)


@transaction.atomic
def change(webhook: Webhook, *, url: str, events: list[str]) -> Webhook:
    webhook.url, webhook.events = _checked(url), _known(events)
    webhook.save(update_fields=["url", "events"])
    return webhook


def _checked(url: str) -> str:
    try:
        outbound.check(url)
    except (outbound.Refused, outbound.Unreachable) as refusal:
        raise InvalidInput(str(refusal), field="url") from refusal
    return url


def _known(events: list[str]) -> list[str]:
    if not events or not set(events) <= set(Event.values):
        raise InvalidInput(_("Choose at least one event from the list."), field="events")
    return sorted(set(events))


@transaction.atomic
def rotate(webhook: Webhook) -> str:
    """Another secret; what is sent from now on, tries of old deliveries too, is signed with it."""
    webhook.salt = new_salt()
    webhook.save(update_fields=["salt"])
    return secret_of(webhook)


@transaction.atomic
def set_enabled(webhook: Webhook, enabled: bool) -> Webhook:
    webhook.disabled_at = None if enabled else timezone.now()
    webhook.disabled_why, webhook.failing_since = "", None
    webhook.save(update_fields=["disabled_at", "disabled_why", "failing_since"])
    if enabled:
        wake_on_commit("notices.deliver", webhook.project_id)
    return webhook


@transaction.atomic
def remove(webhook: Webhook) -> None:
    webhook.delete()


@transaction.atomic
def try_out(webhook: Webhook) -> Delivery:
    """A delivery of the event "test", which every endpoint takes whatever it asked for."""
    if webhook.disabled_at:
        raise DomainError(_("This endpoint is switched off. Switch it on, then try it."))
    key = f"test-{uuid.uuid4().hex}"
    made = Delivery.objects.create(
        webhook=webhook, event="test", about=key, key=key, payload={"project": webhook.project.slug}
    )
    wake_on_commit("notices.deliver", webhook.project_id)
    return made


@transaction.atomic
def redeliver(delivery: Delivery) -> Delivery:
    """Once more, under the same id: a receiver that had it can tell."""
    if delivery.webhook.disabled_at:
        raise DomainError(_("This endpoint is switched off. Switch it on, then try it."))
    waiting = Delivery.State.WAITING
    moved = (
        Delivery.objects.filter(pk=delivery.pk)
        .exclude(state=waiting)
        .update(state=waiting, attempts=0, due_at=timezone.now())
    )
    if not moved:
        raise DomainError(_("It is waiting to be sent already."))
    wake_on_commit("notices.deliver", delivery.webhook.project_id)
    delivery.refresh_from_db()
    return delivery
