"""The two ways in: `tell` people, `publish` to the host product. Both only write rows, in the caller's transaction."""

import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone, translation

from apps.accounts.models import User
from apps.common.wake import wake_on_commit
from apps.notices.models import Delivery, Event, MailPreference, Notice, Webhook
from apps.projects.models import Project

DIGEST_HOUR = 8  # of the installation's day
Words = str | Callable[[], str]  # a function is called in the language of each reader


@transaction.atomic
def tell(
    users: Iterable[User],
    *,
    project: Project | None,
    kind: str,
    title: Words,
    body: Words = "",
    url: str = "",
    key: str = "",
) -> None:
    """One notice for each of `users`. The same `key` again is the same notice; without a key every call is news."""
    people = {user.pk: user for user in users if user.is_active}
    modes = dict(MailPreference.objects.filter(user__in=people).values_list("user_id", "mode"))
    key, now = key or uuid.uuid4().hex, timezone.now()
    rows = [
        Notice(
            user=user,
            project=project,
            kind=kind,
            title=_said(title, user)[:300],
            body=_said(body, user),
            url=url,
            key=key,
            at=now,
            mail_due_at=_mail_due(modes.get(user.pk, MailPreference.Mode.DAILY), now),
        )
        for user in people.values()
    ]
    Notice.objects.bulk_create(rows, ignore_conflicts=True)


def unsay(users: Iterable[User], *, key: str) -> None:
    """What is no longer so, where nobody has read it or had it by mail yet. Nobody is told of that."""
    Notice.objects.filter(user__in=[user.pk for user in users], key=key, read_at=None, mailed_at=None).delete()


def _said(words: Words, user: User) -> str:
    with translation.override(user.told_in):
        return str(words() if callable(words) else words)


def _mail_due(mode: str, now: datetime) -> datetime | None:
    if mode == MailPreference.Mode.NONE:
        return None
    return now if mode == MailPreference.Mode.AT_ONCE else next_digest(now)


def next_digest(now: datetime) -> datetime:
    local = timezone.localtime(now)
    today = local.replace(hour=DIGEST_HOUR, minute=0, second=0, microsecond=0)
    return today if today > local else today + timedelta(days=1)


@transaction.atomic
def publish(project: Project, event: str, payload: Mapping[str, Any], *, key: str, about: str = "") -> None:
    """A delivery for every endpoint of the project that asked for `event`.

    The same `key` again is the same delivery. Deliveries about the same thing arrive in the order in which they were
    published; without `about` that is the event's noun with the payload's number or id ("ticket 12").
    """
    assert event in Event.values, f"{event} is no event that an endpoint can ask for"  # noqa: S101
    about = about or " ".join(str(part) for part in (event.partition(".")[0], _identity(payload)) if part)
    endpoints = list(Webhook.objects.filter(project=project, disabled_at=None, events__contains=[event]))
    Delivery.objects.bulk_create(
        [
            Delivery(
                webhook=webhook, event=event, about=about[:100], key=key or uuid.uuid4().hex, payload=dict(payload)
            )
            for webhook in endpoints
        ],
        ignore_conflicts=True,
    )
    if endpoints:
        wake_on_commit("notices.deliver", project.pk)


def _identity(payload: Mapping[str, Any]) -> Any:
    return next((payload[name] for name in ("number", "ticket", "id", "version") if payload.get(name)), "")
