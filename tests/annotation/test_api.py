"""The queue through the API: claim, submit, skip, undo and the lists, for people and for tokens."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from apps.accounts.authentication import digest_of
from apps.accounts.models import ApiToken, User
from apps.annotation import services
from apps.annotation.models import Annotation, Lease, Prediction, Resolution
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from tests.annotation import make
from tests.conftest import ClientOf

URL = "/api/v1/projects/bank/"


@pytest.fixture
def queue(project: Project) -> Project:
    make.items(project, 6)
    services.take_in(project)
    return project


def post(client: Client, path: str, **body: Any) -> Any:
    return client.post(URL + path, body, content_type="application/json")


def with_token(user: User, *scopes: str) -> Client:
    secret = f"mg_{'_'.join(scopes)}"
    ApiToken.objects.create(user=user, name="t", prefix="mg", digest=digest_of(secret), scopes=list(scopes))
    return Client(headers={"Authorization": f"Bearer {secret}"})


def test_a_machine_claims_answers_skips_and_undoes(queue: Project, bob: User) -> None:
    client = with_token(bob, "annotate", "read")
    first, second = post(client, "claim/").json()["leases"]
    assert first["text"].startswith("question")
    label = queue.labels.all()[0]
    key = str(uuid4())
    answer = {"token": first["token"], "key": key, "label": label.pk, "seconds": 1.25}
    done = post(client, "submit/", **answer).json()
    assert (done["kept_as"], done["annotation"]["label"]) == ("answer", label.pk)
    assert done["next"][0]["token"] == second["token"]
    assert post(client, "submit/", **answer).json()["kept_as"] == "repeat"
    assert post(client, "submit/", **answer | {"label": queue.labels.all()[1].pk}).status_code == 409
    left = post(client, "skip/", token=second["token"]).json()["leases"]
    assert second["token"] not in [lease["token"] for lease in left]
    assert post(client, "renew/", tokens=[lease["token"] for lease in left]).json() == {"renewed": 2}
    assert post(client, "undo/", of=key).json()["lease"]["token"] == first["token"]
    assert post(client, "undo/", of=key).json() == {"lease": None}
    assert not Resolution.objects.exists()
    assert Annotation.objects.count() == 2


def test_what_is_wrong_is_said_in_words(queue: Project, bob: User, client_of: ClientOf) -> None:
    client = client_of(bob)
    (token, _) = (lease["token"] for lease in post(client, "claim/").json()["leases"])
    foreign = Label.objects.create(project=Project.objects.create(slug="o", name="O", encoder="x"), name="foreign")
    for body, status in (
        ({}, 400),
        ({"token": token, "key": "no", "label": 1}, 400),
        ({"token": token, "key": str(uuid4()), "label": foreign.pk}, 422),
        ({"token": token, "key": str(uuid4()), "label": 2**63}, 400),
        ({"token": token, "key": str(uuid4()), "label": None}, 422),
        ({"token": str(UUID(int=0)), "key": str(uuid4()), "label": queue.labels.all()[0].pk}, 409),
    ):
        answer = post(client, "submit/", **body)
        assert answer.status_code == status, (body, answer.content)
    assert post(client, "claim/", ahead=21).status_code == 400
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("path", ["claim/", "submit/", "skip/", "undo/", "renew/"])
def test_only_those_who_annotate_here_may_write(
    queue: Project, vic: User, dana: User, charlie: User, bob: User, client_of: ClientOf, path: str
) -> None:
    assert Client().post(URL + path).status_code == 401
    assert post(client_of(charlie), path).status_code == 404
    assert post(client_of(vic), path).status_code == 403
    assert post(client_of(dana), path).status_code == 403
    assert post(with_token(bob, "read"), path).status_code == 403
    assert not Lease.objects.exists()


@pytest.mark.parametrize("path", ["tasks/", "annotations/", "resolutions/"])
def test_lists_come_in_pages_that_join_without_gaps(
    queue: Project, bob: User, vic: User, charlie: User, client_of: ClientOf, path: str
) -> None:
    for _ in range(5):
        make.answer_next(queue, bob, queue.labels.all()[0].pk)
    client, seen, after = client_of(vic), [], ""
    while True:
        page = client.get(URL + path, {"limit": 2, "after": after}).json()
        seen += [row.get("id", row["item"]) for row in page["results"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert len(seen) == len(set(seen)) == {"tasks/": 6}.get(path, 5)
    assert seen == sorted(seen)
    item = page["results"][0]["item"]
    assert {row["item"] for row in client.get(URL + path, {"item": item}).json()["results"]} == {item}
    for wrong in ({"after": "$$"}, {"limit": 0}, {"limit": 501}, {"item": "1e999"}, {"item": 2**70}):
        assert client.get(URL + path, wrong).status_code in {400, 422}
    whole = client.get(URL + path).json()
    assert client.get(URL + path, {"annotator__password__startswith": "a", "x__y": 1}).json() == whole
    assert client_of(charlie).get(URL + path).status_code == 404


def test_tasks_are_filtered_by_state(queue: Project, bob: User, client_of: ClientOf) -> None:
    make.answer_next(queue, bob, queue.labels.all()[0].pk)
    client = client_of(bob)
    assert len(client.get(URL + "tasks/", {"state": "done"}).json()["results"]) == 1
    assert len(client.get(URL + "tasks/", {"state": "full"}).json()["results"]) == 2
    assert client.get(URL + "tasks/", {"state": "gone"}).status_code == 400


def test_an_items_history_hides_predictions_on_unlabelled_holdout(
    project: Project, bob: User, client_of: ClientOf
) -> None:
    (held,), (free,) = make.items(project, 1, split="holdout"), make.items(project, 1)
    services.take_in(project)
    label = project.labels.all()[0]
    version = ModelVersion.objects.create(
        project=project, number=1, kind="head", encoder="x", label_order=[], seed=0, config={}, path="", digest=""
    )
    for item in (held, free):
        Prediction.objects.create(
            item=item, version=version, label=label, confidence=0.9, margin=0.8, probabilities=[0.9, 0.1]
        )
    client = client_of(bob)
    shown = {item.pk: client.get(f"{URL}items/{item.pk}/history/").json() for item in (held, free)}
    assert shown[held.pk]["predictions"] == []
    assert [row["version"] for row in shown[free.pk]["predictions"]] == [1]
    for _ in range(2):
        make.answer_next(project, bob, label.pk)
    after = client.get(f"{URL}items/{held.pk}/history/").json()
    assert len(after["predictions"]) == 1
    assert (after["resolution"]["label"], len(after["annotations"]), len(after["tasks"])) == (label.pk, 1, 1)


def test_an_item_of_another_project_is_not_found(queue: Project, bob: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    (foreign,) = make.items(other, 1)
    assert client_of(bob).get(f"{URL}items/{foreign.pk}/history/").status_code == 404
