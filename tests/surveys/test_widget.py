"""Surveys inside a product: the same questions by API, under the rules of the feedback key that opens them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.feedback.intake_auth import forget_keys
from apps.feedback.models import IntakeKey
from apps.feedback.services import keys
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.surveys import services
from apps.surveys.models import Response, Survey
from tests.surveys.make import question

pytestmark = pytest.mark.django_db
SHOP = "https://shop.example.org"
SCRIPT = Path(__file__).parents[2] / "static/widget/survey.js"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    forget_keys()
    yield
    forget_keys()


def _key(project: Project, **fields: Any) -> str:
    limits = {"per_minute": 100, "per_day": 1000, "origins": [SHOP]} | fields
    return keys.make(project, None, name="shop", kind=IntakeKey.Kind.PUBLISHABLE, **limits)[1]


def _client(project: Project, **fields: Any) -> Client:
    return Client(headers={"Authorization": f"Bearer {_key(project, **fields)}", "Origin": SHOP})


def _answers(survey: Survey, **about: Any) -> dict[str, Any]:
    return {"id": "a-1", "answers": {str(question(survey, "rating").pk): 4}} | about


def _url(survey: Survey) -> str:
    return f"/api/v1/surveys/{survey.token}"


def test_the_definition_comes_in_the_language_asked_for(survey: Survey) -> None:
    answer = _client(survey.project).get(_url(survey) + "?language=zh-CN")
    body = answer.json()
    assert body["title"] == "聊天之后"
    assert [one["kind"] for one in body["questions"]] == ["rating", "score", "single", "multiple", "text"]
    assert body["questions"][2]["choices"] == [{"value": 0, "words": "卡"}, {"value": 1, "words": "转账"}]
    assert answer["Access-Control-Allow-Origin"] == SHOP


def test_an_answer_is_stored_once_under_the_persons_pseudonym(survey: Survey) -> None:
    client = _client(survey.project)
    for _time in range(2):
        answer = client.post(_url(survey), _answers(survey, subject="user-17"), "application/json")
        assert (answer.status_code, answer.json()) == (202, {"id": "a-1"})
    stored = Response.objects.get()
    assert stored.subject == pseudonym(survey.project, "user-17")
    assert stored.source == "widget"


def test_a_person_answers_once_and_is_told_before_writing(survey: Survey) -> None:
    client = _client(survey.project)
    client.post(_url(survey), _answers(survey, subject="user-17"), "application/json")
    assert client.get(_url(survey) + "?subject=user-17").status_code == 409
    again = client.post(_url(survey), _answers(survey, subject="user-17", id="a-2"), "application/json")
    assert (again.status_code, "already" in again.json()["detail"]) == (409, True)
    assert client.get(_url(survey) + "?subject=user-18").status_code == 200


def test_what_is_wrong_is_named_for_each_question(survey: Survey) -> None:
    rating, text = (str(question(survey, kind).pk) for kind in ("rating", "text"))
    answer = _client(survey.project).post(
        _url(survey), _answers(survey, answers={rating: 9, text: "words"}), "application/json"
    )
    assert answer.status_code == 422
    assert set(answer.json()["fields"]) == {rating, "consent"}


@pytest.mark.parametrize(
    "body",
    [[], {}, {"id": "x"}, {"id": "", "answers": {}}, {"id": "x", "answers": {"a": 1}}, {"id": "x", "answers": []}],
)
def test_what_is_no_answer_is_refused(survey: Survey, body: Any) -> None:
    assert _client(survey.project).post(_url(survey), body, "application/json").status_code == 422


def test_without_a_key_nobody_asks(survey: Survey) -> None:
    assert Client().get(_url(survey)).status_code == 401
    assert Client().post(_url(survey), _answers(survey), "application/json").status_code == 401


def test_the_key_of_another_project_opens_nothing(survey: Survey) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    assert _client(other).get(_url(survey)).status_code == 404


def test_a_page_that_the_key_is_not_meant_for_is_refused(survey: Survey) -> None:
    key = _key(survey.project)
    foreign = Client(headers={"Authorization": f"Bearer {key}", "Origin": "https://evil.example.org"})
    assert foreign.get(_url(survey)).status_code == 403


def test_the_browser_may_ask_before_from_a_listed_page(survey: Survey) -> None:
    _key(survey.project)
    assert Client().options(_url(survey), headers={"Origin": SHOP})["Access-Control-Allow-Origin"] == SHOP


def test_the_keys_limit_counts_here_too(survey: Survey) -> None:
    client = _client(survey.project, per_minute=2)
    statuses = [client.get(_url(survey)).status_code for _time in range(3)]
    assert statuses == [200, 200, 429]


def test_a_closed_survey_says_so(survey: Survey) -> None:
    services.close(survey)
    answer = _client(survey.project).get(_url(survey))
    assert (answer.status_code, "closed" in answer.json()["detail"]) == (409, True)


def test_the_script_is_small_and_alone() -> None:
    text = SCRIPT.read_text()
    assert len(text.encode()) <= 6_000
    assert not any(word in text for word in ("import ", "eval(", "innerHTML", ".style"))
