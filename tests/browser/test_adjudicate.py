"""A reviewer decides by keyboard alone: the digits choose, and the next text is there at once."""

import pytest
from playwright.sync_api import expect

from apps.accounts.models import User
from apps.annotation.models import Resolution
from apps.projects.models import Label, Project
from apps.quality import adjudication_cards as cards
from apps.quality.models import Adjudication
from apps.quality.services import consensus
from tests.annotation import make
from tests.browser.conftest import Open
from tests.quality.said import opinion


@pytest.fixture
def ties(project: Project, bob: User, alice: User) -> list[Adjudication]:
    labels = list(project.labels.order_by("pk"))
    for item in make.items(project, 3):
        opinion(item, bob, labels[0], note="by the guideline")
        opinion(item, alice, labels[1])
    consensus.settle(project)
    return list(Adjudication.objects.order_by("pk"))


def test_digits_choose_and_everything_is_one_key_away(
    project: Project, rita: User, ties: list[Adjudication], open_page: Open
) -> None:
    page = open_page(rita, f"/p/{project.slug}/adjudicate/")
    expect(page.locator(".reading")).to_have_text(ties[0].item.text)
    chosen = cards.card(ties[0]).sides[1]

    page.keyboard.press("2")
    expect(page.locator(".reading")).to_have_text(ties[1].item.text)
    expect(page.get_by_role("status").filter(has_text="Decided.")).to_contain_text("Bob")
    assert Resolution.objects.get(item=ties[0].item).label == chosen.marks[0].label

    page.keyboard.press("z")
    expect(page.locator(".reading")).to_have_text(ties[0].item.text)
    assert not Resolution.objects.filter(item=ties[0].item).exists()

    page.keyboard.press("s")
    expect(page.locator(".reading")).to_have_text(ties[1].item.text)

    page.keyboard.press("b")
    expect(page.locator("#back-comment")).to_be_focused()
    page.keyboard.type("Which of the two does the guideline mean?")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".reading")).to_have_text(ties[2].item.text)
    assert Adjudication.objects.get(pk=ties[1].pk).state == Adjudication.State.SENT_BACK

    page.keyboard.press("e")
    third = Label.objects.filter(project=project).order_by("pk")[2]
    expect(page.locator("#own-label")).to_be_focused()
    page.locator("#own-label").select_option(str(third.pk))
    page.get_by_role("button", name="This is right").click()
    expect(page.locator(".reading")).to_have_text(ties[0].item.text)
    assert Resolution.objects.get(item=ties[2].item).label == third
