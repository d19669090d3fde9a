"""The list of items with its filters, and one item with its history in the margin."""

import re
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Prediction
from apps.content import search
from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from tests.annotation import make
from tests.conftest import ClientOf

URL = "/p/bank/items/"


def version_of(project: Project, number: int, answers: dict[Item, Label]) -> ModelVersion:
    version = ModelVersion.objects.create(
        project=project, number=number, kind="head", encoder="x", label_order=[], seed=0, config={}, path="", digest=""
    )
    Prediction.objects.bulk_create(
        Prediction(item=item, version=version, label=label, confidence=0.9, margin=0.8, probabilities=[0.9, 0.1])
        for item, label in answers.items()
    )
    return version


@pytest.fixture
def queue(project: Project, bob: User) -> list[Item]:
    items = [*make.items(project, 6), *make.items(project, 2, split="holdout")]
    project.holdout_share = 0
    project.save()
    services.take_in(project)
    search.index(project)
    return items


def shown(response: Any) -> set[int]:
    assert response.status_code == 200, response.content
    return {int(pk) for pk in re.findall(rf'href="{URL}(\d+)/"', response.content.decode())}


def test_a_stranger_sees_nothing_and_every_member_may_look(
    queue: list[Item], vic: User, dana: User, charlie: User, client_of: ClientOf
) -> None:
    for user in (vic, dana):
        assert shown(client_of(user).get(URL)) == {item.pk for item in queue}
        assert client_of(user).get(f"{URL}{queue[0].pk}/").status_code == 200
    assert client_of(charlie).get(URL).status_code == 404
    assert client_of(charlie).get(f"{URL}{queue[0].pk}/").status_code == 404
    assert client_of(vic).post(URL).status_code == 405


def test_filters_show_what_they_say(project: Project, queue: list[Item], bob: User, client_of: ClientOf) -> None:
    labels, client = list(project.labels.all()), client_of(bob)
    answered = make.answer_next(project, bob, labels[0].pk).annotation.item_id
    everything = {item.pk for item in queue}
    version_of(project, 1, dict.fromkeys(queue, labels[0]))
    version_of(project, 2, dict.fromkeys(queue[:2], labels[1]) | dict.fromkeys(queue[2:], labels[0]))
    for query, expected in (
        ({"truth": "some"}, {answered}),
        ({"truth": "none"}, everything - {answered}),
        ({"truth": labels[0].pk}, {answered}),
        ({"truth": labels[1].pk}, set()),
        ({"split": "holdout"}, {item.pk for item in queue[6:]}),
        ({"reason": "holdout"}, {item.pk for item in queue[6:]}),
        ({"q": queue[3].text.upper()}, {queue[3].pk}),
        ({"q": "100%"}, set()),
        ({"version": 2, "predicted": labels[1].pk}, {queue[0].pk, queue[1].pk}),
        ({"version": 2, "against": 1}, {queue[0].pk, queue[1].pk}),
        ({"version": 2, "predicted": labels[0].pk, "against": 1}, set()),
    ):
        assert shown(client.get(URL, query)) == expected, query


def test_no_filter_tells_what_a_model_thinks_of_an_unlabelled_holdout_item(
    project: Project, queue: list[Item], bob: User, client_of: ClientOf
) -> None:
    labels, client, held = list(project.labels.all()), client_of(bob), queue[6]
    version_of(project, 1, dict.fromkeys(queue, labels[2]))
    by_prediction = {"version": 1, "predicted": labels[2].pk}
    assert shown(client.get(URL, by_prediction)) == {item.pk for item in queue[:6]}
    listed = client.get(URL, {"split": "holdout", "version": 1}).content.decode()
    assert ">predicted<" not in listed
    page = client.get(f"{URL}{held.pk}/").content.decode()
    assert "Hidden until people have labelled it" in page
    assert "0.90" not in page
    assert "0.90" in client.get(f"{URL}{queue[0].pk}/").content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"truth": "1 OR 1=1"},
        {"truth": "99999999999999999999"},
        {"split": "pool' --"},
        {"reason": "x"},
        {"version": "7"},
        {"predicted": "1e99"},
        {"q": "x" * 201},
    ],
)
def test_a_value_off_the_list_shows_nothing_and_says_so(
    queue: list[Item], bob: User, client_of: ClientOf, wrong: dict[str, str]
) -> None:
    response = client_of(bob).get(URL, wrong)
    assert response.status_code == 422
    assert re.findall(rf'href="{URL}(\d+)/"', response.content.decode()) == []


@pytest.mark.parametrize(
    "path",
    ["resolution__by__password__startswith", "project__memberships__user__email", "_connector", "q__regex", "pk"],
)
def test_a_path_into_the_tables_never_changes_the_rows(
    queue: list[Item], bob: User, client_of: ClientOf, path: str
) -> None:
    everything = {item.pk for item in queue}
    assert shown(client_of(bob).get(URL, {path: "a"})) == everything


def test_pages_follow_each_other_without_gaps_and_a_foreign_mark_is_refused(
    project: Project, bob: User, client_of: ClientOf
) -> None:
    made = make.items(project, 120)
    client, seen, query = client_of(bob), set(), ""
    for _ in range(3):
        page = client.get(URL + query, headers={"HX-Request": "true"})
        new = shown(page)
        assert not new & seen
        seen |= new
        more = re.search(r'href="[^"]*(\?[^"]*after=[^"]*)"', page.content.decode())
        query = more.group(1).replace("&amp;", "&") if more else ""
    assert seen == {item.pk for item in made}
    assert not query
    assert "<html" not in page.content.decode()
    assert client.get(URL, {"after": "%%%"}).status_code == 422


def test_a_list_asks_the_database_the_same_few_questions_however_long(
    project: Project, bob: User, client_of: ClientOf
) -> None:
    client = client_of(bob)
    counts = []
    for n in (5, 40):
        make.items(project, n)
        client.get(URL)
        with CaptureQueriesContext(connection) as asked:
            client.get(URL)
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 24


def test_the_margin_tells_the_whole_history(
    project: Project, queue: list[Item], bob: User, client_of: ClientOf
) -> None:
    labels = list(project.labels.all())
    said = make.answer_next(project, bob, labels[0].pk).annotation
    services.undo(project, bob)
    make.answer_next(project, bob, labels[1].pk)
    page = client_of(bob).get(reverse("item", args=["bank", said.item_id])).content.decode()
    for words in ("took the answer back", "card arrival", "exchange rate", "revision 3", "Drawn at random", "1 of 1"):
        assert words in page, words
    assert "Change my answer" in page


@pytest.mark.parametrize("nasty", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<b hx-get=/x>"])
def test_what_people_wrote_is_only_ever_text(project: Project, bob: User, client_of: ClientOf, nasty: str) -> None:
    (item,) = make.items(project, 1)
    evil = Item.objects.create(
        project=project,
        external_id=nasty,
        text=nasty,
        text_hash=item.text_hash,
        split="pool",
        subject=nasty,
        meta={nasty: nasty},
    )
    Label.objects.filter(project=project).update(description=nasty)
    Label.objects.filter(pk=project.labels.all()[0].pk).update(name=nasty)
    services.take_in(project)
    client = client_of(bob)
    for _ in range(2):
        make.answer_next(project, bob, project.labels.all()[0].pk)
    for url in (URL, f"{URL}?q=a&truth=some", f"{URL}{evil.pk}/"):
        page = client.get(url).content.decode()
        assert nasty not in page


def test_an_item_of_another_project_is_not_found(queue: list[Item], bob: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    (foreign,) = make.items(other, 1)
    assert client_of(bob).get(f"{URL}{foreign.pk}/").status_code == 404
    assert foreign.pk not in shown(client_of(bob).get(URL))


def test_an_empty_project_says_what_to_do_next(project: Project, bob: User, client_of: ClientOf) -> None:
    assert "Items are the texts that people label" in client_of(bob).get(URL).content.decode()
