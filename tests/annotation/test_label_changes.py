"""Labels merge, split, change their names; truths go with them and come back."""

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.annotation import services
from apps.annotation.models import Change, Gold, PastTruth, Resolution, Task
from apps.annotation.services import changes, relabelling
from apps.common.errors import DomainError, InvalidInput
from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.projects.queries import as_called_now, successors
from tests.annotation import make
from tests.conftest import ClientOf
from tests.quality.said import opinion


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.all())


def labelled(project: Project, labels: list[Label]) -> list[Item]:
    """One item each, and one of the hold-out with the first."""
    items = make.items(project, len(labels), labels=[label.name for label in labels])
    items += make.items(project, 1, split="holdout", labels=[labels[0].name])
    services.take_in(project)
    return items


def said() -> dict[int, int | None]:
    return dict(Resolution.objects.values_list("item_id", "label_id"))


def test_merging_moves_every_truth_and_taking_it_back_restores_every_one(
    project: Project, alice: User, labels: list[Label]
) -> None:
    labelled(project, labels)
    before = said()
    first, second, third = labels
    change = relabelling.merge(project, alice, [first, second], third)
    assert change.n == 3
    assert set(said().values()) == {third.pk}
    assert PastTruth.objects.filter(change=change).count() == 3
    for label in (first, second):
        label.refresh_from_db()
        assert label.archived_at
        assert label.merged_into_id == third.pk
        assert label.hotkey == ""
    changes.take_back(change, alice)
    assert said() == before
    first.refresh_from_db()
    assert (first.archived_at, first.merged_into_id, first.hotkey) == (None, None, "1")


def test_truths_given_after_a_merge_stand_when_it_is_taken_back(
    project: Project, alice: User, rita: User, labels: list[Label]
) -> None:
    items = labelled(project, labels)
    change = relabelling.merge(project, alice, [labels[0]], labels[1])
    changes.set_truth(project, rita, [items[0].pk], label=labels[2].pk)
    changes.take_back(change, alice)
    assert said()[items[0].pk] == labels[2].pk
    assert said()[items[3].pk] == labels[0].pk


def test_two_merges_are_taken_back_one_after_the_other(project: Project, alice: User, labels: list[Label]) -> None:
    labelled(project, labels)
    before = said()
    first = relabelling.merge(project, alice, [labels[0]], labels[1])
    second = relabelling.merge(project, alice, [labels[1]], labels[2])
    assert changes.take_back(second, alice).n == 3
    undo = changes.take_back(first, alice)
    assert (undo.n, undo.what["left"]) == (2, 0)
    assert said() == before


def test_a_split_is_taken_back_and_then_the_merge_before_it(
    project: Project, alice: User, bob: User, labels: list[Label]
) -> None:
    labelled(project, labels)
    before = said()
    merge = relabelling.merge(project, alice, [labels[0]], labels[1])
    split = relabelling.split(project, alice, labels[1], ["lost", "late"])
    anew = project.labels.get(name="late")
    answered = make.answer_next(project, bob, anew.pk).annotation.item_id
    undo = changes.take_back(split, alice)
    assert (undo.n, undo.what["left"]) == (2, 1)
    undo = changes.take_back(merge, alice)
    assert undo.n + undo.what["left"] == merge.n
    assert said() == before | {answered: anew.pk}


def test_what_people_answered_is_counted_whatever_the_kind(project: Project, bob: User, labels: list[Label]) -> None:
    one, two = make.items(project, 2)
    value = {"labels": [labels[0].pk, labels[2].pk]}
    opinion(one, bob, value=value)
    opinion(two, bob, labels[0])
    assert relabelling.preview(project, [labels[0]]).answers == 2
    assert relabelling.preview(project, [labels[1]]).answers == 0


def test_several_labels_fall_together_once(project: Project, alice: User, labels: list[Label]) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="multi")
    (item,) = make.items(project, 1)
    one, two, three = (label.pk for label in labels)
    Resolution.objects.create(
        item=item, project=project, split="pool", value={"labels": [one, two, three]}, how="imported"
    )
    relabelling.merge(project, alice, [labels[0]], labels[2])
    assert Resolution.objects.get().value == {"labels": [two, three]}


def test_spans_take_the_new_label_in_place(project: Project, alice: User, labels: list[Label]) -> None:
    (item,) = make.items(project, 1)
    one, two, _three = (label.pk for label in labels)
    spans = [
        {"start": 0, "end": 8, "label": one, "quote": "question"},
        {"start": 9, "end": 10, "label": two, "quote": "0"},
    ]
    Resolution.objects.create(item=item, project=project, split="pool", value={"spans": spans}, how="imported")
    gold = Gold.objects.create(item=item, project=project, value={"spans": spans})
    change = relabelling.merge(project, alice, labels[:1], labels[1])
    for row in (Resolution.objects.get(), Gold.objects.get()):
        assert [span["label"] for span in row.value["spans"]] == [two, two]
        assert [span["quote"] for span in row.value["spans"]] == ["question", "0"]
    changes.take_back(change, alice)
    gold.refresh_from_db()
    assert gold.value == {"spans": spans}


def test_splitting_asks_people_again_before_everything_else(
    project: Project, alice: User, bob: User, labels: list[Label]
) -> None:
    items = labelled(project, labels)
    make.items(project, 3)
    services.take_in(project)
    change = relabelling.split(project, alice, labels[0], ["card lost in the post", "card late"])
    assert {items[0].pk, items[3].pk}.isdisjoint(said())
    assert dict(Task.objects.filter(rank__lt=0).values_list("item_id", "reason")) == {
        items[0].pk: "chosen",
        items[3].pk: "holdout",
    }
    assert {lease.task.item_id for lease in services.claim(project, bob)} == {items[0].pk, items[3].pk}
    new = project.labels.get(name="card late")
    answered = make.answer_next(project, bob, new.pk).annotation.item_id
    changes.take_back(change, alice)
    other = ({items[0].pk, items[3].pk} - {answered}).pop()
    assert said()[other] == labels[0].pk
    assert said()[answered] == new.pk
    assert set(project.labels.filter(archived_at=None).values_list("name", flat=True)) == {one.name for one in labels}


def test_splitting_may_keep_the_truths_under_one_part(project: Project, alice: User, labels: list[Label]) -> None:
    items = labelled(project, labels)
    relabelling.split(project, alice, labels[0], ["new", "rest"], keep="rest")
    rest = project.labels.get(name="rest")
    assert said()[items[0].pk] == said()[items[3].pk] == rest.pk
    assert successors(project.pk) == {labels[0].pk: rest.pk}


@pytest.mark.parametrize("names", [["one"], ["one", "card arrival"], []])
def test_a_split_into_less_than_two_new_names_is_refused(
    project: Project, alice: User, labels: list[Label], names: list[str]
) -> None:
    with pytest.raises(InvalidInput, match="at least two names"):
        relabelling.split(project, alice, labels[0], names)
    assert not Change.objects.exists()


def test_what_an_old_version_says_means_what_its_label_became(
    project: Project, alice: User, labels: list[Label]
) -> None:
    one, two, three = labels
    relabelling.merge(project, alice, [one], two)
    relabelling.merge(project, alice, [two], three)
    into = successors(project.pk)
    assert into == {one.pk: three.pk, two.pk: three.pk}
    assert as_called_now(one.pk, into) == three.pk
    assert as_called_now({"labels": [one.pk, two.pk]}, into) == {"labels": [three.pk]}
    spans = {"spans": [{"start": 0, "end": 1, "label": two.pk}]}
    assert as_called_now(spans, into) == {"spans": [{"start": 0, "end": 1, "label": three.pk}]}


def test_a_new_name_is_noted_whoever_gives_it_and_can_be_taken_back(
    project: Project, alice: User, client_of: ClientOf, labels: list[Label]
) -> None:
    client_of(alice).post(f"/p/bank/labels/{labels[0].pk}/", {"name": "card delivery"})
    change = Change.objects.get()
    assert (change.kind, change.by, change.n) == ("rename", alice, 0)
    assert change.in_words == "“card arrival” is now called “card delivery”"
    changes.take_back(change, alice)
    labels[0].refresh_from_db()
    assert labels[0].name == "card arrival"
    assert [row.kind for row in Change.objects.order_by("pk")] == ["rename", "undo"]


def test_an_old_name_that_was_given_away_is_not_taken_back(project: Project, alice: User, labels: list[Label]) -> None:
    Label.objects.filter(pk=labels[0].pk).update(name="new name")
    Label.objects.filter(pk=labels[1].pk).update(name="card arrival")
    with pytest.raises(DomainError, match="by now"):
        changes.take_back(Change.objects.order_by("pk")[0], alice)


def test_archiving_is_noted_and_can_be_taken_back(
    project: Project, alice: User, client_of: ClientOf, labels: list[Label]
) -> None:
    client_of(alice).post(f"/p/bank/labels/{labels[0].pk}/archive/")
    change = Change.objects.get()
    assert (change.kind, change.by) == ("archive", alice)
    changes.take_back(change, alice)
    labels[0].refresh_from_db()
    assert (labels[0].archived_at, labels[0].hotkey) == (None, "1")


# --- pages --------------------------------------------------------------------------------------------


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def test_a_merge_is_shown_before_it_is_done(client: Client, project: Project, labels: list[Label]) -> None:
    labelled(project, labels)
    url = f"/p/bank/labels/{labels[2].pk}/merge/"
    assert client.get(url).status_code == 200
    shown = client.post(url, {"labels": [labels[0].pk]}).content.decode()
    assert "2 truths change" in shown
    assert "1 of the hold-out" in shown
    assert f'name="sure" value="{labels[0].pk}"' in shown
    # another choice than the one that was shown is shown first
    other = client.post(url, {"labels": [labels[1].pk], "sure": labels[0].pk})
    assert "1 truth changes" in other.content.decode()
    assert not Change.objects.exists()
    assert client.post(url, {"labels": [labels[0].pk], "sure": labels[0].pk}).status_code == 302
    listed = client.get("/p/bank/changes/").content.decode()
    assert "“card arrival” became “top up failed”" in listed
    assert client.post(f"/p/bank/changes/{Change.objects.get().pk}/undo/").status_code == 302
    assert Resolution.objects.filter(label=labels[0]).count() == 2


def test_what_archiving_means_is_shown_before(client: Client, project: Project, labels: list[Label], bob: User) -> None:
    items = labelled(project, labels)
    opinion(items[0], bob, labels[0])
    assert f'href="/p/bank/labels/{labels[0].pk}/put-away/"' in client.get("/p/bank/labels/").content.decode()
    page = client.get(f"/p/bank/labels/{labels[0].pk}/put-away/").content.decode()
    assert "2 truths have this label (1 of the hold-out)" in page
    assert "1 answer names it." in page
    client.post(f"/p/bank/labels/{labels[0].pk}/archive/")
    labels[0].refresh_from_db()
    assert labels[0].archived_at
    assert Resolution.objects.filter(label=labels[0]).count() == 2
    assert client.get(f"/p/bank/labels/{labels[0].pk}/put-away/").status_code == 404


def test_a_split_by_the_page(client: Client, project: Project, labels: list[Label]) -> None:
    labelled(project, labels)
    url = f"/p/bank/labels/{labels[0].pk}/split/"
    assert "2 truths have this label" in client.get(url).content.decode()
    assert client.post(url, {"names": "only one"}).status_code == 422
    assert client.post(url, {"names": "lost\nlate", "keep": "early"}).status_code == 422
    assert client.post(url, {"names": "lost\nlate", "keep": "late"}).status_code == 302
    assert Resolution.objects.filter(label__name="late").count() == 2


def test_only_administrators_take_back_what_was_done_to_labels(
    project: Project, alice: User, rita: User, client_of: ClientOf, labels: list[Label]
) -> None:
    change = relabelling.merge(project, alice, [labels[0]], labels[1])
    assert client_of(rita).post(f"/p/bank/changes/{change.pk}/undo/").status_code == 403
    assert client_of(rita).get("/p/bank/changes/").status_code == 200


def test_the_api_does_the_same(project: Project, alice: User, client_of: ClientOf, labels: list[Label]) -> None:
    client = client_of(alice)
    base = "/api/v1/projects/bank"
    body = {"labels": [labels[0].pk]}
    done = client.post(f"{base}/labels/{labels[1].pk}/merge/", body, content_type="application/json")
    assert done.status_code == 201
    assert client.get(f"{base}/changes/").json()["results"][0]["kind"] == "merge"
    assert client.post(f"{base}/changes/{done.json()['id']}/undo/").status_code == 201
    body = {"names": ["a", "b"]}
    assert client.post(f"{base}/labels/{labels[0].pk}/split/", body, content_type="application/json").status_code == 201
