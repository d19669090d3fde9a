"""Gold items for machines."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.annotation.models import Gold, Resolution
from apps.annotation.services import golds
from apps.content.models import Item
from apps.projects.models import Membership, Project
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.gold import answer_gold

pytestmark = pytest.mark.django_db
BASE = "/api/v1/projects/bank/gold/"
JSON = "application/json"


def test_the_list_says_how_people_do_on_each_and_the_people_how_each_does(
    project: Project, alice: User, bob: User, rita: User, client_of: ClientOf
) -> None:
    label = project.labels.all()[0]
    easy, hard = (golds.make_gold(project, item, alice, label=label) for item in make.items(project, 2))
    for user in make.people(project, 5):
        answer_gold(easy, user, right=True)
        answer_gold(hard, user, right=False)
    answer_gold(easy, bob, right=True)
    client = client_of(rita)
    rows = client.get(BASE).json()["results"]
    assert [(row["item"], row["doubted"]) for row in rows] == [(hard.pk, True), (easy.pk, False)]
    assert (rows[1]["answers"]["right"], rows[1]["answers"]["n"]) == (6, 6)
    assert (rows[0]["label"], rows[0]["text"]) == (label.pk, hard.item.text)
    people = {row["user"]: row for row in client.get(f"{BASE}people/").json()["results"]}
    assert (people[bob.pk]["answers"]["right"], people[bob.pk]["answers"]["n"], people[bob.pk]["seen"]) == (1, 1, 1)
    assert people[rita.pk]["answers"]["share"] is None
    assert client_of(bob).get(BASE).status_code == 403


def test_an_item_becomes_gold_with_an_answer_or_as_it_is(project: Project, rita: User, client_of: ClientOf) -> None:
    plain, decided = make.items(project, 2)
    first, second = project.labels.all()[:2]
    Resolution.objects.create(item=decided, project=project, split="pool", label=second, how="adjudicated")
    client = client_of(rita)
    assert [row["item"] for row in client.get(f"{BASE}candidates/").json()["results"]] == [decided.pk]
    given = {"item": plain.pk, "label": first.pk, "explanation": "It asks when."}
    made = client.post(BASE, given, content_type=JSON)
    assert (made.status_code, made.json()["explanation"]) == (201, "It asks when.")
    as_it_is = client.post(BASE, {"item": decided.pk, "as_it_is": True}, content_type=JSON)
    assert as_it_is.json()["label"] == second.pk
    assert client.get(f"{BASE}{plain.pk}/").json()["label"] == first.pk
    assert client.get(f"{BASE}candidates/").json()["results"] == []


def test_what_cannot_be_gold_is_refused_in_words(project: Project, rita: User, client_of: ClientOf) -> None:
    item, held_out = make.items(project, 1)[0], make.items(project, 1, split="holdout")[0]
    client, label = client_of(rita), project.labels.all()[0]
    none = client.post(BASE, {"item": item.pk}, content_type=JSON)
    assert (none.status_code, none.json()["field"]) == (422, "label")
    undecided = client.post(BASE, {"item": item.pk, "as_it_is": True}, content_type=JSON)
    assert (undecided.status_code, undecided.json()["field"]) == (422, "item")
    assert client.post(BASE, {"item": held_out.pk, "label": label.pk}, content_type=JSON).status_code == 409
    assert client.post(BASE, {"item": 0}, content_type=JSON).status_code == 400
    assert client.post(BASE, {"item": item.pk + 999, "label": label.pk}, content_type=JSON).status_code == 404
    assert not Gold.objects.exists()


def test_values_are_checked_like_answers(project: Project, rita: User, client_of: ClientOf) -> None:
    first, second = project.labels.all()[:2]
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    client, item = client_of(rita), make.items(project, 1)[0]
    made = client.post(BASE, {"item": item.pk, "value": {"labels": [second.pk, first.pk]}}, content_type=JSON)
    assert made.json()["value"] == {"labels": [first.pk, second.pk]}
    wrong = client.post(BASE, {"item": item.pk, "value": {"labels": ["x"]}}, content_type=JSON)
    assert (wrong.status_code, wrong.json()["field"]) == (422, "value")
    Project.objects.filter(pk=project.pk).update(task_kind="spans")
    marked = make.items(project, 1)[0]
    spans = [{"start": 0, "end": 8, "label": first.pk, "quote": "question"}]
    made = client.post(BASE, {"item": marked.pk, "value": {"spans": spans}}, content_type=JSON)
    assert made.json()["value"]["spans"] == spans
    cut = [{"start": 0, "end": 7, "label": first.pk, "quote": "question"}]
    assert client.post(BASE, {"item": marked.pk, "value": {"spans": cut}}, content_type=JSON).status_code == 422


def test_a_list_comes_in_as_a_file_or_as_rows_with_a_sentence_per_wrong_row(
    project: Project, rita: User, client_of: ClientOf
) -> None:
    known = make.items(project, 1)[0]
    rows = [
        {"external_id": known.external_id, "label": "card arrival", "explanation": "It asks when."},
        {"text": "How do I top up?\r\nNow.", "label": "top up failed"},
        {"text": "What is this?", "label": "nonsense"},
        {"text": "half \ud800 a sign", "label": "card arrival"},
        {"external_id": "a\0b", "label": "card arrival"},
    ]
    client = client_of(rita)
    done = client.post(f"{BASE}import/", json.dumps({"rows": rows}), content_type=JSON)
    body = done.json()
    assert (body["made"], body["new_items"]) == (2, 1)
    assert [row["line"] for row in body["refused"]] == [3, 4, 5]
    assert "nonsense" in body["refused"][0]["why"]
    assert Gold.objects.get(item=known).explanation == "It asks when."
    assert Gold.objects.filter(item__text="How do I top up?\nNow.").exists()
    file = SimpleUploadedFile("gold.csv", b"text,label\nWhere is it?,card arrival\n,card arrival\n")
    body = client.post(f"{BASE}import/", {"file": file}).json()
    assert (body["made"], [row["line"] for row in body["refused"]]) == (1, [3])
    assert client.post(f"{BASE}import/", {}, content_type=JSON).status_code == 422
    bad = SimpleUploadedFile("gold.csv", b"1,2\n3,4\n")
    assert client.post(f"{BASE}import/", {"file": bad}).status_code == 422


def test_a_retired_item_is_gone_from_the_list_and_keeps_its_truth(
    project: Project, alice: User, rita: User, client_of: ClientOf
) -> None:
    made = golds.make_gold(project, make.items(project, 1)[0], alice, label=project.labels.all()[0])
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    client = client_of(rita)
    assert client.delete(f"{BASE}{make.items(other, 1)[0].pk}/").status_code == 404
    assert client.delete(f"{BASE}{made.pk}/").status_code == 204
    assert client.get(f"{BASE}{made.pk}/").status_code == 404
    assert client.get(BASE).json()["results"] == []
    assert Resolution.objects.get(item=made.item).how == "adjudicated"


def test_a_lead_pauses_people_lets_them_go_on_and_off_the_training(
    project: Project, alice: User, rita: User, bob: User, client_of: ClientOf
) -> None:
    member = Membership.objects.get(user=bob)
    where, lead = f"{BASE}people/{member.pk}/", client_of(alice)
    assert client_of(rita).post(where, {"act": "pause"}, content_type=JSON).status_code == 403
    assert lead.post(where, {"act": "pause"}, content_type=JSON).json()["paused_at"]
    assert lead.post(where, {"act": "go_on"}, content_type=JSON).json()["paused_at"] is None
    assert lead.post(where, {"act": "go_on"}, content_type=JSON).status_code == 409
    assert lead.post(where, {"act": "promote"}, content_type=JSON).status_code == 400
    assert lead.post(where, {"act": "let_off"}, content_type=JSON).json()["trained_at"]
    assert lead.post(f"{BASE}training/off/").json()["n"] == 2  # Rita and Alice herself
    assert not Item.objects.exists()
