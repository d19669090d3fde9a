"""The help desk of the demonstration."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.config.demo import seed
from apps.feedback import demo_chat, demo_views, intake_auth
from apps.feedback.models import IntakeKey
from apps.projects.models import Project
from apps.serving.models import Served
from apps.serving.services.unavailable import Unavailable
from tests.conftest import ClientOf
from tests.feedback import make

pytestmark = pytest.mark.django_db
URL = "/demo/support/"
ASKED: list[tuple[Any, bool]] = []


@pytest.fixture
def project(project: Project) -> Project:
    Project.objects.filter(pk=project.pk).update(slug=demo_chat.SLUG)
    project.refresh_from_db()
    return project


@pytest.fixture(autouse=True)
def _model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers without an inference process, as surely as it is told."""
    ASKED.clear()
    intake_auth.forget_keys()

    def predict(project: Project, asked: Sequence[Any], *, consent: bool) -> list[Served]:
        ASKED.append((asked[0], consent))
        sure = 0.2 if "perhaps" in asked[0].text else 0.9
        probabilities = [sure, 0.06, 0.04]
        return [make.served(project, text=asked[0].text, consent=consent, confidence=sure, probabilities=probabilities)]

    monkeypatch.setattr(demo_views, "predict", predict)


def test_the_chat_is_there_as_long_as_the_demonstration_is(
    project: Project, vic: User, charlie: User, client_of: ClientOf
) -> None:
    assert Client().get(URL)["Location"].startswith("/accounts/login/")
    assert client_of(charlie).get(URL).status_code == 404
    assert client_of(vic).get(URL).status_code == 200
    Project.objects.filter(pk=project.pk).update(slug="mine")
    assert client_of(vic).get(URL).status_code == 404
    assert demo_chat.SLUG == seed.SLUG


def test_a_question_is_answered_with_what_its_intent_wants(project: Project, vic: User, client_of: ClientOf) -> None:
    answer = client_of(vic).post(URL, {"text": "Where is my card?", "consent": "1"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert "<html" not in page
    assert "five to seven working days" in page
    assert str(Served.objects.get().pk) in page
    assert 'data-labels="exchange rate|top up failed"' in page
    (asked, consent), *_rest = ASKED
    assert (asked.subject, consent) == (f"demo-{vic.pk}", True)


def test_it_works_as_a_plain_page_too(project: Project, vic: User, client_of: ClientOf) -> None:
    page = client_of(vic).post(URL, {"text": "Where is my card?"}).content.decode()
    assert "<html" in page
    assert "five to seven working days" in page
    assert ASKED[0][1] is False
    assert 'data-consent="false"' in page


def test_an_unsure_model_asks_back(project: Project, vic: User, client_of: ClientOf) -> None:
    page = client_of(vic).post(URL, {"text": "perhaps a card"}).content.decode()
    assert "could you say it in other words" in page.lower()


def test_what_the_model_cannot_do_now_is_said(
    project: Project, vic: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_more: Any) -> list[Served]:
        raise Unavailable("The inference process rests.")

    monkeypatch.setattr(demo_views, "predict", refuse)
    answer = client_of(vic).post(URL, {"text": "hello"}, headers={"HX-Request": "true"})
    assert answer.status_code == 409
    assert "The inference process rests." in answer.content.decode()


def test_who_may_triage_is_led_there(project: Project, dana: User, vic: User, client_of: ClientOf) -> None:
    link = f"/p/{demo_chat.SLUG}/triage/"
    assert link in client_of(dana).post(URL, {"text": "hello"}).content.decode()
    page = client_of(vic).post(URL, {"text": "hello"}).content.decode()
    assert link not in page
    assert "with the product manager" in page


def test_the_chats_key_is_made_once_and_stays_revoked(project: Project, vic: User, client_of: ClientOf) -> None:
    client = client_of(vic)
    for _ in range(2):
        assert demo_chat.chat_key(project) in client.post(URL, {"text": "hello"}).content.decode()
    IntakeKey.objects.get()
    sent = {"kind": "rating", "rating": 5}
    headers = {"Authorization": f"Bearer {demo_chat.chat_key(project)}", "Origin": "http://testserver"}
    assert client.post("/api/v1/feedback", sent, content_type="application/json", headers=headers).status_code == 202
    IntakeKey.objects.update(revoked_at="2026-01-01T00:00:00Z")
    page = client.post(URL, {"text": "hello"}).content.decode()
    assert demo_chat.chat_key(project) not in page
    assert "revoked" in page


def test_markup_in_a_question_stays_text(project: Project, vic: User, client_of: ClientOf) -> None:
    page = client_of(vic).post(URL, {"text": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert" not in page


def test_every_intent_of_the_demonstration_has_an_answer_of_its_own() -> None:
    otherwise = demo_chat.answer_to("something nobody thought of")
    assert [name for name in set(seed._truth().values()) if demo_chat.answer_to(name) == otherwise] == []
    assert "signed your phone out" in demo_chat.answer_to("lost_or_stolen_phone")
    assert "frozen your card so" in demo_chat.answer_to("lost_or_stolen_card")


def test_the_project_page_leads_to_the_chat(project: Project, vic: User, client_of: ClientOf) -> None:
    assert URL in client_of(vic).get(f"/p/{project.slug}/").content.decode()
    Project.objects.filter(pk=project.pk).update(slug="mine")
    assert URL not in client_of(vic).get("/p/mine/").content.decode()
