"""The help desk in a browser: ask, doubt, correct, and see where it went."""

from collections.abc import Sequence
from typing import Any

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.feedback import demo_chat, demo_views, intake_auth
from apps.projects.models import Project
from apps.serving.models import Served
from tests.browser.conftest import Open
from tests.browser.test_widget import stored
from tests.feedback import make


@pytest.fixture
def project(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    def predict(project: Project, asked: Sequence[Any], *, consent: bool) -> list[Served]:
        made = {"text": asked[0].text, "consent": consent, "confidence": 0.8, "probabilities": [0.8, 0.15, 0.05]}
        return [make.served(project, **made)]

    intake_auth.forget_keys()
    monkeypatch.setattr(demo_views, "predict", predict)
    Project.objects.filter(pk=project.pk).update(slug=demo_chat.SLUG)
    project.refresh_from_db()
    return project


def test_a_newcomer_sees_the_loop_in_a_minute(project: Project, dana: User, open_page: Open) -> None:
    page = open_page(dana, "/demo/support/")
    expect(page.get_by_label("Your question")).to_be_focused()
    page.keyboard.type("Where is my card?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("five to seven working days")
    expect(page.get_by_label("Your question")).to_have_value("")
    expect(page.get_by_label("Your question")).to_be_focused()
    page.get_by_role("button", name="No").click()
    page.get_by_role("button", name="exchange rate", exact=True).click()
    expect(page.get_by_role("link", name="Your thumb is now in Triage")).to_be_visible()
    label, thumb = stored(page, 2)
    assert (thumb.text, thumb.source, thumb.polarity) == ("Where is my card?", "demo", -1)
    assert label.wanted is not None
    assert label.wanted.name == "exchange rate"


def test_an_example_is_one_click(project: Project, vic: User, open_page: Open) -> None:
    page = open_page(vic, "/demo/support/")
    page.get_by_role("button", name=demo_chat.EXAMPLES[0]).click()
    expect(page.get_by_role("log")).to_contain_text("five to seven working days")
    page.get_by_label("My words may be kept").uncheck()
    page.get_by_role("button", name=demo_chat.EXAMPLES[1]).click()
    expect(page.get_by_role("group", name="Was this right?")).to_have_count(2)
    assert list(Served.objects.order_by("at").values_list("consent", flat=True)) == [True, False]
