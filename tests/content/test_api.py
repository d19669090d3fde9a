import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.models import User
from apps.content import services
from apps.content.models import ImportJob, Item
from apps.projects.models import Project
from tests.conftest import ClientOf
from tests.content.make import imported, run_to_end

pytestmark = pytest.mark.django_db

BASE = "/api/v1/projects/bank"
CONTENT = b"id,text,label\n1,where is my card,card arrival\n2,,x\n"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    jobs: list[int] = []
    monkeypatch.setattr("apps.content.tasks.import_file.delay_on_commit", jobs.append)
    return jobs


@pytest.fixture
def client(client_of: ClientOf, alice: User) -> Client:
    return client_of(alice)


def post(client: Client, url: str, body: Any) -> Any:
    return client.post(BASE + url, json.dumps(body), content_type="application/json")


def test_a_file_is_uploaded_mapped_started_and_followed(client: Client, started: list[int]) -> None:
    response = client.post(f"{BASE}/imports/", {"file": SimpleUploadedFile("q.csv", CONTENT)})
    assert response.status_code == 201
    body = response.json()
    assert (body["state"], body["columns"], body["guess"]["text"]) == ("draft", ["id", "text", "label"], "text")
    response = post(client, f"/imports/{body['id']}/start/", {"mapping": body["guess"]})
    assert (response.status_code, response.json()["state"], started) == (200, "queued", [body["id"]])
    run_to_end(ImportJob.objects.get())
    done = client.get(f"{BASE}/imports/{body['id']}/").json()
    assert (done["state"], done["rows_added"], done["rows_skipped"], done["percent"]) == ("succeeded", 1, 1, 100)
    (rejected,) = client.get(f"{BASE}/imports/{body['id']}/rejected/").json()["results"]
    assert rejected == {"line": 3, "reason": "The text is empty.", "excerpt": ""}


def test_a_file_with_its_mapping_starts_at_once(client: Client, started: list[int]) -> None:
    for mapping in ('"guess"', '{"text": "text"}'):
        file = SimpleUploadedFile("q.csv", CONTENT)
        response = client.post(f"{BASE}/imports/", {"file": file, "mapping": mapping})
        assert (response.status_code, response.json()["state"]) == (201, "queued")
    assert len(started) == 2


def test_rows_in_the_body_become_a_job(client: Client, started: list[int]) -> None:
    rows = [{"text": "one", "label": "a", "n": 1}, {"text": "two"}]
    response = post(client, "/imports/", {"rows": rows, "mapping": "guess"})
    assert response.status_code == 201
    run_to_end(ImportJob.objects.get())
    assert list(Item.objects.order_by("pk").values_list("text", "meta")) == [("one", {"n": 1}), ("two", {})]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rows": []},
        {"rows": [1]},
        {"rows": "x"},
        {"rows": [{"text": "a"}], "mapping": 7},
        {"rows": [{"text": "a"}], "mapping": {"text": 1}},
        {"rows": [{"text": "a"}], "mapping": {"text": "text", "meta": "text"}},
        {"rows": [{"text": "a"}], "mapping": {"text": "text", "colour": "text"}},
        {"rows": [{"text": "a", "n": 2**80}]},
        {"file": "not a file"},
    ],
)
def test_a_bad_body_is_refused_in_words(client: Client, started: list[int], body: Any) -> None:
    response = post(client, "/imports/", body)
    assert response.status_code in {400, 422}, response.content
    assert started == []


def test_a_running_import_is_cancelled_once(client: Client, project: Project, alice: User) -> None:
    job = services.receive(project, alice, SimpleUploadedFile("q.csv", CONTENT))
    assert post(client, f"/imports/{job.pk}/cancel/", {}).json()["state"] == "cancelled"
    assert post(client, f"/imports/{job.pk}/cancel/", {}).status_code == 409


def test_items_come_in_and_out(client: Client) -> None:
    items = [{"text": "one", "external_id": "1", "meta": {"k": 2}}, {"text": ""}, {"text": "two", "external_id": 2}]
    body = post(client, "/items/", {"items": items}).json()
    assert (body["added"], body["known"], sorted(body["ids"])) == (2, 0, ["1", "2"])
    assert body["rejected"] == [{"index": 1, "reason": "The text is empty."}]
    listed = client.get(f"{BASE}/items/", {"limit": 1}).json()
    assert (listed["results"][0]["text"], listed["results"][0]["meta"]) == ("one", {"k": 2})
    assert client.get(f"{BASE}/items/", {"after": listed["next"]}).json()["results"][0]["text"] == "two"
    assert client.get(f"{BASE}/items/", {"external_id": "2"}).json()["results"][0]["text"] == "two"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"items": "x"},
        {"items": [1]},
        {"items": [{"text": "a"}] * 1001},
    ],
)
def test_bad_items_are_refused_in_words(client: Client, body: Any) -> None:
    assert post(client, "/items/", body).status_code == 422
    assert not Item.objects.exists()


def test_items_without_any_good_one_are_an_answer_not_an_error(client: Client) -> None:
    body = post(client, "/items/", {"items": [{"text": ["a"]}, {"txt": "b"}, {"text": "a\u0000"}]}).json()
    assert (body["added"], len(body["rejected"])) == (0, 3)


@pytest.mark.parametrize("query", ["split=nowhere", "limit=0", "limit=1e999999999", "after=%00", "text__startswith=a"])
def test_a_bad_filter_never_changes_what_is_shown(client: Client, query: str) -> None:
    post(client, "/items/", {"items": [{"text": "a"}, {"text": "b"}]})
    response = client.get(f"{BASE}/items/?{query}")
    assert response.status_code in {400, 422} or len(response.json()["results"]) == 2


def test_who_may_do_what(client_of: ClientOf, project: Project, alice: User, bob: User, charlie: User) -> None:
    job = imported(project, alice, CONTENT)
    for user, status in ((bob, 403), (charlie, 404)):
        other = client_of(user)
        assert post(other, "/items/", {"items": [{"text": "a"}]}).status_code == status
        assert post(other, "/imports/", {"rows": [{"text": "a"}]}).status_code == status
        for url in ("/imports/", f"/imports/{job.pk}/", f"/imports/{job.pk}/rejected/"):
            assert other.get(BASE + url).status_code == status
        assert post(other, f"/imports/{job.pk}/start/", {"mapping": {"text": "text"}}).status_code == status
        assert post(other, f"/imports/{job.pk}/cancel/", {}).status_code == status
    assert client_of(bob).get(f"{BASE}/items/").status_code == 200
    assert client_of(charlie).get(f"{BASE}/items/").status_code == 404
    assert Item.objects.count() == 1
