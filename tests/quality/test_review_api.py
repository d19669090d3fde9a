"""Reviewing for machines."""

import pytest

from apps.accounts.models import User
from apps.annotation.models import Annotation, Resolution
from apps.projects.models import Project
from apps.quality import review_queries as queries
from apps.quality.models import Adjudication, Review
from apps.quality.review_queries import Sampling
from apps.quality.services import reviews
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.test_review import answered, say

pytestmark = pytest.mark.django_db
BASE = "/api/v1/projects/bank/reviews/"
JSON = "application/json"


def test_the_sample_is_the_pages_with_the_same_filters(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    first, second = project.labels.all()[:2]
    sure = answered(project, bob, 2, label=first, confidence=0.95)
    unsure = answered(project, bob, 1, label=second, confidence=0.3)[0]
    client = client_of(rita)
    body = client.get(f"{BASE}sample/").json()
    assert [row["annotation"] for row in body["results"]] == queries.sample(project, rita, Sampling()).waiting
    assert (body["size"], body["looked_at"]) == (3, 0)
    by_label = client.get(f"{BASE}sample/", {"label": second.pk}).json()["results"]
    assert [(row["annotation"], row["annotator"], row["label"]) for row in by_label] == [(unsure.pk, bob.pk, second.pk)]
    high = client.get(f"{BASE}sample/", {"confidence": "high", "annotator": bob.pk, "limit": 1}).json()
    assert (high["size"], len(high["results"])) == (2, 1)
    assert high["results"][0]["annotation"] in {said.pk for said in sure}
    assert client.get(f"{BASE}sample/", {"each": 1}).json()["size"] == 1
    for wrong in ({"confidence": "odd"}, {"label": "x"}, {"each": 0}):
        assert client.get(f"{BASE}sample/", wrong).status_code == 422
    assert client_of(bob).get(f"{BASE}sample/").status_code == 403


def test_an_answer_is_approved_fixed_or_rejected_with_a_reason(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    good, wrong, doubtful = answered(project, bob, 3)
    right, client = project.labels.all()[2], client_of(rita)

    def verdict(said: Annotation, **given: object) -> tuple[int, dict[str, object]]:
        reply = client.post(BASE, {"annotation": said.pk} | given, content_type=JSON)
        return reply.status_code, reply.json()

    assert verdict(good, verdict="approved")[1]["verdict"] == "approved"
    assert verdict(good, verdict="approved")[0] == 409
    assert verdict(wrong, verdict="fixed")[1]["field"] == "label"
    assert verdict(wrong, verdict="fixed", label=right.pk)[0] == 201
    assert Resolution.objects.get(item=wrong.item).label == right
    status, refusal = verdict(doubtful, verdict="rejected")
    assert (status, refusal["field"]) == (422, "reason")
    assert verdict(doubtful, verdict="rejected", reason="It asks for the rate.")[0] == 201
    assert verdict(doubtful, verdict="odd")[0] == 400
    assert client.post(BASE, {"annotation": 0, "verdict": "approved"}, content_type=JSON).status_code == 400
    listed = client.get(BASE, {"limit": 2}).json()
    assert [row["verdict"] for row in listed["results"]] == ["rejected", "fixed"]
    assert [row["verdict"] for row in client.get(BASE, {"after": listed["next"]}).json()["results"]] == ["approved"]
    (author,) = client.get(f"{BASE}authors/").json()["results"]
    assert (author["user"], author["approved"]["right"], author["approved"]["n"]) == (bob.pk, 1, 3)
    assert (author["fixed"], author["rejected"], author["unanswered"]) == (1, 1, 1)


def test_several_labels_are_fixed_with_a_value(project: Project, rita: User, bob: User, client_of: ClientOf) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    first, second = project.labels.all()[:2]
    item = make.items(project, 1)[0]
    said = say(project, bob, item, first)
    given = {"annotation": said.pk, "verdict": "fixed", "value": {"labels": [second.pk]}}
    assert client_of(rita).post(BASE, given, content_type=JSON).status_code == 201
    assert Resolution.objects.get(item=item).value == {"labels": [second.pk]}


def test_the_last_word_is_taken_back_and_waits_with_what_was_said_before(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    said = answered(project, bob, 1)[0]
    client = client_of(rita)
    assert client.post(f"{BASE}undo/").status_code == 409
    reviews.reject(project, said, rita, "Look again.")
    again = say(project, bob, said.item, said.label)  # type: ignore[arg-type]
    reviews.follow()
    reviews.approve(project, again, rita)
    body = client.post(f"{BASE}undo/").json()
    assert body["annotation"] == again.pk
    assert (body["before"]["verdict"], body["before"]["reason"]) == ("rejected", "Look again.")
    (row,) = client.get(f"{BASE}sample/").json()["results"]
    assert (row["annotation"], row["before"]["by"]) == (again.pk, rita.pk)


def test_the_author_sees_what_came_back_and_may_insist(
    project: Project, rita: User, bob: User, client_of: ClientOf
) -> None:
    said = answered(project, bob, 1)[0]
    review = reviews.reject(project, said, rita, "Mind the rate.")
    mine, base = client_of(bob), "/api/v1/projects/bank/sent-back/"
    (row,) = mine.get(base).json()["results"]
    assert (row["id"], row["item"], row["reason"], row["by"]) == (review.pk, said.item_id, "Mind the rate.", "Rita")
    assert client_of(rita).post(f"{base}{review.pk}/insist/", {}, content_type=JSON).status_code == 404
    assert mine.post(f"{base}{review.pk}/insist/", {"words": "No."}, content_type=JSON).status_code == 204
    assert mine.post(f"{base}{review.pk}/insist/", {}, content_type=JSON).status_code == 409
    assert Adjudication.objects.get().comment == "Mind the rate.\nNo."
    assert Review.objects.get().answered_at
