from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from apps.accounts.models import User
from apps.feedback.models import Ticket
from apps.learning.models import Repredict
from apps.learning.services import evaluation, flip_review, versions
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import ModelVersion
from tests.learning.cases import State, answer, case
from tests.learning.teach import add_item, add_items, make_version, predict, right_but

ClientOf = Callable[[User], Client]
BASE = "/p/bank/train/"
API = "/api/v1/projects/bank/"


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def words(client: Client, path: str, status: int = 200) -> str:
    response = client.get(path)
    assert response.status_code == status
    return plain(response.content.decode())


def plain(page: str) -> str:
    return " ".join(strip_tags(page.replace("<", " <")).split())


@pytest.fixture
def pair(project: Project, alice: User) -> tuple[ModelVersion, ModelVersion]:
    """v1 serves with 20 of 30 right, v2 waits with 29."""
    held, labels = add_items(project, 10, split="holdout"), list(project.labels.all())
    first, second = make_version(project, 1), make_version(project, 2)
    for version, wrong in ((first, 10), (second, 1)):
        predict(version, right_but(held, labels, wrong))
        evaluation.evaluate(version)
    versions.promote(project, first, by=alice)
    return first, second


def five(project: Project, pair: tuple[ModelVersion, ModelVersion]) -> None:
    """One case of every kind: fixed, broken, failing in both, passing in both, not asked yet."""
    live, candidate = pair
    fixed, broken, failing, passing, _unasked = (case(project, number) for number in range(1, 6))
    answer(live, [broken, passing], [fixed, failing])
    answer(candidate, [fixed, passing], [broken, failing])


@pytest.mark.usefixtures("pair")
def test_without_a_case_no_page_speaks_of_cases(client: Client) -> None:
    for path in ("", "versions/2/", "versions/2/compare/", "versions/2/flips/", "versions/2/card/"):
        page = client.get(BASE + path).content.decode().split('class="rail"')[-1]
        assert "egression case" not in page.partition("<main")[2].replace("or the regression cases speak", "")
    assert client.get(API + "versions/2/compare/").json()["cases"] is None
    assert client.get(API + "versions/2/card/").json()["regression_cases"] is None


def test_the_candidate_says_what_it_fixes_and_breaks_and_that_a_reason_is_needed(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    five(project, pair)
    text = words(client, BASE)
    assert "Regression cases it fixes 1" in text
    assert "It breaks 1" in text
    assert "Both get wrong 1" in text
    assert "Not asked yet 1" in text
    assert "v2 breaks 1 pinned regression case. The project allows 0, so promoting it needs a reason." in text


def test_the_comparison_shows_each_case_with_both_answers_and_its_ticket(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion], vic: User, client_of: ClientOf
) -> None:
    five(project, pair)
    page = client.get(BASE + "versions/2/compare/").content.decode()
    text = plain(page)
    assert "complaint 2: which rate is it expected exchange rate v1 exchange rate 80 % v2 card arrival 80 %" in text
    assert "complaint 4" not in text  # both right: nothing to look at
    assert 'id="cases"' in page
    assert "Ticket 2" in text
    looking = words(client_of(vic), BASE + "versions/2/compare/")
    assert "complaint 2" in looking
    assert "Ticket 2" not in looking  # who may not triage is not led to a page they may not see


def test_a_refusal_says_what_broke_and_leads_to_it(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    five(project, pair)
    response = client.post(BASE + "versions/2/promote/", {"seen": 1, "why": ""})
    assert response.status_code == 422
    page = response.content.decode()
    assert "v2 breaks 1 pinned regression case: “complaint 2: which rate is it” (ticket 2)." in page
    assert '<a href="/p/bank/train/versions/2/compare/#cases">' in page
    assert registry.live_version(project) == pair[0]


def test_the_candidate_asks_for_itself_until_every_case_is_answered(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    live, candidate = pair
    asked = case(project, 1)
    answer(candidate, [asked], [])
    assert "every 4s" in client.get(BASE).content.decode()
    answer(live, [], [asked])
    piece = client.get(BASE, headers={"HX-Request": "true", "HX-Target": "candidate"}).content.decode()
    assert 'id="candidate"' in piece
    assert "every 4s" not in piece
    assert "Regression cases it fixes 1" in plain(piece)


def test_a_forced_promotion_stands_in_the_history_with_its_reason_and_numbers(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    five(project, pair)
    client.post(BASE + "versions/2/promote/", {"seen": 1, "why": "the old one is down"})
    text = words(client, BASE)
    assert "fixed 1 case" in text
    assert "broke 1 case" in text
    assert "1 case not asked" in text
    assert "“the old one is down”" in text
    # and it is said what going back would break
    assert "v1 gets 1 regression case wrong that is right now; its ticket will come back." in text


def test_a_version_has_its_standing_on_the_cases_and_on_its_card(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    five(project, pair)
    text = words(client, BASE + "versions/2/")
    assert "It gets 2 of 5 right. 1 has not been put to it yet." in text
    assert "so promoting it needs a reason" in text
    card = words(client, BASE + "versions/2/card/")
    assert "Gets 2 of 5 regression cases wrong: “complaint 2: which rate is it”" in card
    facts = client.get(API + "versions/2/card/").json()["regression_cases"]
    assert (facts["passed"], len(facts["failed"]), facts["not_asked"]) == (2, 2, 1)


def test_the_api_says_the_same_and_refuses_the_same(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    five(project, pair)
    cases = client.get(API + "versions/2/compare/").json()["cases"]
    assert [len(cases[name]) for name in ("fixed", "broken", "failing", "passing", "unasked")] == [1] * 5
    assert (cases["pinned_broken"], cases["allowed"]) == (1, 0)
    refused = client.post(API + "promote/", {"version": 2}, content_type="application/json")
    assert refused.status_code == 422
    assert refused.json()["field"] == "why"
    assert "ticket 2" in refused.json()["detail"]
    forced = client.post(API + "promote/", {"version": 2, "why": "needed"}, content_type="application/json")
    assert forced.status_code == 201
    assert forced.json()["verdict"]["cases"]["broken"] == cases["broken"]


def flipped(project: Project, by: User, pair: tuple[ModelVersion, ModelVersion], n: int = 3) -> None:
    a, b, _c = project.labels.all()
    texts = [add_item(project, f"a text that changes {number}") for number in range(n)]
    row = case(project, 9, state=State.NEW)
    predict(pair[0], {item.pk: a.pk for item in [*texts, row.item]})
    predict(pair[1], {item.pk: b.pk for item in [*texts, row.item]})
    versions.promote(project, pair[1], by=by)


def test_the_flips_name_tickets_and_say_how_many_went_to_people(
    client: Client, project: Project, alice: User, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    flipped(project, alice, pair)
    before = words(client, BASE + "versions/2/flips/")
    assert "Texts that tickets are about complaint 9: which rate is it" in before
    assert "Ticket 9" in before
    assert "sent to people" not in before
    Repredict.objects.update(finished_at=timezone.now())
    for pk in flip_review.due():
        flip_review.send(pk)
    after = words(client, BASE + "versions/2/flips/")
    assert "4 of them were sent to people to look at. 0 have been answered." in after


def test_a_ticket_says_what_versions_answer_now_and_what_one_would_break(
    client: Client, project: Project, pair: tuple[ModelVersion, ModelVersion]
) -> None:
    row = case(project, 1, state=State.FIXED)
    Ticket.objects.update(fixed_in=pair[0])
    answer(pair[0], [row])
    answer(pair[1], [], [row])
    make_version(project, 3)
    text = words(client, "/p/bank/triage/1/")
    assert "v3 not asked yet" in text
    assert "v2 card arrival 80 % would break it" in text
    assert "v1 exchange rate 80 % right live" in text
