"""The builder, the results and who may see them."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.content.models import Item
from apps.projects.models import Project
from apps.surveys import results, services
from apps.surveys.models import Question, Response, Survey
from tests.conftest import ClientOf
from tests.surveys.make import question, respond

pytestmark = pytest.mark.django_db
NEW = {"title_en": "After the chat", "title_zh": "", "intro_en": "", "intro_zh": "", "quota": "", "once": "on"}


def _built(project: Project, dana: User, client_of: ClientOf) -> Survey:
    client = client_of(dana)
    client.post(f"/p/{project.slug}/surveys/new/", NEW)
    survey = Survey.objects.get()
    base = f"/p/{project.slug}/surveys/{survey.pk}/"
    client.post(f"{base}questions/", {"kind": "rating", "wording_en": "How good?", "required": "on"})
    choices = {"options_en": "Card\nTransfer\n", "options_zh": "卡\n转账"}
    client.post(f"{base}questions/", {"kind": "single", "wording_en": "About?", "wording_zh": "关于？"} | choices)
    client.post(f"{base}questions/", {"kind": "text", "wording_en": "What else?"})
    return survey


def test_a_survey_is_built_with_plain_form_posts(project: Project, dana: User, client_of: ClientOf) -> None:
    survey, client = _built(project, dana, client_of), client_of(dana)
    rating, choice, text = survey.questions.all()
    assert choice.options == [{"en": "Card", "zh": "卡"}, {"en": "Transfer", "zh": "转账"}]
    base = f"/p/{project.slug}/surveys/{survey.pk}/questions/"
    client.post(f"{base}{text.pk}/move/", {"step": "up"})
    assert list(survey.questions.all()) == [rating, text, choice]
    client.post(f"{base}{choice.pk}/", {"kind": "multiple", "wording_en": "About what?", "options_en": "A\nB\nC"})
    choice.refresh_from_db()
    assert (choice.kind, [option["en"] for option in choice.options]) == ("multiple", ["A", "B", "C"])
    client.post(f"{base}{text.pk}/remove/")
    assert list(survey.questions.all()) == [rating, choice]
    page = client.get(f"/p/{project.slug}/surveys/{survey.pk}/").content.decode()
    assert "As people see it" in page
    assert "How good?" in page


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"kind": "single", "wording_en": "About?", "options_en": "only one"}, "2 to 20 answers"),
        ({"kind": "single", "wording_en": "About?", "options_en": "a\n\nb"}, "has no words"),
        ({"kind": "rating"}, "words in one language"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused_at_its_field(
    draft: Survey, dana: User, client_of: ClientOf, sent: dict[str, str], sentence: str
) -> None:
    answer = client_of(dana).post(f"/p/{draft.project.slug}/surveys/{draft.pk}/questions/", sent)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()
    assert draft.questions.count() == 5


def test_with_htmx_the_builder_alone_comes_back(draft: Survey, dana: User, client_of: ClientOf) -> None:
    url = f"/p/{draft.project.slug}/surveys/{draft.pk}/questions/{question(draft, 'text').pk}/remove/"
    answer = client_of(dana).post(url, headers={"HX-Request": "true"})
    assert answer.content.decode().lstrip().startswith('<div id="builder"')


def test_a_survey_that_was_open_is_never_changed(survey: Survey, dana: User, client_of: ClientOf) -> None:
    client, base = client_of(dana), f"/p/{survey.project.slug}/surveys/{survey.pk}/"
    services.close(survey)
    for url, sent in (
        ("questions/", {"kind": "text", "wording_en": "More?"}),
        (f"questions/{question(survey, 'text').pk}/remove/", {}),
        ("delete/", {}),
        ("", NEW | {"title_en": "Another title"}),
    ):
        assert client.post(base + url, sent).status_code == 409, url
    assert client.post(base, NEW | {"title_zh": "聊天之后", "quota": "9"}).status_code == 302
    survey.refresh_from_db()
    assert (survey.quota, survey.questions.count()) == (9, 5)


def test_a_copy_can_be_changed_and_has_no_answers(survey: Survey, dana: User, client_of: ClientOf) -> None:
    respond(survey)
    answer = client_of(dana).post(f"/p/{survey.project.slug}/surveys/{survey.pk}/copy/")
    made = Survey.objects.latest("pk")
    assert answer["Location"].endswith(f"/surveys/{made.pk}/")
    assert (made.state, made.questions.count(), made.responses.count()) == ("draft", 5, 0)
    assert made.token != survey.token


def test_a_survey_without_questions_is_not_opened(project: Project, dana: User, client_of: ClientOf) -> None:
    made = services.create(project, by=dana, title_en="Empty")
    assert client_of(dana).post(f"/p/{project.slug}/surveys/{made.pk}/open/").status_code == 409


def test_annotators_do_not_see_surveys(survey: Survey, bob: User, client_of: ClientOf) -> None:
    assert client_of(bob).get(f"/p/{survey.project.slug}/surveys/{survey.pk}/results/").status_code == 403


def test_a_survey_of_another_project_is_not_found(survey: Survey, dana: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    other.memberships.create(user=dana, role="product_manager")
    for url in ("", "results/", "results/export/"):
        assert client_of(dana).get(f"/p/other/surveys/{survey.pk}/{url}").status_code == 404


# --- results ---------------------------------------------------------------------------------------------


def _some(survey: Survey) -> None:
    for n, (rating, score) in enumerate([(5, 10), (4, 9), (4, 8), (2, 3), (1, 0)]):
        given = {"rating": rating, "score": score, "single": [n % 2], "multiple": [0, 2] if n else [1]}
        if rating < 3:
            given["text"] = f"=SUM({n}) it took too long"
        respond(survey, given, consent=True, language="en")


def test_results_count_every_answer_with_intervals(survey: Survey) -> None:
    _some(survey)
    found = {one.question.kind: one for one in results.results(survey, "en").results}
    assert [bar.n for bar in found["rating"].bars] == [1, 1, 0, 2, 1]
    assert found["rating"].mean
    assert found["rating"].mean.value == pytest.approx(3.2)
    assert found["score"].net
    assert (found["score"].net.promoters, found["score"].net.detractors) == (2, 2)
    assert [(bar.words, bar.n) for bar in found["single"].bars] == [("A card", 3), ("A transfer", 2)]
    assert [(bar.n, bar.share) for bar in found["multiple"].bars] == [(4, 0.8), (1, 0.2), (4, 0.8)]
    assert found["text"].n == 2
    assert all(bar.interval.low <= bar.share <= bar.interval.high for one in found.values() for bar in one.bars)


def test_results_of_those_who_gave_one_answer(survey: Survey, dana: User, client_of: ClientOf) -> None:
    _some(survey)
    chosen = results.results(survey, "en", (question(survey, "multiple"), 1))
    assert chosen.n == 1
    where = f"{question(survey, 'rating').pk}:1"
    page = client_of(dana).get(f"/p/{survey.project.slug}/surveys/{survey.pk}/results/?where={where}").content.decode()
    assert "Only those who answered" in page
    assert "=SUM(4)" in page
    assert "=SUM(3)" not in page


def test_ratings_are_followed_by_week(survey: Survey) -> None:
    now = timezone.now()
    for weeks, rating in ((2, 1), (2, 2), (0, 5)):
        sent = respond(survey, {"rating": rating}).response
        Response.objects.filter(pk=sent.pk).update(at=now - timedelta(weeks=weeks))
    rating = next(one for one in results.results(survey, "en").results if one.question.kind == "rating")
    assert [(week.n, week.value) for week in rating.weeks] == [(2, 1.5), (0, None), (1, 5)]
    assert rating.trend
    assert len(rating.trend.lines) == 2  # the empty week breaks the line


def test_what_people_wrote_becomes_items_of_the_pool_once(survey: Survey, dana: User, client_of: ClientOf) -> None:
    _some(survey)
    survey.project.holdout_fraction = 0.5
    survey.project.save()
    url = f"/p/{survey.project.slug}/surveys/{survey.pk}/questions/{question(survey, 'text').pk}/items/"
    for _time in range(2):
        client_of(dana).post(url)
    items = list(Item.objects.filter(project=survey.project))
    assert len(items) == 2
    assert {item.split for item in items} == {"pool"}
    assert items[0].meta == {"survey": survey.pk, "question": question(survey, "text").pk}
    page = client_of(dana).get(f"/p/{survey.project.slug}/surveys/{survey.pk}/results/").content.decode()
    assert f"/items/{items[0].pk}/" in page


def test_the_spreadsheet_runs_no_formula(survey: Survey, dana: User, client_of: ClientOf) -> None:
    _some(survey)
    url = f"/p/{survey.project.slug}/surveys/{survey.pk}/results/export/"
    rows = list(csv.reader(io.StringIO(client_of(dana).get(url).getvalue().decode("utf-8-sig"))))
    assert rows[0][6:] == [f"{n}. {one.wording_en}" for n, one in enumerate(survey.questions.all(), start=1)]
    assert rows[1][6:] == ["5", "10", "A card", "The site", ""]
    assert rows[4][-1] == "'=SUM(3) it took too long"


def test_json_lines_hold_the_answers_as_they_are(survey: Survey, dana: User, client_of: ClientOf) -> None:
    _some(survey)
    url = f"/p/{survey.project.slug}/surveys/{survey.pk}/results/export/?format=jsonl"
    lines = [json.loads(line) for line in client_of(dana).get(url).getvalue().splitlines()]
    assert [answer["answer"] for answer in lines[3]["answers"]] == [
        2,
        3,
        "A transfer",
        ["The app", "The phone"],
        "=SUM(3) it took too long",
    ]


def test_an_empty_survey_says_what_to_do(survey: Survey, dana: User, client_of: ClientOf) -> None:
    page = client_of(dana).get(f"/p/{survey.project.slug}/surveys/{survey.pk}/results/").content.decode()
    assert "Nobody has answered yet" in page


# --- the API ------------------------------------------------------------------------------------------------


def test_the_api_makes_opens_and_reads_a_survey(project: Project, dana: User, client_of: ClientOf) -> None:
    client, base = client_of(dana), f"/api/v1/projects/{project.slug}/surveys/"
    asked = [
        {"kind": "score", "wording_en": "Recommend?"},
        {"kind": "single", "wording_zh": "关于？", "options": [{"zh": "卡"}, {"zh": "转账"}]},
    ]
    made = client.post(base, {"title_en": "By API", "quota": 2, "questions": asked}, "application/json")
    assert made.status_code == 201, made.content
    pk = made.json()["id"]
    assert client.patch(f"{base}{pk}/", {"state": "open"}, "application/json").json()["state"] == "open"
    survey = Survey.objects.get(pk=pk)
    respond(survey, {"score": 10})
    body = client.get(f"{base}{pk}/results/").json()
    assert body["responses"] == 1
    assert body["questions"][0]["net_promoter_score"]["value"] == 1
    assert client.get(f"{base}{pk}/").json()["responses"] == 1
    assert client.get(base).json()["results"][0]["id"] == pk
    assert b"Recommend?" in client.get(f"{base}{pk}/export/").getvalue()
    assert Question.objects.count() == 2


def test_the_api_refuses_in_words(project: Project, dana: User, client_of: ClientOf) -> None:
    client, base = client_of(dana), f"/api/v1/projects/{project.slug}/surveys/"
    refused = client.post(base, {"title_en": ""}, "application/json")
    assert (refused.status_code, refused.json()["field"]) == (422, "title_en")
    single = {"title_en": "X", "questions": [{"kind": "single", "wording_en": "?", "options": [{"en": "a"}]}]}
    assert client.post(base, single, "application/json").status_code == 422
    assert not Survey.objects.exists()
