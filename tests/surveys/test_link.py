"""The public page of a survey: no account, no script, two languages, once per browser, not too often."""

import re

import pytest
from django.core.cache import cache
from django.test import Client

from apps.surveys import services
from apps.surveys.models import Response, Survey
from apps.surveys.site_views import PER_MINUTE
from tests.surveys.make import question, respond

pytestmark = pytest.mark.django_db


def _url(survey: Survey) -> str:
    return f"/s/{survey.token}/"


def _sent(survey: Survey, client: Client, **values: object) -> dict[str, object]:
    page = client.get(_url(survey)).content.decode()
    found = re.search(r'name="key" value="(\w+)"', page)
    return {
        "key": found.group(1) if found else "k",
        "lang": "en",
        **{f"q{question(survey, kind).pk}": value for kind, value in values.items() if kind != "consent"},
        **({"consent": "yes"} if values.get("consent") else {}),
    }


def test_anybody_answers_by_the_link_without_script(survey: Survey) -> None:
    client = Client(enforce_csrf_checks=True)
    sent = _sent(survey, client, rating="4", multiple=["0", "2"], text="Fine", consent=True)
    token = client.cookies["csrf"].value
    answer = client.post(_url(survey), sent | {"csrfmiddlewaretoken": token})
    assert answer.status_code == 302
    assert "Your answers are in." in client.get(answer["Location"]).content.decode()
    stored = Response.objects.get()
    assert (stored.source, stored.language, stored.consent, stored.subject) == ("link", "en", True, "")
    kept = {one.question.kind: one for one in stored.given.select_related("question")}
    assert (kept["rating"].number, kept["multiple"].places, kept["text"].text) == (4, [0, 2], "Fine")


def test_the_policy_for_content_holds_here_too(survey: Survey) -> None:
    answer = Client().get(_url(survey))
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    assert "no-store" in answer["Cache-Control"]


def test_a_foreign_form_cannot_answer(survey: Survey) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.post(_url(survey), _sent(survey, client, rating="4")).status_code == 403


def test_the_reader_gets_the_browsers_language_and_may_switch(survey: Survey) -> None:
    client = Client(headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"})
    page = client.get(_url(survey)).content.decode()
    assert "回答好不好？" in page
    assert 'href="?lang=en"' in page
    assert "How good was the answer?" in client.get(_url(survey) + "?lang=en").content.decode()
    assert "回答好不好？" in Client().get(_url(survey) + "?lang=zh-hans").content.decode()
    client.post(_url(survey), _sent(survey, client, rating="4") | {"lang": "zh-hans"})
    assert Response.objects.get().language == "zh-hans"


def test_a_survey_in_one_language_offers_no_other(survey: Survey) -> None:
    survey.questions.update(wording_zh="")
    Survey.objects.filter(pk=survey.pk).update(title_zh="")
    page = Client(headers={"Accept-Language": "zh-CN"}).get(_url(survey)).content.decode()
    assert "How good was the answer?" in page
    assert "?lang=" not in page


def test_what_was_wrong_is_said_there_and_what_was_right_stays(survey: Survey) -> None:
    client = Client()
    answer = client.post(_url(survey), _sent(survey, client, score="9", text="It was slow"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Please answer this one." in page
    assert "tick this" in page
    assert "It was slow" in page
    assert re.search(r'value="9" checked', page)
    assert not Response.objects.exists()


def test_a_browser_answers_once(survey: Survey) -> None:
    client = Client()
    assert client.post(_url(survey), _sent(survey, client, rating="4")).status_code == 302
    assert "answered this survey already" in client.get(_url(survey)).content.decode()
    again = client.post(_url(survey), {"key": "another", f"q{question(survey, 'rating').pk}": "1"})
    assert again.status_code == 409
    assert Response.objects.count() == 1
    assert Client().get(_url(survey)).content.decode().count("<fieldset") == 5


def test_a_cookie_that_somebody_wrote_is_not_believed(survey: Survey) -> None:
    """A mark without our signature is another browser's wish to block or to pose as somebody."""
    client = Client()
    client.get(_url(survey))
    client.cookies[f"survey-{survey.pk}"] = "made-up"
    assert client.post(_url(survey), _sent(survey, client, rating="4")).status_code == 302


def test_the_same_form_sent_twice_is_stored_once(survey: Survey) -> None:
    Survey.objects.filter(pk=survey.pk).update(once=False)
    client = Client()
    sent = _sent(survey, client, rating="4")
    assert [client.post(_url(survey), sent).status_code for _time in range(2)] == [302, 302]
    assert Response.objects.count() == 1


def test_closed_and_full_are_said_in_words(survey: Survey) -> None:
    services.change(survey, quota=1)
    respond(survey)
    page = Client().get(_url(survey))
    assert (page.status_code, "closed" in page.content.decode()) == (200, True)
    assert Client().post(_url(survey), {"key": "k", f"q{question(survey, 'rating').pk}": "4"}).status_code == 409


@pytest.mark.parametrize("token", ["x", "a" * 24])
def test_an_unknown_link_is_not_found(survey: Survey, token: str) -> None:
    assert Client().get(f"/s/{token}/").status_code == 404


def test_a_draft_and_an_archived_project_do_not_exist_outside(draft: Survey) -> None:
    assert Client().get(_url(draft)).status_code == 404
    services.open_survey(draft)
    draft.project.archived_at = draft.project.created_at
    draft.project.save()
    assert Client().get(_url(draft)).status_code == 404


def test_links_cannot_be_guessed(survey: Survey) -> None:
    assert len(survey.token) >= 24


def test_one_address_answers_only_so_often(survey: Survey) -> None:
    cache.clear()
    Survey.objects.filter(pk=survey.pk).update(once=False)
    rating = f"q{question(survey, 'rating').pk}"
    statuses = [Client().post(_url(survey), {"key": f"n{n}", rating: "4"}) for n in range(PER_MINUTE + 1)]
    assert [answer.status_code for answer in statuses] == [302] * PER_MINUTE + [429]
    assert int(statuses[-1]["Retry-After"]) > 0
    assert Response.objects.count() == PER_MINUTE
