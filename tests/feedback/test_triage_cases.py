"""The page of regression cases."""

import pytest
from django.test import Client
from pgvector import HalfVector

from apps.accounts.models import User
from apps.annotation.models import Prediction
from apps.content.models import Item
from apps.feedback.models import RegressionCase
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from tests.annotation import make as annotation
from tests.conftest import ClientOf
from tests.feedback import make

PAGE = "/p/bank/cases/"


@pytest.fixture
def browser(dana: User, client_of: ClientOf) -> Client:
    return client_of(dana)


@pytest.fixture
def case(project: Project) -> RegressionCase:
    [item] = annotation.items(project, 1)
    return RegressionCase.objects.create(project=project, item=item, label=project.labels.all()[1])


def says(version: ModelVersion, item: Item, label: Label) -> None:
    Prediction.objects.create(
        version=version, item=item, label=label, confidence=0.7, margin=0.5, probabilities=HalfVector([0.1, 0.7, 0.2])
    )


def cells(client: Client, query: str = "") -> list[str]:
    """Of the first case, what stands under each version, newest first."""
    content = client.get(PAGE + query).content.decode()
    row = content.split("<tbody>")[1].split("</tr>")[0]
    return [next((w for w in ("passes", "fails", "not asked") if w in cell), "") for cell in row.split("<td>")[1:]]


def test_the_page_says_how_cases_come_about(browser: Client, project: Project) -> None:
    content = browser.get(PAGE).content.decode()
    assert "No regression cases yet" in content
    assert "Accept a ticket" in content


def test_each_case_shows_which_versions_pass(browser: Client, project: Project, case: RegressionCase) -> None:
    first, second, _third = (make.version(project, number) for number in (1, 2, 3))
    says(first, case.item, project.labels.all()[0])
    says(second, case.item, project.labels.all()[1])
    assert cells(browser) == ["not asked", "passes", "fails"]


def test_a_version_known_to_fail_when_the_case_was_born_says_so(
    browser: Client, project: Project, case: RegressionCase
) -> None:
    case.failed.add(make.version(project, 1))
    assert cells(browser) == ["fails"]


def test_a_case_is_pinned_unpinned_and_retired(browser: Client, case: RegressionCase) -> None:
    for action, pinned in (("unpin", False), ("pin", True)):
        assert browser.post(f"{PAGE}{case.pk}/", {"action": action}).status_code == 302
        case.refresh_from_db()
        assert case.pinned is pinned
    browser.post(f"{PAGE}{case.pk}/", {"action": "retire"})
    assert case.item.text not in browser.get(PAGE).content.decode()
    assert case.item.text in browser.get(f"{PAGE}?state=retired").content.decode()
    assert browser.post(f"{PAGE}{case.pk}/", {"action": "retire"}).status_code == 409
    assert browser.post(f"{PAGE}{case.pk}/", {"action": "sing"}).status_code == 422


def test_a_case_of_another_project_is_out_of_reach(browser: Client, project: Project, case: RegressionCase) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder=project.encoder)
    RegressionCase.objects.filter(pk=case.pk).update(project=other)
    assert browser.post(f"{PAGE}{case.pk}/", {"action": "retire"}).status_code == 404


def test_a_viewer_does_not_see_cases(vic: User, client_of: ClientOf, project: Project) -> None:
    assert client_of(vic).get(PAGE).status_code == 403
