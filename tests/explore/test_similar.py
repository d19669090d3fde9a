"""Texts like one text: who is near, what that is worth, and labelling them in one go."""

from typing import Any

import numpy as np
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.annotation.models import Annotation, Change, Resolution, Task
from apps.content.models import Item
from apps.explore.services import indexes, neighbours, proposals
from apps.explore.similar_words import left_out
from apps.projects.models import Project
from tests.conftest import ClientOf
from tests.explore import maps
from tests.learning import rows


def ids(found: list[neighbours.Neighbour] | None) -> list[int]:
    assert found is not None
    return [each.item.pk for each in found]


def page(client: Client, **query: object) -> str:
    return client.get("/p/bank/similar/", query).content.decode()


def label(client: Client, items: list[Item], **answer: Any) -> Any:
    sent = {"item": items[0].pk, "items": [item.pk for item in items], **answer}
    return client.post("/p/bank/similar/label/", sent)


@pytest.fixture
def made(project: Project) -> list[Item]:
    """Three groups of eight, every task open."""
    found = maps.texts(project)
    rows.open_tasks(project, found)
    return found


# --- who is near ------------------------------------------------------------------------------------------


def test_the_nearest_are_of_ones_own_group_most_similar_first(project: Project, made: list[Item]) -> None:
    found = neighbours.nearest(project, made[0], k=7)
    assert set(ids(found)) == {item.pk for item in made[1:8]}
    assert found is not None
    similar = [each.similarity for each in found]
    assert similar == sorted(similar, reverse=True)
    assert 0.8 < similar[-1] <= similar[0] <= 1


def test_labelled_neighbours_are_apart_and_held_out_archived_or_foreign_ones_never_there(
    project: Project, made: list[Item]
) -> None:
    rows.resolve(made[1], project.labels.all()[0])
    Item.objects.filter(pk=made[2].pk).update(archived_at=made[2].created_at)
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    rows.items(other, [made[0].text])  # the same text elsewhere, so the very same vector
    (held,) = Item.objects.bulk_create(
        [Item(project=project, external_id="h", text=made[0].text, text_hash=made[0].text_hash, split="holdout")]
    )
    assert set(ids(neighbours.nearest(project, made[0], k=5))) == {item.pk for item in made[3:8]}
    assert ids(neighbours.nearest(project, made[0], k=5, labelled=True)) == [made[1].pk]
    assert held.pk not in ids(neighbours.nearest(project, made[0], k=200))


def test_a_text_without_a_vector_has_no_neighbours_yet(project: Project, made: list[Item]) -> None:
    (fresh,) = rows.items(project, ["fresh"], prefix="f")
    assert neighbours.nearest(project, fresh) is None


def test_the_index_finds_what_comparing_every_vector_finds(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    found = maps.texts(project, groups=25, each=20)
    exact = [ids(neighbours.nearest(project, item, k=10)) for item in found[::25]]
    assert not indexes.is_there(rows.DIGEST, maps.DIMENSION)
    monkeypatch.setattr(indexes, "LEAST", 100)
    indexes.keep_up(concurrently=False)
    assert indexes.is_there(rows.DIGEST, maps.DIMENSION)
    monkeypatch.setattr(neighbours, "_ONE_BY_ONE", ("enable_indexscan = no such thing",))  # not to be asked
    through = [ids(neighbours.nearest(project, item, k=10)) for item in found[::25]]
    same = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(exact, through, strict=True)])
    assert same >= 0.98


def test_an_index_comes_when_there_are_enough_vectors_and_goes_with_its_encoder(
    project: Project, made: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes.keep_up(concurrently=False)
    assert not indexes.is_there(rows.DIGEST, maps.DIMENSION)  # two dozen are compared one by one
    monkeypatch.setattr(indexes, "LEAST", 20)
    indexes.keep_up(concurrently=False)
    indexes.keep_up(concurrently=False)
    assert indexes.is_there(rows.DIGEST, maps.DIMENSION)
    rows.vectors_for(made, rows.unit(np.ones((24, 8), dtype=np.float32)), digest="f" * 64)
    indexes.keep_up(concurrently=False)
    assert not indexes.is_there(rows.DIGEST, maps.DIMENSION)
    assert indexes.is_there("f" * 64, 8)


def test_no_index_is_made_while_most_texts_still_wait_for_their_vectors(
    project: Project, made: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexes, "LEAST", 20)
    rows.items(project, [f"new {n}" for n in range(30)], prefix="n")
    indexes.keep_up(concurrently=False)
    assert not indexes.is_there(rows.DIGEST, maps.DIMENSION)


@pytest.mark.django_db(transaction=True)
def test_an_index_is_made_beside_running_work(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "LEAST", 20)
    maps.texts(project)
    indexes.keep_up()
    assert indexes.is_there(rows.DIGEST, maps.DIMENSION)
    Project.objects.update(archived_at="2026-01-01T00:00Z")
    indexes.keep_up()
    assert not indexes.is_there(rows.DIGEST, maps.DIMENSION)


# --- what nearness is worth ----------------------------------------------------------------------------------


def test_the_hint_is_measured_and_counts_nothing_that_was_labelled_in_one_go(
    project: Project, bob: User, client_of: ClientOf
) -> None:
    found = maps.texts(project, groups=2, each=15)
    first, second, _third = project.labels.all()
    assert neighbours._worth(project) == []
    for n, item in enumerate(found):
        rows.resolve(item, first if n < 15 else second)
    (top, *_others) = [band for band in neighbours._worth(project) if band.pairs]
    assert top.share == 1.0
    assert sum(band.pairs for band in neighbours._worth(project)) == 30 * neighbours.EACH
    # the same truths, but from one act: they agree by force
    change = Change.objects.create(project=project, kind=Change.Kind.SIMILAR, by=bob)
    Resolution.objects.update(changed_at=change.created_at)
    assert neighbours._worth(project) == []


def test_few_pairs_say_nothing() -> None:
    assert neighbours.Band(0.9, 1.0, pairs=19, same=19).share is None
    assert neighbours.Band(0.9, 1.0, pairs=20, same=19).share == 0.95


def test_neighbours_are_checked_beforehand_only_where_that_was_right_before(
    project: Project, bob: User, client_of: ClientOf
) -> None:
    found = maps.texts(project, groups=2, each=30)
    assert " checked" not in page(client_of(bob), item=found[0].pk).split("The text above itself")[1].split("</ul>")[0]
    for item in found[10:30] + found[40:]:
        rows.resolve(item, project.labels.all()[0 if item.pk < found[30].pk else 1])
    neighbours.cache.clear()
    rest = page(client_of(bob), item=found[0].pk).split("The text above itself")[1].split("</ul>")[0]
    assert rest.count(" checked") == 9  # the unlabelled of its group
    assert rest.count("checkbox") == 19  # the other group's are listed, further off and unchecked


def test_proposals_are_unlabelled_and_from_different_groups(project: Project, made: list[Item]) -> None:
    for item in made[:8]:
        rows.resolve(item, project.labels.all()[0])
    groups = {made.index(each.item) // 8 for each in proposals.proposals(project)}
    assert groups == {1, 2}
    for item in made:
        Resolution.objects.filter(item=item).delete()
        rows.resolve(item, project.labels.all()[0])
    assert proposals.proposals(project) == []  # also those that were remembered


# --- the page ------------------------------------------------------------------------------------------------


def test_the_checked_get_the_label_and_an_undo_takes_it_back(
    project: Project, made: list[Item], bob: User, client_of: ClientOf
) -> None:
    client, chosen = client_of(bob), project.labels.all()[1]
    done = label(client, made[:3], label=chosen.pk)
    assert done.status_code == 302
    assert set(Resolution.objects.values_list("item", "label")) == {(item.pk, chosen.pk) for item in made[:3]}
    assert Task.objects.filter(state="done").count() == 3
    assert Annotation.objects.filter(annotator=bob, label=chosen).count() == 3
    told = client.get(done["Location"]).content.decode()
    assert "3 texts labelled" in told
    assert "exchange rate" in told
    change = Change.objects.get(kind="similar")
    undone = client.post("/p/bank/similar/undo/", {"change": change.pk, "item": made[0].pk}, follow=True)
    assert "Taken back: 3 texts are as they were." in undone.content.decode()
    assert not Resolution.objects.exists()
    assert Task.objects.filter(state="open").count() == 24
    assert "3 texts labelled" not in client.get(done["Location"]).content.decode()


def test_a_label_from_the_list_works_without_a_script(
    project: Project, made: list[Item], bob: User, client_of: ClientOf
) -> None:
    third = project.labels.all()[2]
    assert label(client_of(bob), made[:2], label="", other=third.pk).status_code == 302
    assert Resolution.objects.filter(label=third).count() == 2


def test_several_labels_or_none_of_them(project: Project, made: list[Item], bob: User, client_of: ClientOf) -> None:
    project.task_kind = "multi"
    project.save()
    client, (first, second, _third) = client_of(bob), project.labels.all()
    assert label(client, made[:2], labels=[second.pk, first.pk]).status_code == 302
    assert Resolution.objects.get(item=made[0]).value == {"labels": [first.pk, second.pk]}
    assert label(client, made[2:4], none="on").status_code == 302
    assert Resolution.objects.get(item=made[2]).value == {"labels": []}
    refused = label(client, made[4:6])
    assert refused.status_code == 422
    assert "Choose labels, or that none of them fits." in refused.content.decode()
    assert label(client, made[4:6], none="on", labels=[first.pk]).status_code == 422


def test_spans_are_refused_in_words(project: Project, made: list[Item], bob: User, client_of: ClientOf) -> None:
    project.task_kind = "spans"
    project.save()
    client = client_of(bob)
    assert "cannot be labelled in one go" in page(client, item=made[0].pk)
    refused = label(client, made[:2], label=project.labels.all()[0].pk)
    assert refused.status_code == 422
    assert "mark each text by itself" in refused.content.decode()
    assert not Resolution.objects.exists()


def test_a_held_out_text_is_never_labelled_by_its_neighbours(project: Project, bob: User, client_of: ClientOf) -> None:
    found = maps.texts(project, holdout_every=8)
    rows.open_tasks(project, found)
    client, first = client_of(bob), project.labels.all()[0]
    assert "This text is held out" in page(client, item=found[0].pk)
    done = label(client, found[:3], label=first.pk)
    assert set(Resolution.objects.values_list("item", flat=True)) == {found[1].pk, found[2].pk}
    assert "1 is held out to measure the model." in client.get(done["Location"]).content.decode()


def test_nothing_checked_or_no_label_is_said_in_words_and_keeps_the_checks(
    project: Project, made: list[Item], bob: User, client_of: ClientOf
) -> None:
    client = client_of(bob)
    refused = client.post("/p/bank/similar/label/", {"item": made[0].pk, "label": project.labels.all()[0].pk})
    assert "Check at least one text." in refused.content.decode()
    refused = label(client, [made[0], made[3]], label="")
    assert refused.status_code == 422
    assert "Choose the label." in refused.content.decode()
    assert f'value="{made[3].pk}" checked' in refused.content.decode()


def test_only_ones_own_act_can_be_taken_back_here(
    project: Project, made: list[Item], bob: User, rita: User, client_of: ClientOf
) -> None:
    label(client_of(bob), made[:2], label=project.labels.all()[0].pk)
    change = Change.objects.get()
    assert client_of(rita).post("/p/bank/similar/undo/", {"change": change.pk}).status_code == 404
    assert Resolution.objects.count() == 2


def test_items_of_another_project_are_left_alone(
    project: Project, made: list[Item], bob: User, client_of: ClientOf
) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    (strange,) = rows.items(other, ["strange"], prefix="s")
    label(client_of(bob), [made[0], strange], label=project.labels.all()[0].pk)
    assert list(Resolution.objects.values_list("item", flat=True)) == [made[0].pk]
    assert client_of(bob).get("/p/bank/similar/", {"item": strange.pk}).status_code == 404


def test_the_page_without_content_says_so(project: Project, bob: User, client_of: ClientOf) -> None:
    assert "No groups yet" in page(client_of(bob))


def test_every_reason_to_leave_a_text_out_has_a_sentence() -> None:
    counts = {"holdout": 1, "gold": 2, "several": 1, "labelled": 3, "held": 1, "archived": 1, "else": 2, "none": 0}
    told = left_out(counts)
    assert told[:2] == ["1 is held out to measure the model.", "2 are gold items."]
    assert told[-1] == "2 were left out."
    assert len(told) == 7


def test_programs_find_label_and_undo_too(project: Project, made: list[Item], bob: User, client_of: ClientOf) -> None:
    client, at = client_of(bob), "/api/v1/projects/bank/similar/"
    near = client.get(at, {"item": made[0].pk, "k": 3}).json()
    assert len(near) == 3
    assert near[0]["text"].startswith("x group 0")
    sent = {"items": [row["item"] for row in near], "label": project.labels.all()[0].pk}
    done = client.post(at, sent, content_type="application/json")
    assert (done.status_code, done.json()["n"], done.json()["left_out"]) == (201, 3, {})
    assert client.post(at, {"items": []}, content_type="application/json").status_code == 422
    undone = client.post(at + "undo/", {"change": done.json()["change"]}, content_type="application/json")
    assert undone.json()["n"] == 3
    assert not Resolution.objects.exists()
