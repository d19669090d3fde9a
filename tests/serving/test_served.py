"""What was served: who may read it, and how it is forgotten."""

import hashlib
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.registry.models import ModelVersion
from apps.serving import queries
from apps.serving.models import Served, ServingPolicy
from apps.serving.services import keeping
from tests.conftest import ClientOf
from tests.learning.teach import make_version
from tests.serving.conftest import deploy

URL = "/api/v1/projects/bank/served/"


@pytest.fixture
def version(project: Project) -> ModelVersion:
    return make_version(project, 1)


def serve(version: ModelVersion, n: int, *, days_ago: float = 0, **changes: object) -> list[Served]:
    at = timezone.now() - timedelta(days=days_ago)
    label = version.project.labels.all()[0]
    values = {"confidence": 0.9, "probabilities": [0.9, 0.05, 0.05], "label": label, "shown": label, "propensity": 1.0}
    return Served.objects.bulk_create(
        Served(
            project=version.project,
            version=version,
            text_hash=hashlib.sha256(str(place).encode()).digest(),
            at=at - timedelta(seconds=place),
            **(values | changes),
        )
        for place in range(n)
    )


def test_rows_come_newest_first_page_by_page_without_repeats(
    version: ModelVersion, vic: User, client_of: ClientOf
) -> None:
    made = serve(version, 25)
    Served.objects.filter(pk__in=[row.pk for row in made[5:15]]).update(at=made[5].at)  # equal times
    client, seen, after = client_of(vic), [], ""
    while True:
        body = client.get(URL, {"limit": 7, "after": after}).json()
        seen += [row["id"] for row in body["results"]]
        after = body["next"]
        if after is None:
            break
    assert len(seen) == len(set(seen)) == 25
    assert seen[0] == str(made[0].pk)
    assert seen[-1] == str(made[-1].pk)


def test_rows_are_found_by_the_hosts_own_ids(version: ModelVersion, vic: User, client_of: ClientOf) -> None:
    project = version.project
    serve(version, 3)
    (mine,) = serve(version, 1, external_id="t-9", subject=pseudonym(project, "user-42"))
    (old,) = serve(version, 1, days_ago=3, external_id="t-9")
    client = client_of(vic)
    assert [row["id"] for row in client.get(URL, {"external_id": "t-9"}).json()["results"]] == [
        str(mine.pk),
        str(old.pk),
    ]
    assert [row["id"] for row in client.get(URL, {"subject": "user-42"}).json()["results"]] == [str(mine.pk)]
    since = (timezone.now() - timedelta(days=1)).isoformat()
    assert [row["id"] for row in client.get(URL, {"external_id": "t-9", "since": since}).json()["results"]] == [
        str(mine.pk)
    ]
    found = client.get(f"{URL}{mine.pk}/").json()
    assert (found["label"], found["version"], found["subject"]) == ("card arrival", 1, pseudonym(project, "user-42"))


@pytest.mark.parametrize("mark", ["x", "bm9uc2Vuc2U", "4pi6", "MjAyNnx4"])
def test_a_foreign_page_mark_is_refused(version: ModelVersion, vic: User, client_of: ClientOf, mark: str) -> None:
    assert client_of(vic).get(URL, {"after": mark}).status_code == 422


def test_rows_of_another_project_are_not_there(version: ModelVersion, vic: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    foreign = make_version(other, 1)
    (row,) = Served.objects.bulk_create(
        [Served(project=other, version=foreign, text_hash=b"0" * 32, confidence=0.5, at=timezone.now())]
    )
    assert client_of(vic).get(f"{URL}{row.pk}/").status_code == 404
    assert client_of(vic).get(f"/api/v1/projects/other/served/{row.pk}/").status_code == 404


def test_old_rows_are_forgotten_by_the_days_of_their_project(
    version: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "SLICE", 10)
    serve(version, 25, days_ago=8)
    serve(version, 4, days_ago=6)
    assert keeping.forget_old() == 0  # 90 days unless said otherwise
    ServingPolicy.objects.create(project=version.project, keep_days=7)
    assert keeping.forget_old(budget=0) == 10  # a round ends in time; the next goes on
    assert keeping.forget_old() == 15
    assert Served.objects.count() == 4


def test_one_persons_pseudonym_differs_between_projects_and_hides_the_key(project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    mine = pseudonym(project, "user-42")
    assert mine == pseudonym(project, "user-42") != pseudonym(other, "user-42")
    assert mine != pseudonym(project, "user-43")
    assert pseudonym(project, "") == ""


def test_what_is_asked_most_lately_is_kept_loaded_first(project: Project, version: ModelVersion) -> None:
    deploy(project, version)
    quiet = Project.objects.create(slug="quiet", name="Quiet", encoder="char-ngrams")
    deploy(quiet, make_version(quiet, 1))
    newer = make_version(quiet, 2)
    deploy(quiet, newer)
    archived = Project.objects.create(slug="gone", name="Gone", encoder="char-ngrams", archived_at=timezone.now())
    deploy(archived, make_version(archived, 1))
    assert queries.most_wanted(5) == [newer, version]  # nobody was asked yet: the newest deployment first
    serve(version, 1)
    assert queries.most_wanted(5) == [version, newer]
    assert queries.most_wanted(1) == [version]


def test_the_rules_are_changed_on_the_page_and_through_the_api(
    project: Project, alice: User, vic: User, client_of: ClientOf, client: Client
) -> None:
    page = client_of(alice).get("/p/bank/settings/serving/").content.decode()
    assert "No model serves this project yet." in page
    assert "/api/v1/projects/bank/predict" in page
    sent = {"threshold": "0.4", "explore": "0.05", "keep_days": "30"}
    assert client_of(alice).post("/p/bank/settings/serving/", sent).status_code == 302
    policy = ServingPolicy.objects.get(project=project)
    assert (policy.threshold, policy.explore, policy.keep_days) == (0.4, 0.05, 30)
    for wrong in ({"explore": "0.5"}, {"threshold": "1.2"}, {"keep_days": "0"}):
        assert client_of(alice).post("/p/bank/settings/serving/", sent | wrong).status_code == 422
    api = "/api/v1/projects/bank/serving/"
    assert client_of(vic).get(api).json() == {"keep_days": 30, "threshold": 0.4, "explore": 0.05}
    changed = client_of(alice).patch(api, {"explore": 0.1}, content_type="application/json")
    assert changed.json() == {"keep_days": 30, "threshold": 0.4, "explore": 0.1}
    assert client_of(vic).patch(api, {"explore": 0.1}, content_type="application/json").status_code == 403
    assert client_of(vic).get("/p/bank/settings/serving/").status_code == 403
