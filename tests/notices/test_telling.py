import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from django.utils.translation import gettext

from apps.accounts.models import User
from apps.notices.models import Delivery, MailPreference, Notice, Webhook
from apps.notices.services.telling import next_digest, publish, tell
from apps.projects.models import Project

pytestmark = pytest.mark.django_db


def test_telling_the_same_twice_stores_one_notice_for_each_person(project: Project, alice: User, dana: User) -> None:
    for _ in range(2):
        tell([alice, dana], project=project, kind="ticket", title="Ticket 3 came back", key="ticket-3-regressed-7")
    assert sorted(Notice.objects.values_list("user__name", flat=True)) == ["Alice", "Dana"]


def test_without_a_key_every_call_is_news(project: Project, alice: User) -> None:
    for _ in range(2):
        tell([alice], project=project, kind="note", title="Again")
    assert Notice.objects.count() == 2


def test_each_reader_is_told_in_their_own_language(project: Project, alice: User, dana: User) -> None:
    dana.language = "zh-hans"
    tell([alice, dana], project=project, kind="x", title=lambda: gettext("Settings"))
    assert dict(Notice.objects.values_list("user__name", "title")) == {"Alice": "Settings", "Dana": "设置"}


def test_who_follows_the_browser_is_told_in_what_it_asked_for_at_the_last_sign_in(
    project: Project, dana: User, client: Client
) -> None:
    for asked, title in (("zh-CN,zh;q=0.9", "设置"), ("en", "Settings")):
        given = {"login": dana.email, "password": "correct horse battery"}
        client.post("/accounts/login/", given, headers={"Accept-Language": asked})
        dana.refresh_from_db()
        tell([dana], project=project, kind="x", title=lambda: gettext("Settings"), key=asked)
        assert Notice.objects.get(key=asked).title == title
        client.logout()
    dana.language = "zh-hans"  # what a person chose wins
    assert dana.told_in == "zh-hans"


def test_mail_is_due_as_each_person_wants_it(project: Project, alice: User, dana: User, vic: User) -> None:
    MailPreference.objects.create(user=alice, mode="at_once")
    MailPreference.objects.create(user=dana, mode="none")
    before = timezone.now()
    tell([alice, dana, vic], project=project, kind="x", title="News")
    due = dict(Notice.objects.values_list("user__name", "mail_due_at"))
    assert due["Alice"] >= before
    assert due["Dana"] is None
    assert due["Vic"] == next_digest(before)
    assert timezone.localtime(due["Vic"]).hour == 8


def test_somebody_who_left_is_told_nothing(project: Project, alice: User) -> None:
    alice.is_active = False
    tell([alice], project=project, kind="x", title="News")
    assert not Notice.objects.exists()


def _webhook(project: Project, *events: str) -> Webhook:
    return Webhook.objects.create(project=project, url="https://host.example.org/hook", events=list(events))


def test_only_endpoints_that_asked_are_told(project: Project) -> None:
    asked, _other = _webhook(project, "ticket.fixed", "alarm.raised"), _webhook(project, "reward.granted")
    disabled = _webhook(project, "ticket.fixed")
    Webhook.objects.filter(pk=disabled.pk).update(disabled_at=timezone.now())
    publish(project, "ticket.fixed", {"number": 12, "version": 7}, key="ticket-12-fixed-7")
    publish(project, "ticket.fixed", {"number": 12, "version": 7}, key="ticket-12-fixed-7")
    assert Delivery.objects.values_list("webhook", "about", "payload").get() == (
        asked.pk,
        "ticket 12",
        {"number": 12, "version": 7},
    )


def test_an_event_that_nobody_can_ask_for_is_a_mistake_of_ours(project: Project) -> None:
    with pytest.raises(AssertionError, match=r"ticket\.eaten"):
        publish(project, "ticket.eaten", {}, key="x")


def test_what_the_caller_rolls_back_was_never_said(project: Project, alice: User) -> None:
    _webhook(project, "ticket.fixed")
    with transaction.atomic():
        tell([alice], project=project, kind="x", title="News")
        publish(project, "ticket.fixed", {"number": 1}, key="k")
        transaction.set_rollback(True)
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()
