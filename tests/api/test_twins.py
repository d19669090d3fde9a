"""Small things that the pages could and the API could not: both do them over the same services."""

import pytest

from apps.accounts.models import User
from apps.annotation.models import Change, Comment, Resolution
from apps.annotation.services.comments import comment
from apps.explore.models import SavedView
from apps.projects.models import Project
from apps.quality.models import Suspect, SuspectRun
from tests.annotation import make
from tests.conftest import ClientOf

pytestmark = pytest.mark.django_db
BASE = "/api/v1/projects/bank/"
JSON = "application/json"


def test_a_comment_is_removed_by_its_author_or_a_reviewer(
    project: Project, bob: User, alice: User, rita: User, client_of: ClientOf
) -> None:
    item = make.items(project, 1)[0]
    mine, other = comment(project, item, bob, "Hm."), comment(project, item, alice, "Ah.")
    client, base = client_of(bob), f"{BASE}items/{item.pk}/comments/"
    assert client.delete(f"{base}{mine.pk}/").status_code == 204
    assert client.delete(f"{base}{other.pk}/").status_code == 409
    assert client_of(rita).delete(f"{base}{other.pk}/").status_code == 204
    assert not Comment.objects.filter(deleted_at=None).exists()
    assert client.delete(f"{BASE}items/{item.pk + 1}/comments/{mine.pk}/").status_code == 404


def test_a_kept_view_is_deleted_by_its_owner_alone(
    project: Project, bob: User, rita: User, client_of: ClientOf
) -> None:
    mine = SavedView.objects.create(project=project, by=rita, name="mine", shared=True)
    where = f"{BASE}explore/views/{mine.pk}/"
    assert client_of(bob).delete(where).status_code == 409
    assert client_of(rita).delete(where).status_code == 204
    assert client_of(rita).delete(where).status_code == 404


def test_an_act_on_many_is_previewed_and_matches_are_counted(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    items = make.items(project, 3)
    Resolution.objects.create(item=items[0], project=project, split="pool", label=project.labels.all()[0], how="single")
    client = client_of(rita)
    where = f"{BASE}explore/bulk/preview/"
    said = client.post(where, {"items": [item.pk for item in items]}, content_type=JSON).json()
    assert (said["n"], said["free"], said["pool"], said["labelled"]) == (3, 3, 3, 1)
    assert client.post(where, {"filters": {}}, content_type=JSON).json()["n"] == 3
    assert client.post(where, {}, content_type=JSON).status_code == 422
    assert client_of(bob).post(where, {"filters": {}}, content_type=JSON).status_code == 403
    assert client.get(f"{BASE}explore/amount/").json() == {"n": 3, "about": False}
    assert client.get(f"{BASE}explore/amount/", {"sort": "odd"}).status_code == 422


def test_what_a_merge_would_touch_is_counted(project: Project, alice: User, client_of: ClientOf) -> None:
    first, second = project.labels.all()[:2]
    for item, label in zip(make.items(project, 3), (first, first, second), strict=True):
        Resolution.objects.create(item=item, project=project, split="pool", label=label, how="single")
    client, where = client_of(alice), f"{BASE}labels/touched/"
    assert client.get(where, {"label": first.pk}).json() == {"truths": 2, "gold": 0, "holdout": 0, "answers": 0}
    assert client.get(where, {"label": [first.pk, second.pk]}).json()["truths"] == 3
    assert client.get(where).status_code == 400


def test_the_list_of_changes_says_what_was_done(project: Project, rita: User, client_of: ClientOf) -> None:
    Change.objects.create(project=project, kind=Change.Kind.MERGE, what={"from": ["a"], "to": "b"}, n=2)
    Change.objects.create(project=project, kind=Change.Kind.SET, what={"left_out": {"gold": 1}}, n=1)
    newest, oldest = client_of(rita).get(f"{BASE}changes/").json()["results"]
    assert (oldest["in_words"], oldest["beside"]) == ("“a” became “b”", "")
    assert newest["beside"] == "1 item stayed as it was."


def test_everybody_has_their_own_figures_and_sees_others_where_the_lead_wants_it(
    project: Project, bob: User, vic: User, client_of: ClientOf
) -> None:
    client = client_of(bob)
    said = client.get(f"{BASE}my-work/").json()
    assert (said["mine"]["email"], said["mine"]["items"], said["everybody"]) == ("bob@example.org", 0, [])
    Project.objects.update(ranking_shown=True)
    assert [row["email"] for row in client.get(f"{BASE}my-work/").json()["everybody"]] == ["bob@example.org"]
    assert client.get(f"{BASE}my-work/", {"start": "2026-02-01", "end": "2026-01-01"}).status_code == 422
    assert client_of(vic).get(f"{BASE}my-work/").status_code == 403


def test_a_doubted_label_is_put_right_and_asking_is_stopped(project: Project, rita: User, client_of: ClientOf) -> None:
    item, label = make.items(project, 1)[0], project.labels.all()[0]
    client = client_of(rita)
    assert client.post(f"{BASE}label-errors/stop/", {}, content_type=JSON).status_code == 409
    run = SuspectRun.objects.create(project=project, state="succeeded")
    doubt = Suspect.objects.create(
        run=run, item=item, label=label, suggested=project.labels.all()[1], score=0.1, rank=1
    )
    right = project.labels.all()[2]
    where = f"{BASE}label-errors/{doubt.pk}/judge/"
    assert client.post(where, {"verdict": "fixed"}, content_type=JSON).status_code == 422
    said = client.post(where, {"verdict": "fixed", "label": right.pk}, content_type=JSON).json()
    assert said["state"] == "wrong"
    assert Resolution.objects.get(item=item).label == right
    assert client.post(f"{BASE}label-errors/stop/", {"stopped": True}, content_type=JSON).status_code == 204
    run.refresh_from_db()
    assert run.stopped_at
    client.post(f"{BASE}label-errors/stop/", {"stopped": False}, content_type=JSON)
    run.refresh_from_db()
    assert run.stopped_at is None
