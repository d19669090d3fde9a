"""Taking in answers: checked against the questions, words only with consent, stored once, never beyond the quota."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.common.errors import DomainError
from apps.feedback.models import Signal
from apps.projects.models import Project
from apps.surveys import services
from apps.surveys.models import Given, Response, Survey
from apps.surveys.services import Answers
from apps.surveys.services.answering import Refused
from tests.surveys.conftest import QUESTIONS
from tests.surveys.make import question, respond

pytestmark = pytest.mark.django_db


def test_every_kind_of_answer_is_kept(survey: Survey) -> None:
    given = {"rating": 5, "score": 0, "single": [1], "multiple": [2, 0], "text": "Faster\r\nplease"}
    sent = respond(survey, given, consent=True)
    kept = {one.question.kind: one for one in sent.response.given.select_related("question")}
    assert (kept["rating"].number, kept["score"].number) == (5, 0)
    assert (kept["single"].places, kept["multiple"].places) == ([1], [0, 2])
    assert kept["text"].text == "Faster\nplease"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("rating", value) for value in (0, 6, "4", True, 4.5, [3])),
        *(("score", value) for value in (-1, 11)),
        *(("single", value) for value in (2, -1, [0, 1], "A card", {"a": 1})),
        *(("multiple", value) for value in ([0, 3], [None], "0")),
        *(("text", value) for value in (5, "a\0b", "x" * 2001)),
    ],
)
def test_an_answer_that_does_not_fit_its_question_is_refused_there(survey: Survey, kind: str, value: Any) -> None:
    with pytest.raises(Refused) as refusal:
        respond(survey, {"rating": 3, kind: value}, consent=True)
    assert set(refusal.value.fields) == {question(survey, kind).pk}
    assert not Response.objects.exists()


def test_what_must_be_answered_is_asked_for(survey: Survey) -> None:
    with pytest.raises(Refused, match="answer this one"):
        respond(survey, {"score": 9})


def test_words_without_consent_are_refused_rather_than_dropped(survey: Survey) -> None:
    with pytest.raises(Refused) as refusal:
        respond(survey, {"rating": 3, "text": "My card is gone"})
    assert set(refusal.value.fields) == {"consent"}


def test_the_database_keeps_no_words_without_consent(survey: Survey) -> None:
    response = respond(survey).response
    with pytest.raises(IntegrityError), transaction.atomic():
        Given.objects.create(response=response, question=question(survey, "text"), text="words", consent=False)


def test_an_answer_of_another_survey_is_refused(survey: Survey, dana: User) -> None:
    other = services.create(survey.project, by=dana, title_en="Other", questions=QUESTIONS)
    strange = {question(survey, "rating").pk: 3, question(other, "rating").pk: 3}
    with pytest.raises(DomainError, match="no question"):
        services.answer(survey, Answers(values=strange, key="k", source="link"))


def test_sending_twice_stores_once(survey: Survey) -> None:
    first, second = respond(survey, key="same"), respond(survey, key="same")
    assert (first.new, second.new) == (True, False)
    assert first.response == second.response
    assert Response.objects.count() == 1


def test_each_person_answers_once(survey: Survey) -> None:
    respond(survey, person="p")
    with pytest.raises(DomainError, match="already"):
        respond(survey, person="p")


def test_people_may_answer_again_where_that_is_wanted(draft: Survey) -> None:
    services.change(draft, once=False)
    open_ = services.open_survey(draft)
    respond(open_, person="p", subject="p")
    respond(open_, person="p", subject="p")
    assert Response.objects.filter(subject="p").count() == 2


@pytest.mark.parametrize("state", ["draft", "closed"])
def test_only_an_open_survey_takes_answers(survey: Survey, state: str) -> None:
    Survey.objects.filter(pk=survey.pk).update(state=state)
    with pytest.raises(DomainError, match="closed"):
        respond(survey)


def test_the_last_response_of_the_quota_closes_the_survey(survey: Survey) -> None:
    services.change(survey, quota=2)
    respond(survey)
    assert Survey.objects.get(pk=survey.pk).state == "open"
    respond(survey)
    closed = Survey.objects.get(pk=survey.pk)
    assert (closed.state, closed.closed_at is not None) == ("closed", True)
    with pytest.raises(DomainError):
        respond(survey)
    with pytest.raises(DomainError, match="Raise the number"):
        services.open_survey(closed)
    services.open_survey(services.change(closed, quota=3))
    respond(survey)
    assert Response.objects.count() == 3


def test_written_answers_are_signals_too(survey: Survey) -> None:
    respond(survey, {"rating": 1, "text": "Too slow"}, consent=True, subject="ab" * 32, language="en")
    signal = Signal.objects.get()
    assert (signal.kind, signal.comment, signal.source, signal.language) == ("answer", "Too slow", "survey", "en")
    assert signal.subject == "ab" * 32
    assert signal.value == {
        "survey": survey.pk,
        "question": question(survey, "text").pk,
        "answer": "Too slow",
    }
    assert (signal.consent, signal.polarity) == (True, 0)


@pytest.mark.django_db(transaction=True)
def test_two_hundred_at_once_fill_a_quota_of_fifty_exactly(project: Project, dana: User) -> None:
    survey = services.create(project, by=dana, title_en="Rush", quota=50, questions=QUESTIONS[:1])
    services.open_survey(survey)
    rating = question(survey, "rating").pk

    def send(n: int) -> bool:
        try:
            return services.answer(survey, Answers(values={rating: 4}, key=f"rush-{n}", source="link")).new
        except DomainError:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as pool:
        stored = list(pool.map(send, range(200)))
    assert sum(stored) == 50
    assert Response.objects.filter(survey=survey).count() == 50
    assert Survey.objects.get(pk=survey.pk).state == "closed"
