"""Chinese readers get Chinese dates, numbers and sentences, at once and everywhere."""

from datetime import date, datetime

import pytest
from django import forms
from django.test import Client
from django.urls import reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext, override, pgettext

from apps.accounts.models import User
from apps.common.numbers import per_cent
from apps.learning.engine_words import translated
from apps.notices.models import Notice
from apps.notices.services.telling import tell
from apps.projects.models import Project, Role
from apps.projects.services.invitations import invite

DAY = date(2026, 11, 2)


@pytest.mark.parametrize(
    ("name", "english", "chinese"),
    [
        ("SHORT_DATE_FORMAT", "2026-11-02", "2026年11月2日"),
        ("SHORT_DATETIME_FORMAT", "2026-11-02 09:05", "2026年11月2日 09:05"),
        ("MONTH_DAY_FORMAT", "Nov 2", "11月2日"),
        ("YEAR_MONTH_FORMAT", "Nov 2026", "2026年11月"),
    ],
)
def test_dates_are_written_as_their_readers_write_them(name: str, english: str, chinese: str) -> None:
    at = datetime(2026, 11, 2, 9, 5)
    assert date_format(at, name) == english
    with override("zh-hans"):
        assert date_format(at, name) == chinese


def test_numbers_are_grouped_by_thousands_and_shares_take_no_space_in_chinese() -> None:
    assert per_cent(0.8614) == "86.1 %"
    with override("zh-hans"):
        assert per_cent(0.8614) == "86.1%"
        assert number_format(1_234_567, force_grouping=True) == "1,234,567"


def test_a_day_stands_in_a_field_as_browsers_take_it() -> None:
    with override("zh-hans"):
        assert forms.DateInput(attrs={"type": "date"}).format_value(DAY) == "2026-11-02"
        assert forms.DateField().clean("2026-11-02") == DAY


def test_what_a_worker_wrote_into_a_row_is_read_in_chinese() -> None:
    stored = "The worker died 3 times while it drew this map, so it was given up."
    assert translated(stored) == stored
    with override("zh-hans"):
        assert translated(stored) == "工作进程在绘制此地图时中断了 3 次，因此已放弃。"


def test_to_label_and_a_label_are_two_words() -> None:
    with override("zh-hans"):
        assert (pgettext("to do", "Label"), gettext("Labels")) == ("标注", "标签")


@pytest.mark.django_db
def test_a_language_chosen_holds_at_once() -> None:
    user = User.objects.create_user("wang@example.org", "a sentence is easy", name="王")
    client = Client()
    client.force_login(user)
    given = {"name": "王", "language": "zh-hans", "theme": "system", "density": "comfortable", "single_keys": "on"}
    page = client.post(reverse("preferences"), given, follow=True).content.decode()
    assert '<html lang="zh-hans"' in page
    assert "已保存。" in page
    assert "Saved." not in page


@pytest.mark.django_db
@pytest.mark.parametrize(("asked", "language"), [("zh-CN,zh;q=0.9", "zh-hans"), ("de", "en"), ("", "en")])
def test_who_is_not_signed_in_reads_what_the_browser_asks_for(asked: str, language: str) -> None:
    page = Client().get("/accounts/login/", headers={"Accept-Language": asked}).content.decode()
    assert f'lang="{language}"' in page
    assert ("登录" in page) == (language == "zh-hans")


@pytest.mark.django_db
@pytest.mark.parametrize(("asked", "kept"), [("zh-CN", "zh-hans"), ("en-GB", "")])
def test_a_new_account_is_written_to_in_the_language_of_its_browser(
    project: Project, alice: User, asked: str, kept: str
) -> None:
    _row, secret = invite(project, by=alice, email="wang@example.org", role=Role.ANNOTATOR)
    form = {"name": "王", "password": "a sentence is easy to remember"}
    answer = Client().post(f"/invitations/{secret}/", form, headers={"Accept-Language": asked})
    assert answer.status_code == 302
    wang = User.objects.get(email="wang@example.org")
    assert wang.language == kept
    tell(
        [wang], project=project, kind="mention", title=lambda: gettext("Welcome to “%(project)s”."), body="", key="one"
    )
    assert Notice.objects.get(user=wang).title.startswith("欢迎" if kept else "Welcome")
