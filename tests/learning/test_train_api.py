from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.learning.models import TrainingRun
from apps.projects.models import Project
from apps.registry import queries as registry
from apps.registry.models import Deployment
from tests.learning.teach import NGRAMS, add_items, make_version, predict, right_but

BASE = "/api/v1/projects/bank/"
ClientOf = Callable[[User], Client]


def api(user: User, *scopes: str) -> APIClient:
    _row, secret = accounts.make_token(user, name="tests", scopes=list(scopes), days=None)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


@pytest.fixture
def manager(alice: User) -> APIClient:
    return api(alice, "manage")


def test_a_run_is_made_seen_and_cancelled(project: Project, manager: APIClient) -> None:
    add_items(project, 5)
    made = manager.post(f"{BASE}runs/", {"kind": "head", "encoder": NGRAMS, "seed": 3}, format="json")
    assert made.status_code == 201, made.data
    assert (made.data["state"], made.data["seed"], made.data["version"]) == ("queued", 3, None)
    pk = made.data["id"]
    assert manager.get(f"{BASE}runs/{pk}/").data == made.data
    assert [run["id"] for run in manager.get(f"{BASE}runs/").data["results"]] == [pk]
    assert manager.post(f"{BASE}runs/{pk}/cancel/").data["state"] == "cancelled"
    assert manager.post(f"{BASE}runs/{pk}/cancel/").status_code == 200


def test_a_refusal_is_a_sentence(project: Project, manager: APIClient) -> None:
    answer = manager.post(f"{BASE}runs/", {"kind": "head"}, format="json")
    assert answer.status_code == 409
    assert "at least two labels" in answer.data["detail"]
    assert manager.post(f"{BASE}runs/", {"kind": "magic"}, format="json").status_code == 400
    assert not TrainingRun.objects.exists()


def test_versions_compare_promote_and_roll_back(project: Project, manager: APIClient) -> None:
    labels = list(project.labels.all())
    held = add_items(project, 60, split="holdout")
    live, worse = make_version(project, 1), make_version(project, 2)
    predict(live, right_but(held, labels, 10))
    predict(worse, right_but(held, labels, 50))
    listed = manager.get(f"{BASE}versions/").data["results"]
    assert [(version["number"], version["live"]) for version in listed] == [(2, False), (1, False)]
    first = manager.post(f"{BASE}promote/", {"version": 1}, format="json")
    assert first.status_code == 201
    assert (first.data["sequence"], first.data["version"], first.data["previous"]) == (1, 1, None)
    verdict = manager.get(f"{BASE}versions/2/compare/").data
    assert verdict["kind"] == "worse"
    assert len(verdict["breaks"]) == 40
    assert manager.get(f"{BASE}versions/1/compare/", {"against": 2}).data["kind"] == "better"
    refused = manager.post(f"{BASE}promote/", {"version": 2}, format="json")
    assert (refused.status_code, refused.data["field"]) == (422, "why")
    stale = manager.post(f"{BASE}promote/", {"version": 2, "why": "test", "seen": 0}, format="json")
    assert stale.status_code == 409
    assert manager.post(f"{BASE}promote/", {"version": 2, "why": "test", "seen": 1}, format="json").status_code == 201
    assert manager.get(f"{BASE}versions/2/").data["live"]
    back = manager.post(f"{BASE}rollback/", {"version": 1, "why": "complaints"}, format="json")
    assert (back.data["kind"], back.data["previous"]) == ("rollback", 2)
    rows = manager.get(f"{BASE}deployments/").data["results"]
    assert [row["sequence"] for row in rows] == [3, 2, 1]
    assert str(registry.live_version(project)) == "v1"


def test_a_token_may_do_no_more_than_its_scope_and_its_owner(
    project: Project, alice: User, bob: User, vic: User, charlie: User
) -> None:
    add_items(project, 5)
    make_version(project, 1)
    for client in (api(alice, "read"), api(alice, "annotate"), api(bob, "manage"), api(vic, "manage")):
        assert client.post(f"{BASE}runs/", {"kind": "head", "encoder": NGRAMS}, format="json").status_code == 403
        assert client.post(f"{BASE}promote/", {"version": 1}, format="json").status_code == 403
        assert client.post(f"{BASE}rollback/", {"version": 1}, format="json").status_code == 403
    assert api(vic, "read").get(f"{BASE}versions/1/").status_code == 200
    assert api(charlie, "manage").get(f"{BASE}runs/").status_code == 404
    assert APIClient().get(f"{BASE}runs/").status_code in (401, 403)
    assert not Deployment.objects.exists()
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize("path", ["versions/9/", "versions/9/compare/", "runs/999/"])
def test_what_is_not_there_is_404(project: Project, manager: APIClient, path: str) -> None:
    assert manager.get(BASE + path).status_code == 404
    assert manager.post(f"{BASE}promote/", {"version": 9}, format="json").status_code == 404
