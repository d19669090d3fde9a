from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.projects.models import Label, Project
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
API = "/api/v1/projects/"
JSON: dict[str, Any] = {"content_type": "application/json"}


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def test_my_projects_are_listed_in_pages(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    for n in range(3):
        client.post(API, {"name": f"P {n}"}, **JSON)
    first = client.get(API, {"limit": 3}).json()
    second = client.get(API, {"limit": 3, "after": first["next"]}).json()
    assert [row["slug"] for row in first["results"] + second["results"]] == ["bank", "p-0", "p-1", "p-2"]
    assert second["next"] is None


def test_a_stranger_sees_no_project(charlie: User, project: Project, client_of: ClientOf) -> None:
    assert client_of(charlie).get(API).json()["results"] == []
    assert client_of(charlie).get(f"{API}bank/").status_code == 404


def test_a_project_is_made_with_its_labels(client: Client, alice: User) -> None:
    User.objects.filter(pk=alice.pk).update(is_superuser=True)
    body = {"name": "Reviews", "language": "zh-hans", "encoder": "char-ngrams", "labels": ["good", "bad"], "seed": 7}
    response = client.post(API, body, **JSON)
    assert response.status_code == 201
    made = Project.objects.get(slug=response.json()["slug"])
    assert list(made.labels.values_list("name", flat=True)) == ["good", "bad"]
    assert (made.seed, made.encoder) == (7, "char-ngrams")


def test_only_superusers_make_projects(client: Client) -> None:
    response = client.post(API, {"name": "Mine"}, **JSON)
    assert response.status_code == 403
    assert not Project.objects.filter(name="Mine").exists()


def test_a_project_is_changed_in_part(client: Client, project: Project) -> None:
    response = client.patch(f"{API}bank/", {"wanted": 3, "slug": "stolen"}, **JSON)
    assert response.json()["wanted"] == 3
    project.refresh_from_db()
    assert (project.wanted, project.slug, project.name) == (3, "bank", "Bank questions")


def test_what_cannot_be_names_its_field(client: Client, project: Project) -> None:
    response = client.patch(f"{API}bank/", {"wanted": 99}, **JSON)
    assert response.status_code == 400
    assert "wanted" in response.json()


@pytest.mark.parametrize(("after", "status"), [("x", 422), ("MQ", 200)])
def test_a_forged_page_mark_is_refused(client: Client, after: str, status: int) -> None:
    assert client.get(API, {"after": after}).status_code == status


@pytest.mark.parametrize("limit", ["0", "501", "1e999999999", "x"])
def test_a_page_size_out_of_bounds_is_refused(client: Client, limit: str) -> None:
    assert client.get(API, {"limit": limit}).status_code == 400


@pytest.mark.parametrize("name", ["owner__password__startswith", "memberships__user__email", "_connector"])
def test_a_filter_that_we_do_not_name_changes_nothing(client: Client, name: str) -> None:
    assert client.get(API, {name: "x"}).json() == client.get(API).json()


def test_labels_are_listed_added_changed_and_archived(client: Client, project: Project) -> None:
    url = f"{API}bank/labels/"
    made = client.post(url, {"name": "refund", "hotkey": "r"}, **JSON).json()
    assert (made["position"], made["archived"]) == (4, False)
    client.patch(f"{url}{made['id']}/", {"description": "money back", "place": 1}, **JSON)
    changed = client.patch(f"{url}{made['id']}/", {"archived": True}, **JSON).json()
    assert (changed["description"], changed["archived"], changed["hotkey"]) == ("money back", True, "")
    rows = client.get(url).json()["results"]
    assert [row["name"] for row in rows] == ["card arrival", "exchange rate", "top up failed", "refund"]


def test_a_double_name_is_refused_with_its_field(client: Client) -> None:
    response = client.post(f"{API}bank/labels/", {"name": "card arrival"}, **JSON)
    assert response.status_code == 422
    assert response.json()["field"] == "name"


def test_a_label_of_another_project_is_not_found_through_mine(client: Client) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    foreign = Label.objects.create(project=other, name="foreign")
    response = client.patch(f"{API}bank/labels/{foreign.pk}/", {"name": "mine"}, **JSON)
    assert response.status_code == 404


def test_members_are_for_administrators(client: Client, bob: User, client_of: ClientOf) -> None:
    emails = [row["email"] for row in client.get(f"{API}bank/members/").json()["results"]]
    assert emails == ["alice@example.org", "bob@example.org"]
    assert client_of(bob).get(f"{API}bank/members/").status_code == 403


def test_an_error_is_json_and_gives_nothing_away(client: Client) -> None:
    response = client.get(f"{API}nothing/", headers={"Accept": "text/html"})
    assert response.status_code in {404, 406}
    assert response.headers["Content-Type"].startswith("application/json")


def test_broken_json_is_refused(client: Client) -> None:
    assert client.patch(f"{API}bank/", '{"name": ', **JSON).status_code == 400
    assert client.patch(f"{API}bank/", '{"random_share": NaN}', **JSON).status_code == 400
