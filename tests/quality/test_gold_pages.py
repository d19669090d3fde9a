"""The page of gold items, the form of one, and files of them."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.annotation.models import Gold, Resolution
from apps.annotation.services import golds
from apps.content.models import Item
from apps.projects.models import Membership, Project
from apps.quality.services.golds import bring_in
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.gold import answer_gold

pytestmark = pytest.mark.django_db


def adjudicated(project: Project, n: int = 1) -> list[Item]:
    items = make.items(project, n)
    label = project.labels.all()[0]
    Resolution.objects.bulk_create(
        Resolution(item=item, project=project, split="pool", label=label, how="adjudicated") for item in items
    )
    return items


def test_an_empty_page_says_how_to_begin(project: Project, rita: User, client_of: ClientOf) -> None:
    page = client_of(rita).get("/p/bank/gold/").content.decode()
    assert "No gold items yet" in page
    assert "Candidates" not in page


def test_a_decided_item_becomes_gold_with_one_key(project: Project, rita: User, client_of: ClientOf) -> None:
    item = adjudicated(project)[0]
    client = client_of(rita)
    assert 'data-act="review_gold"' in client.get("/p/bank/gold/").content.decode()
    client.post("/p/bank/gold/item/", {"item": item.pk, "as_it_is": "yes"})
    assert Gold.objects.get().label == project.labels.all()[0]
    assert "question" in client.get("/p/bank/gold/").content.decode()


def test_an_undecided_item_is_not_gold_as_it_is(project: Project, rita: User, client_of: ClientOf) -> None:
    item = make.items(project, 1)[0]
    assert client_of(rita).post("/p/bank/gold/item/", {"item": item.pk, "as_it_is": "yes"}).status_code == 422


def test_the_form_of_one_item_takes_answer_and_explanation(project: Project, rita: User, client_of: ClientOf) -> None:
    item = make.items(project, 1)[0]
    label = project.labels.all()[2]
    client = client_of(rita)
    assert item.text in client.get(f"/p/bank/gold/item/?item={item.pk}").content.decode()
    client.post("/p/bank/gold/item/", {"item": item.pk, "label": label.pk, "explanation": "It failed."})
    made = Gold.objects.get()
    assert (made.label, made.explanation, made.by) == (label, "It failed.", rita)
    client.post("/p/bank/gold/retire/", {"item": item.pk})
    made.refresh_from_db()
    assert made.retired_at is not None


def test_no_item_in_the_address_leads_to_the_list_and_a_foreign_one_nowhere(
    project: Project, rita: User, client_of: ClientOf
) -> None:
    other = make.items(Project.objects.create(slug="other", name="Other", encoder="x"), 1)[0]
    client = client_of(rita)
    assert client.get("/p/bank/gold/item/").status_code == 302
    assert client.get(f"/p/bank/gold/item/?item={other.pk}").status_code == 404
    assert client.get("/p/bank/gold/item/?item=99999999999999999999").status_code == 404


def test_a_text_that_everybody_misses_is_doubted_itself(
    project: Project, alice: User, rita: User, client_of: ClientOf
) -> None:
    item = adjudicated(project)[0]
    made = golds.make_gold(project, item, alice, label=project.labels.all()[0])
    for user in make.people(project, 6):
        answer_gold(made, user, right=False)
    assert "Most people miss it" in client_of(rita).get("/p/bank/gold/").content.decode()


def test_several_labels_and_spans_have_their_own_forms(project: Project, rita: User, client_of: ClientOf) -> None:
    first, second = project.labels.all()[:2]
    item = make.items(project, 1)[0]
    project.task_kind = "multi"
    project.save()
    client = client_of(rita)
    client.post("/p/bank/gold/item/", {"item": item.pk, "labels": [second.pk, first.pk]})
    assert Gold.objects.get().value == {"labels": [first.pk, second.pk]}
    project.task_kind = "spans"
    project.save()
    marked = make.items(project, 1)[0]
    spans = [{"start": 0, "end": 8, "label": first.pk, "quote": "question"}]
    Resolution.objects.create(item=marked, project=project, split="pool", value={"spans": spans}, how="single")
    page = client.get(f"/p/bank/gold/item/?item={marked.pk}").content.decode()
    assert "“question” card arrival" in page
    client.post("/p/bank/gold/item/", {"item": marked.pk, "reading": "0"})
    assert Gold.objects.get(item=marked).value["spans"] == spans


def test_a_file_brings_items_by_id_by_text_and_anew_and_names_bad_rows(project: Project, alice: User) -> None:
    known, same = make.items(project, 2)
    lines = [
        {"external_id": known.external_id, "label": "card arrival", "explanation": "It asks when."},
        {"text": same.text, "label": "exchange rate"},
        {"text": "How do I top up?", "label": "top up failed"},
        {"text": "What is this?", "label": "nonsense"},
        {"external_id": "nowhere", "label": "card arrival"},
        {"label": "card arrival"},
    ]
    raw = "\n".join(json.dumps(line) for line in lines) + "\nnot json\n"
    done = bring_in(project, alice, raw.encode())
    assert (done.made, done.new_items) == (3, 1)
    assert [one.line for one in done.refused] == [4, 5, 6, 7]
    assert Gold.objects.get(item=known).explanation == "It asks when."
    assert Gold.objects.filter(item__text="How do I top up?", item__split="pool").count() == 1


def test_a_table_with_several_labels_in_a_cell(project: Project, alice: User) -> None:
    project.task_kind = "multi"
    project.save()
    first, second = project.labels.all()[:2]
    raw = "text,labels,explanation\nWhere?,card arrival|exchange rate,both\n"
    assert bring_in(project, alice, raw.encode("utf-8-sig")).made == 1
    assert Gold.objects.get().value == {"labels": [first.pk, second.pk]}


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe\x00\x01", b"1,2\n3,4\n", b"text,label\n" + b"a,b\n" * 501])
def test_a_file_that_is_none_is_refused_whole(project: Project, rita: User, client_of: ClientOf, raw: bytes) -> None:
    given = {"file": SimpleUploadedFile("gold.csv", raw)}
    assert client_of(rita).post("/p/bank/gold/import/", given).status_code == 422
    assert not Gold.objects.exists()


def test_only_a_lead_lets_people_off_or_on(
    project: Project, alice: User, rita: User, bob: User, client_of: ClientOf
) -> None:
    project.training_items = 5
    project.save()
    member = Membership.objects.get(user=bob)
    where = f"/p/bank/gold/people/{member.pk}/"
    assert client_of(rita).post(where, {"act": "let_off"}).status_code == 403
    lead = client_of(alice)
    assert "in training" in lead.get("/p/bank/gold/").content.decode()
    lead.post(where, {"act": "let_off"})
    lead.post(where, {"act": "pause"})
    member.refresh_from_db()
    assert member.trained_at
    assert member.paused_at
    lead.post(where, {"act": "go_on"})
    member.refresh_from_db()
    assert member.paused_at is None
    assert lead.post(where, {"act": "promote"}).status_code == 422
    lead.post("/p/bank/gold/training/off/")
    assert not Membership.objects.filter(role="annotator", trained_at=None).exists()
