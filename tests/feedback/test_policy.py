"""The rules of a project's feedback, and what priority is made of."""

import pytest

from apps.accounts.models import User
from apps.feedback import priority, transitions
from apps.feedback.services import policies
from apps.projects.models import Project
from tests.conftest import ClientOf

PAGE, API = "/p/bank/settings/feedback/", "/api/v1/projects/bank/feedback-policy/"


@pytest.mark.django_db
def test_the_page_documents_the_table_and_the_formula_from_the_code(
    project: Project, alice: User, client_of: ClientOf
) -> None:
    page = client_of(alice).get(PAGE).content.decode()
    for moves in transitions.ALLOWED.values():
        for action, after in moves.items():
            assert str(transitions.ACTIONS[action]) in page
            assert str(after.label) in page
    for rule in priority.rules():
        assert rule in page


@pytest.mark.django_db
def test_rules_are_changed_on_the_page_and_over_http(project: Project, alice: User, client_of: ClientOf) -> None:
    browser = client_of(alice)
    sent = {"person_cap": 5, "allowed_breaks": 1, "flip_review": 10, "weak_labels": "on"}
    assert browser.post(PAGE, sent).status_code == 302
    assert policies.of(project).person_cap == 5
    changed = browser.patch(API, {"rewards": True}, content_type="application/json").json()
    assert (changed["person_cap"], changed["weak_labels"], changed["rewards"]) == (5, True, True)
    assert browser.patch(API, {"person_cap": 0}, content_type="application/json").status_code == 400


@pytest.mark.django_db
def test_a_rule_that_makes_no_sense_is_refused_at_its_field(project: Project, alice: User, client_of: ClientOf) -> None:
    response = client_of(alice).post(PAGE, {"person_cap": 0, "allowed_breaks": 0, "flip_review": 99_999})
    assert response.status_code == 422
    assert set(response.context["form"].errors) == {"person_cap", "flip_review"}


@pytest.mark.django_db
def test_only_who_manages_changes_the_rules(project: Project, dana: User, client_of: ClientOf) -> None:
    assert client_of(dana).get(PAGE).status_code == 403


def test_the_parts_add_up_to_the_priority() -> None:
    for reach, sure, days, lately, before, back in ((12, 0.93, 3.5, 7, 2, False), (0, None, 40.0, 0, 9, True)):
        parts = priority.spelled_out(reach, sure, days, lately, before, back)
        total = priority.priority(reach, sure, days, priority.trend_of(lately, before), back)
        assert sum(part.points for part in parts) == pytest.approx(total, abs=0.001)


@pytest.mark.parametrize(
    ("more", "less"),
    [
        ((20, 0.5, 0, 1, False), (10, 0.5, 0, 1, False)),
        ((10, 0.9, 0, 1, False), (10, 0.5, 0, 1, False)),
        ((10, 0.5, 5, 1, False), (10, 0.5, 0, 1, False)),
        ((10, 0.5, 0, 3, False), (10, 0.5, 0, 1, False)),
        ((10, 0.5, 0, 1, True), (10, 0.5, 0, 1, False)),
    ],
)
def test_more_people_surer_longer_growing_and_back_again_are_more_urgent(
    more: tuple[int, float, float, float, bool], less: tuple[int, float, float, float, bool]
) -> None:
    assert priority.priority(*more) > priority.priority(*less)


def test_waiting_and_trend_are_bounded() -> None:
    assert priority.priority(1, 0.5, 15, 1, False) == priority.priority(1, 0.5, 400, 1, False)
    assert priority.priority(1, 0.5, 0, 4, False) == priority.priority(1, 0.5, 0, 1000, False)
