"""A person's own inbox: read, and how they want mail."""

from django.db import transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.notices.models import MailPreference, Notice


@transaction.atomic
def mark_read(user: User, pk: int) -> Notice | None:
    """None when it is not this person's."""
    Notice.objects.filter(user=user, pk=pk, read_at=None).update(read_at=timezone.now())
    return Notice.objects.filter(user=user, pk=pk).first()


@transaction.atomic
def mark_all_read(user: User, *, through: int) -> int:
    """Up to the newest that was on the page: what came in meanwhile stays unread."""
    return Notice.objects.filter(user=user, read_at=None, pk__lte=through).update(read_at=timezone.now())


@transaction.atomic
def set_mail(user: User, mode: str) -> None:
    """For what is told from now on."""
    MailPreference.objects.update_or_create(user=user, defaults={"mode": mode})
    if mode == MailPreference.Mode.NONE:
        Notice.objects.filter(user=user).exclude(mail_due_at=None).update(mail_due_at=None)
