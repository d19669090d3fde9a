"""Mails what is due, one letter for each person. Rows say what is owed; a letter that failed is tried again."""

from datetime import timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import ngettext

from apps.accounts.models import User
from apps.notices.models import Notice

MOST_ATTEMPTS = 8
FIRST_PAUSE = timedelta(minutes=1)  # doubles
SECONDS = 20  # for the mail server to answer
MOST_IN_ONE = 100


def send_due() -> int:
    """The number of people written to."""
    waiting = Notice.objects.filter(mail_due_at__lte=timezone.now())
    return sum(_write_to(pk) for pk in waiting.values_list("user_id", flat=True).distinct().order_by("user_id"))


@transaction.atomic
def _write_to(user_pk: int) -> bool:
    """Rows stay locked while the letter is on its way: two workers never write the same one."""
    now = timezone.now()
    due = (
        Notice.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(user=user_pk, mail_due_at__lte=now)
        .order_by("pk")
    )
    notices = list(due[:MOST_IN_ONE])
    rows = Notice.objects.filter(pk__in=[notice.pk for notice in notices])
    unread = [notice for notice in notices if notice.read_at is None]
    user = User.objects.get(pk=user_pk)
    if not unread or not user.is_active:  # seen on the page before the mail was due
        rows.update(mail_due_at=None)
        return False
    try:
        _send(user, unread)
    except (OSError, SMTPException):
        attempts = max(notice.mail_attempts for notice in notices) + 1
        later = None if attempts >= MOST_ATTEMPTS else now + FIRST_PAUSE * 2 ** (attempts - 1)
        rows.update(mail_attempts=attempts, mail_due_at=later)
        return False
    rows.update(mail_due_at=None, mailed_at=now)
    return True


def _send(user: User, notices: list[Notice]) -> None:
    with translation.override(user.told_in):
        n = len(notices)
        many = ngettext("%(n)d notice from Marginalia", "%(n)d notices from Marginalia", n) % {"n": n}
        # a line end in a subject would be another header
        subject = " ".join(notices[0].title.split()) if n == 1 else many
        text = render_to_string("notices/mail.txt", {"notices": notices, "base": settings.PUBLIC_URL})
    mail = EmailMessage(subject, text, to=[user.email], connection=get_connection(timeout=SECONDS))
    mail.send()
