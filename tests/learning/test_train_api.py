from collections.abc import Callable

import pytest
from django.test import Client
from rest_framework.test import APIClient

from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.learning.models import LiveHead, SearchTrial, TrainingRun
from apps.learning.services import evaluation
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


@pytest.mark.parametrize(
    "path",
    ["versions/9/", "versions/9/compare/", "versions/9/card/", "versions/9/family/", "runs/999/", "runs/999/trials/"],
)
def test_what_is_not_there_is_404(project: Project, manager: APIClient, path: str) -> None:
    assert manager.get(BASE + path).status_code == 404
    assert manager.post(f"{BASE}promote/", {"version": 9}, format="json").status_code == 404


def test_nothing_given_makes_what_suits_the_data(project: Project, manager: APIClient) -> None:
    add_items(project, 5)
    suggested = manager.get(f"{BASE}runs/suggestion/", {"encoder": NGRAMS}).data
    assert suggested["kind"] == "head"
    assert "n-grams" in suggested["reasons"]["kind"]
    assert suggested["settings"]["method"] == "full"
    assert manager.post(f"{BASE}runs/", {"encoder": NGRAMS}, format="json").data["kind"] == "head"


def test_every_setting_of_a_run_can_be_given(project: Project, manager: APIClient) -> None:
    add_items(project, 20)
    make_version(project, 1, kind="transformer", encoder="minilm-l6")
    body = {"method": "lora", "options": {"rank": 4, "balance": "weights"}, "parents": [1], "encoder": "minilm-l6"}
    made = manager.post(f"{BASE}runs/", body, format="json")
    assert made.status_code == 201, made.data
    assert made.data["kind"] == "transformer"
    config = made.data["config"]
    assert (config["method"], config["options"]["rank"], config["parents"]) == ("lora", 4, [1])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "transformer", "encoder": "minilm-l6", "options": {"magic": 1}}, "options"),
        ({"kind": "transformer", "encoder": "minilm-l6", "options": {"rank": 0}}, "options"),
        ({"kind": "transformer", "encoder": NGRAMS}, "encoder"),
        ({"kind": "onnx"}, "parents"),
        ({"kind": "onnx", "parents": [7]}, "parents"),
    ],
)
def test_what_cannot_work_names_its_field(
    project: Project, manager: APIClient, body: dict[str, object], field: str
) -> None:
    add_items(project, 20)
    answer = manager.post(f"{BASE}runs/", body, format="json")
    assert (answer.status_code, answer.data["field"]) == (422, field)
    assert not TrainingRun.objects.exists()


def test_the_trials_of_a_search_name_the_best(project: Project, manager: APIClient) -> None:
    run = TrainingRun.objects.create(project=project, kind="search", state="running")
    for number, (value, state) in enumerate([(0.7, "complete"), (0.9, "pruned"), (0.8, "complete"), (None, "running")]):
        SearchTrial.objects.create(run=run, number=number, params={"epochs": number}, value=value, state=state)
    rows = manager.get(f"{BASE}runs/{run.pk}/trials/").data
    assert [row["number"] for row in rows if row["best"]] == [2]
    assert rows[1]["params"] == {"epochs": 1}


def test_the_card_and_the_kin_of_a_version(project: Project, manager: APIClient) -> None:
    held = add_items(project, 20, split="holdout")
    first = make_version(project, 1, kind="transformer", metrics={"size_bytes": 9_000, "latency_ms": 7.5})
    config = {"made_by": "onnx", "parents": [1], "int8": True}
    made_of_it = make_version(project, 2, kind="onnx", config=config, metrics={"parity": {"n": 9, "agreement": 1.0}})
    make_version(project, 3)
    predict(first, right_but(held, list(project.labels.all()), 6))
    evaluation.evaluate(first)
    kin = manager.get(f"{BASE}versions/2/family/").data
    assert [(row["number"], row["parents"]) for row in kin] == [(1, []), (2, [1])]
    assert (kin[0]["metric"], kin[0]["value"], kin[0]["latency_ms"]) == ("accuracy", 0.9, 7.5)
    assert kin[1]["parity"]["agreement"] == 1.0
    card = manager.get(f"{BASE}versions/{made_of_it.number}/card/").data
    assert card["kind"] == "onnx"
    assert any("not measured" in sentence for sentence in card["limits"])
    assert manager.get(f"{BASE}versions/1/card/").data["evaluation"]["n"] == 60


def test_sampling_and_encoder_are_read_and_changed(project: Project, manager: APIClient, vic: User) -> None:
    found = manager.get(f"{BASE}setup/").data
    assert found["strategy"] == "auto"
    assert {"auto", "random", "margin"} <= {each["name"] for each in found["strategies"]}
    changed = manager.patch(f"{BASE}setup/", {"strategy": "margin", "encoder": NGRAMS}, format="json")
    assert (changed.data["strategy"], changed.data["encoder"]) == ("margin", NGRAMS)
    project.refresh_from_db()
    assert (project.strategy, project.encoder, project.encoder_runtime) == ("margin", NGRAMS, "auto")
    refused = manager.patch(f"{BASE}setup/", {"strategy": "mnlp"}, format="json")
    assert (refused.status_code, refused.data["field"]) == (422, "strategy")
    assert api(vic, "manage").patch(f"{BASE}setup/", {"strategy": "random"}, format="json").status_code == 403
    assert manager.patch(f"{BASE}setup/", {"encoder": "x?pooling=magic"}, format="json").status_code == 422


def test_stopping_is_advice_once_there_is_something_to_go_by(project: Project, manager: APIClient) -> None:
    assert manager.get(f"{BASE}stopping/").status_code == 204
    rounds = [{"labels": 100 + 50 * n, "classes": 3, "agreement": 1.0, "score": 0.9} for n in range(8)]
    LiveHead.objects.create(project=project, stability={"rounds": rounds})
    found = manager.get(f"{BASE}stopping/").data
    assert (found["stop"], found["reason"], found["next_labels"]) == (True, "stable", 50)
    assert "would hardly improve" in found["sentence"]
