"""The Train page renews itself around somebody who is writing on it."""

import pytest
from playwright.sync_api import Page, expect

from apps.accounts.models import User
from apps.content.models import Split
from apps.learning.models import TrainingRun
from apps.learning.services import evaluation, versions
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.browser.conftest import Open
from tests.learning.cases import answer, case
from tests.learning.teach import add_items, make_version, predict, right_but

pytestmark = pytest.mark.django_db(transaction=True)
WHY = "the old one is down"


@pytest.fixture
def pair(project: Project, alice: User) -> tuple[ModelVersion, ModelVersion]:
    """v1 serves, v2 waits for a decision."""
    held, labels = add_items(project, 3, split=Split.HOLDOUT), list(project.labels.all())
    live, candidate = make_version(project, 1), make_version(project, 2)
    for version, wrong in ((live, 3), (candidate, 1)):
        predict(version, right_but(held, labels, wrong))
        evaluation.evaluate(version)
    versions.promote(project, live, by=alice)
    return live, candidate


def written(page: Page) -> None:
    """Somebody is in the middle of a reason."""
    why = page.locator(".decision").get_by_label("Why")
    why.press_sequentially(WHY)
    expect(why).to_be_focused()


def still_written(page: Page) -> None:
    why = page.locator(".decision").get_by_label("Why")
    expect(why).to_have_value(WHY)
    expect(why).to_be_focused()
    page.keyboard.type(".")
    expect(why).to_have_value(f"{WHY}.")


def test_what_becomes_known_of_the_cases_appears_beside_a_reason_that_is_being_written(
    open_page: Open, project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    asked = case(project, 1)
    answer(candidate, [asked])
    page = open_page(alice, "/p/bank/train/")
    expect(page.get_by_text("has not been put to v2 yet")).to_be_visible()
    written(page)
    answer(live, [], [asked])
    expect(page.locator(".decision .figure", has_text="Regression cases it fixes")).to_contain_text("1")
    expect(page.get_by_text("has not been put to v2 yet")).to_have_count(0)
    still_written(page)


@pytest.mark.usefixtures("pair")
def test_the_end_of_a_run_renews_the_page_and_leaves_the_reason(open_page: Open, project: Project, alice: User) -> None:
    run = TrainingRun.objects.create(project=project, kind="head", state="running", config={"encoder": "char-ngrams"})
    page = open_page(alice, "/p/bank/train/")
    expect(page.locator("#runs").get_by_role("progressbar")).to_be_visible()
    written(page)
    TrainingRun.objects.filter(pk=run.pk).update(state="failed", error="It broke.")
    expect(page.locator("#runs")).to_contain_text("It broke.")
    still_written(page)
