"""Notices by e-mail: from rows, one letter for each person, tried again when the mail server is away."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from apps.accounts.models import User
from apps.notices.models import MailPreference, Notice
from apps.notices.services import mailing, reading
from apps.notices.services.telling import tell
from apps.projects.models import Project

pytestmark = pytest.mark.django_db


def _tell(project: Project, *users: User, title: str = "Ticket 3 came back") -> None:
    tell(users, project=project, kind="ticket", title=title, body="Version 8 gets it wrong.", url="/p/bank/triage/3/")


def _due() -> None:
    Notice.objects.exclude(mail_due_at=None).update(mail_due_at=timezone.now())


def test_at_once_means_with_the_next_round_and_only_once(
    project: Project, alice: User, mailoutbox: Sequence[EmailMessage]
) -> None:
    reading.set_mail(alice, "at_once")
    _tell(project, alice)
    assert [mailing.send_due(), mailing.send_due()] == [1, 0]
    (letter,) = mailoutbox
    assert (letter.subject, letter.to) == ("Ticket 3 came back", ["alice@example.org"])
    assert "http://localhost:8000/p/bank/triage/3/" in letter.body
    assert "Version 8 gets it wrong." in letter.body


def test_a_digest_is_one_letter_of_what_is_unread(
    project: Project, alice: User, dana: User, mailoutbox: Sequence[EmailMessage]
) -> None:
    for title in ("One & only", "Two", "Three"):
        _tell(project, alice, dana, title=title)
    assert mailing.send_due() == 0  # tomorrow
    reading.mark_read(alice, Notice.objects.get(user=alice, title="Two").pk)
    reading.mark_all_read(dana, through=2**40)
    _due()
    assert mailing.send_due() == 1
    (letter,) = mailoutbox
    assert letter.subject == "2 notices from Marginalia"
    assert "One & only" in letter.body
    assert "Two" not in letter.body


def test_no_mail_means_none_also_for_what_was_due(
    project: Project, alice: User, mailoutbox: Sequence[EmailMessage]
) -> None:
    _tell(project, alice)
    reading.set_mail(alice, "none")
    _tell(project, alice)
    _due()
    assert mailing.send_due() == 0
    assert not mailoutbox


def test_a_mail_server_that_is_away_is_asked_again_later_and_not_for_ever(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise ConnectionRefusedError

    MailPreference.objects.create(user=alice, mode="at_once")
    _tell(project, alice)
    monkeypatch.setattr(EmailMessage, "send", away)
    for attempt in range(1, mailing.MOST_ATTEMPTS + 1):
        mailing.send_due()
        notice = Notice.objects.get()
        assert notice.mail_attempts == attempt
        assert notice.mailed_at is None
        assert notice.mail_due_at is None or notice.mail_due_at > timezone.now()
        _due()
    assert Notice.objects.get().mail_due_at is None


def test_a_title_with_line_ends_makes_no_header(
    project: Project, alice: User, mailoutbox: Sequence[EmailMessage]
) -> None:
    reading.set_mail(alice, "at_once")
    _tell(project, alice, title="A\r\nBcc: victim@example.org")
    mailing.send_due()
    assert mailoutbox[0].subject == "A Bcc: victim@example.org"
