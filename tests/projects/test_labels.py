import json
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.projects.models import Label, Project
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
URL = "/p/bank/labels/"
HTMX = {"HX-Request": "true"}


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def names(project: Project) -> list[str]:
    return list(Label.objects.filter(project=project, archived_at=None).values_list("name", flat=True))


def label(project: Project, name: str) -> Label:
    return project.labels.get(name=name)


def test_a_label_is_added_at_the_end_with_the_next_colour(client: Client, project: Project) -> None:
    body = {"name": "  lost   card ", "description": "gone", "hotkey": "L"}
    assert client.post(URL, body).status_code == 302
    added = label(project, "lost card")
    assert (added.position, added.color, added.hotkey) == (4, 4, "l")


def test_with_htmx_the_list_alone_comes_back_and_says_what_happened(client: Client, project: Project) -> None:
    response = client.post(URL, {"name": "收费"}, headers=HTMX)
    assert response.content.decode().lstrip().startswith('<div id="labels"')
    assert json.loads(response.headers["HX-Trigger"]) == {"toast": "“收费” added."}
    assert "HX-Request" in response.headers["Vary"]


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"name": "exchange rate"}, "There is a label"),
        ({"name": " "}, "This field is required"),
        ({"name": "new", "hotkey": "1"}, "belongs to “card arrival”"),
        ({"name": "new", "hotkey": "s"}, "works the page"),
        ({"name": "x" * 121}, "at most 120"),
        ({"name": "new", "color": "13"}, "Select a valid choice"),
    ],
)
def test_a_label_that_cannot_be_is_refused_at_its_field(
    client: Client, project: Project, body: dict[str, Any], sentence: str
) -> None:
    for headers in ({}, HTMX):
        response = client.post(URL, body, headers=headers)
        assert response.status_code == 422
        assert sentence in response.content.decode()
    assert project.labels.count() == 3


def test_a_pasted_list_adds_what_is_new(client: Client, project: Project) -> None:
    response = client.post(
        f"{URL}paste/", {"names": "top up failed\r\nage limit\r\n\r\n age  limit\r\nrefund"}, follow=True
    )
    assert names(project) == ["card arrival", "exchange rate", "top up failed", "age limit", "refund"]
    assert "2 labels added. 1 was there already." in response.content.decode()


def test_a_label_is_renamed_recoloured_and_put_elsewhere(client: Client, project: Project) -> None:
    old = label(project, "top up failed")
    body = {"name": "top-up failed", "description": "d", "hotkey": "w", "color": "9", "place": "1"}
    client.post(f"{URL}{old.pk}/", body)
    assert names(project) == ["top-up failed", "card arrival", "exchange rate"]
    old.refresh_from_db()
    assert (old.color, old.hotkey, old.description) == (9, "w", "d")


def test_clearing_key_and_description_clears_them(client: Client, project: Project) -> None:
    old = label(project, "card arrival")
    Label.objects.filter(pk=old.pk).update(description="d")
    client.post(f"{URL}{old.pk}/", {"name": "card arrival", "description": "", "hotkey": "", "color": "1"})
    old.refresh_from_db()
    assert (old.hotkey, old.description) == ("", "")


def test_a_refused_change_stays_open_with_what_was_typed(client: Client, project: Project) -> None:
    old = label(project, "card arrival")
    response = client.post(f"{URL}{old.pk}/", {"name": "exchange rate", "hotkey": "q", "color": "1"}, headers=HTMX)
    page = response.content.decode()
    assert response.status_code == 422
    assert 'value="exchange rate"' in page
    assert 'value="q"' in page
    old.refresh_from_db()
    assert old.name == "card arrival"


@pytest.mark.parametrize(("step", "order"), [("up", "bac"), ("down", "acb")])
def test_a_label_moves_one_place(client: Client, project: Project, step: str, order: str) -> None:
    middle = label(project, "exchange rate")
    client.post(f"{URL}{middle.pk}/move/", {"step": step})
    letters = {"card arrival": "a", "exchange rate": "b", "top up failed": "c"}
    assert "".join(letters[name] for name in names(project)) == order


def test_an_archived_label_is_offered_no_more_frees_its_key_and_comes_back(client: Client, project: Project) -> None:
    old = label(project, "card arrival")
    client.post(f"{URL}{old.pk}/archive/")
    assert names(project) == ["exchange rate", "top up failed"]
    assert client.post(URL, {"name": "other", "hotkey": "1"}).status_code == 302
    assert "Restore it instead" in client.post(URL, {"name": "card arrival"}).content.decode()
    client.post(f"{URL}{old.pk}/archive/", {"restore": "1"})
    assert names(project) == ["exchange rate", "top up failed", "other", "card arrival"]


def test_a_label_of_another_project_is_not_found_through_mine(client: Client, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    foreign = Label.objects.create(project=other, name="foreign")
    for path in ("", "move/", "archive/"):
        assert client.post(f"{URL}{foreign.pk}/{path}", {"name": "mine", "color": "1"}).status_code == 404
    foreign.refresh_from_db()
    assert (foreign.name, foreign.archived_at) == ("foreign", None)


def test_the_list_costs_the_same_for_three_labels_and_for_ninety(
    client: Client, project: Project, django_assert_max_num_queries: Any
) -> None:
    client.post(f"{URL}paste/", {"names": "\n".join(f"label {n}" for n in range(87))})
    with django_assert_max_num_queries(14):
        client.get(URL)
