"""Acts on many items: what they would do, what they do, whom they leave out, and the way back."""

import re
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Annotation, Audience, Change, Gold, Resolution, Task
from apps.annotation.services import changes, claim, sending, take_in
from apps.content.models import Item
from apps.explore import list_queries
from apps.explore.services.bulk import left_out as bulk_left_out
from apps.projects.models import Label, Project
from tests.annotation import make
from tests.conftest import ClientOf
from tests.explore.rows import truth
from tests.explore.test_items import shown

URL = "/p/bank/items/"


@pytest.fixture
def labels(project: Project) -> list[Label]:
    return list(project.labels.all())


@pytest.fixture
def items(project: Project) -> list[Item]:
    project.holdout_share = 0
    project.save()
    return make.items(project, 5)


def ids(items: list[Item]) -> list[int]:
    return [item.pk for item in items]


def tasks(items: list[Item]) -> dict[int, tuple[Any, ...]]:
    """Whatever an act may change about them."""
    found = Task.objects.filter(item__in=items).order_by("pk")
    return {task.item_id: (task.state, task.rank, task.wanted, task.audience_id, task.reason) for task in found}


def test_sending_opens_tasks_and_makes_waiting_ones_fit(
    project: Project, items: list[Item], rita: User, bob: User
) -> None:
    take_in(project)
    group = Audience.objects.create(project=project, name="nurses")
    (fresh,) = make.items(project, 1)
    change = sending.send(project, rita, [*ids(items[:2]), fresh.pk], wanted=3, front=True, audience=group)
    assert (change.n, change.kind, change.what["left_out"]) == (3, Change.Kind.QUEUE, 0)
    sent = Task.objects.filter(item__in=[*items[:2], fresh])
    assert {(task.wanted, task.audience_id, task.reason, task.state) for task in sent} == {
        (3, group.pk, "chosen", "open")
    }
    assert all(task.rank < 0 for task in sent)
    group.people.add(bob)
    assert claim(project, bob)[0].task.item_id == items[0].pk  # in front, in their order


def test_taking_it_back_leaves_the_queue_as_it_was(project: Project, items: list[Item], rita: User) -> None:
    take_in(project)
    before = tasks(items)
    (fresh,) = make.items(project, 1)
    change = sending.send(project, rita, [*ids(items), fresh.pk], wanted=2, front=True)
    assert tasks(items) != before
    changes.take_back(change, rita)
    assert tasks(items) == before
    assert Task.objects.get(item=fresh).state == Task.State.CLOSED


def test_what_somebody_holds_stays_theirs_when_fewer_people_are_wanted(
    project: Project, items: list[Item], rita: User, bob: User
) -> None:
    project.wanted = 3
    project.save()
    take_in(project)
    lease = claim(project, bob)[0]
    sending.send(project, rita, ids(items), wanted=1)
    held = Task.objects.get(pk=lease.task_id)
    assert (held.wanted, held.taken, held.state) == (1, 1, Task.State.FULL)


def test_archived_and_gold_items_are_left_out_and_held_out_ones_stay_blind(
    project: Project, items: list[Item], labels: list[Label], rita: User
) -> None:
    sending.shelve(project, rita, [items[0].pk])
    Gold.objects.create(project=project, item=items[1], label=labels[0])
    (held,) = make.items(project, 1, split="holdout")
    change = sending.send(project, rita, [*ids(items), held.pk])
    assert (change.n, change.what["left_out"]) == (4, 2)
    assert Task.objects.get(item=held).reason == Task.Reason.HOLDOUT
    assert not Task.objects.filter(item__in=items[:2]).exists()


def test_archived_items_leave_queue_and_lists_and_come_back_as_they_were(
    project: Project, items: list[Item], labels: list[Label], rita: User, bob: User, client_of: ClientOf
) -> None:
    take_in(project)
    truth(items[2], labels[0])
    Gold.objects.create(project=project, item=items[3], label=labels[0])
    before = tasks(items)
    change = sending.shelve(project, rita, ids(items))
    assert (change.n, change.what["left_out"]) == (4, 1)  # gold stays
    assert shown(client_of(bob).get(URL)) == {items[3].pk}
    assert shown(client_of(bob).get(URL, {"archived": "only"})) == set(ids(items)) - {items[3].pk}
    assert {lease.task.item_id for lease in claim(project, bob)} <= {items[3].pk}
    assert Resolution.objects.filter(item=items[2]).exists()
    back = sending.bring_back(project, rita, ids(items[:1]))
    assert back.n == 1
    changes.take_back(change, rita)  # what is back already stays
    assert {pk: row for pk, row in tasks(items).items() if pk != items[3].pk} == {
        pk: row for pk, row in before.items() if pk != items[3].pk
    }
    assert shown(client_of(bob).get(URL)) == set(ids(items))
    changes.take_back(back, rita)
    assert shown(client_of(bob).get(URL)) == set(ids(items[1:]))


def test_only_reviewers_and_administrators_act(
    items: list[Item], bob: User, vic: User, dana: User, charlie: User, client_of: ClientOf
) -> None:
    for user, status in ((bob, 403), (vic, 403), (dana, 403), (charlie, 404)):
        for url in (f"{URL}bulk/", f"{URL}bulk/do/", "/api/v1/projects/bank/explore/bulk/"):
            answer = client_of(user).post(url, {"item": items[0].pk, "act": "archive", "items": [items[0].pk]})
            assert answer.status_code == status, (user, url)
    assert not Item.objects.exclude(archived_at=None).exists()
    assert "bulk" not in client_of(bob).get(URL).content.decode()


def test_the_preview_changes_nothing_and_says_what_would_happen(
    project: Project, items: list[Item], labels: list[Label], rita: User, client_of: ClientOf
) -> None:
    truth(items[0], labels[0])
    page = client_of(rita).post(f"{URL}bulk/", {"item": ids(items[:3])}).content.decode()
    assert "these 3 items" in page
    assert "1 has a label, which is replaced" in page
    assert Change.objects.count() == 0


@pytest.fixture
def mixed(project: Project, items: list[Item], labels: list[Label], rita: User) -> list[Item]:
    """Every kind that an act treats in its own way, and some that are of two kinds at once."""
    take_in(project)
    plain, labelled, decided, gold, archived = items
    (old,) = make.items(project, 1)
    held, known = make.items(project, 2, split="holdout")
    for item in (labelled, gold, old, known):
        truth(item, labels[0])
    truth(decided, labels[1], how="adjudicated")
    Gold.objects.create(project=project, item=gold, label=labels[0])
    Task.objects.filter(item=gold).delete()
    Item.objects.filter(pk=old.pk).update(archived_at=timezone.now())
    sending.shelve(project, rita, [archived.pk])
    return [plain, labelled, decided, gold, archived, old, held, known]


@pytest.mark.parametrize(
    ("act", "reached"),
    [("queue", "free"), ("label", "pool"), ("archive", "free"), ("restore", "archived")],
)
def test_the_numbers_of_the_preview_are_what_happens(
    project: Project,
    mixed: list[Item],
    labels: list[Label],
    rita: User,
    client_of: ClientOf,
    act: str,
    reached: str,
) -> None:
    client, chosen = client_of(rita), {"item": ids(mixed)}
    page = client.post(f"{URL}bulk/", chosen)
    said = page.context["outlook"]
    assert (said.n, said.free, said.held_out, said.pool, said.archived) == (8, 5, 2, 3, 2)
    assert (said.waiting, said.labelled) == (3, 2)
    assert "5 of 8 are sent." in page.content.decode()
    assert "3 of 8 get it. 2 have a label, which is replaced." in page.content.decode()
    truths, before = dict(Resolution.objects.values_list("item", "label")), tasks(mixed)
    archived = set(Item.objects.exclude(archived_at=None))

    client.post(f"{URL}bulk/do/", chosen | {"act": act, "label": labels[2].pk})

    change = Change.objects.latest("pk")
    assert change.n == getattr(said, reached)
    assert bulk_left_out(change) == said.n - change.n
    match act:
        case "queue":
            assert len(change.what["moved"]) == said.waiting
            assert len(change.what["opened"]) == said.free - said.waiting
        case "label":
            now = dict(Resolution.objects.values_list("item", "label"))
            replaced = [pk for pk, label in truths.items() if now[pk] != label]
            assert (len(replaced), len(now) - len(truths)) == (said.labelled, said.pool - said.labelled)
        case _:
            moved = archived ^ set(Item.objects.exclude(archived_at=None))
            assert len(moved) == change.n

    changes.take_back(change, rita)
    assert set(Item.objects.exclude(archived_at=None)) == archived
    assert dict(Resolution.objects.values_list("item", "label")) == truths
    assert {pk: row for pk, row in tasks(mixed).items() if pk in before} == before


def test_everything_is_shown_anew_when_other_items_match_by_then(
    project: Project, items: list[Item], labels: list[Label], rita: User, client_of: ClientOf
) -> None:
    client, chosen = client_of(rita), {"everything": "on", "query": "truth=none"}
    page = client.post(f"{URL}bulk/", chosen).content.decode()
    assert 'name="seen" value="5"' in page
    truth(items[0], labels[0])
    refused = client.post(f"{URL}bulk/do/", chosen | {"act": "archive", "seen": "5"})
    assert refused.status_code == 409
    assert "Other items match by now" in refused.content.decode()
    assert 'name="seen" value="4"' in refused.content.decode()
    assert not Change.objects.exists()
    assert client.post(f"{URL}bulk/do/", chosen | {"act": "archive", "seen": "4"}).status_code == 302
    assert Change.objects.get().n == 4


def test_what_others_did_since_is_left_and_counted(
    project: Project, items: list[Item], labels: list[Label], rita: User, bob: User, client_of: ClientOf
) -> None:
    take_in(project)
    client = client_of(rita)
    client.post(f"{URL}bulk/do/", {"item": ids(items), "act": "queue", "wanted": "1", "place": "front"})
    sent = Change.objects.get()
    answered = make.answer_next(project, bob, labels[0].pk).annotation.item_id
    page = client.post(f"/p/bank/changes/{sent.pk}/undo/", follow=True).content.decode()
    assert "Taken back: 4 items are as they were. 1 was left" in page
    assert Resolution.objects.get().item_id == answered
    client.post(f"{URL}bulk/do/", {"item": ids(items), "act": "archive"})
    shelved = Change.objects.latest("pk")
    sending.bring_back(project, rita, ids(items[:2]))
    page = client.post(f"/p/bank/changes/{shelved.pk}/undo/", follow=True).content.decode()
    assert "Taken back: 3 items are as they were. 2 were left" in page


def test_ticked_rows_get_a_label_and_the_page_offers_the_way_back(
    project: Project, items: list[Item], labels: list[Label], rita: User, client_of: ClientOf
) -> None:
    (held,) = make.items(project, 1, split="holdout")
    client = client_of(rita)
    done = client.post(
        f"{URL}bulk/do/",
        {"item": [*ids(items[:2]), held.pk], "act": "label", "label": labels[1].pk, "query": "sort=oldest"},
        follow=True,
    )
    page = done.content.decode()
    assert "2 items are labelled. 1 stays as it was." in page
    assert done.request["QUERY_STRING"].startswith("sort=oldest&done=")
    assert set(Resolution.objects.values_list("item", "label")) == {(item.pk, labels[1].pk) for item in items[:2]}
    undo = re.search(r'action="(/p/bank/changes/\d+/undo/)"', page)
    assert undo is not None
    client.post(undo[1])
    assert not Resolution.objects.exists()
    assert Annotation.objects.filter(retracted=True).count() == 2


def test_everything_that_matches_is_what_the_list_shows(
    project: Project, items: list[Item], labels: list[Label], rita: User, client_of: ClientOf
) -> None:
    truth(items[0], labels[0])
    client = client_of(rita)
    client.post(f"{URL}bulk/do/", {"everything": "on", "query": f"truth={labels[0].pk}", "act": "archive"})
    assert list(Item.objects.exclude(archived_at=None)) == [items[0]]
    refused = client.post(f"{URL}bulk/do/", {"everything": "on", "query": "truth=x", "act": "archive"})
    assert refused.status_code == 422
    assert Item.objects.exclude(archived_at=None).count() == 1


def test_more_than_one_act_reaches_is_refused_in_words(
    project: Project, items: list[Item], rita: User, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_queries, "matching", lambda *_given: list(range(10_001)))
    page = client_of(rita).post(f"{URL}bulk/", {"everything": "on"})
    assert page.status_code == 409
    assert "More than 10000 items match" in page.content.decode().replace(",", "")


@pytest.mark.parametrize(
    "given", [{}, {"item": ["x"]}, {"item": ["1"], "act": "explode"}, {"item": ["1"], "act": "queue", "wanted": "99"}]
)
def test_wrong_requests_are_refused(items: list[Item], rita: User, client_of: ClientOf, given: dict[str, Any]) -> None:
    assert client_of(rita).post(f"{URL}bulk/do/", {"act": "archive"} | given).status_code == 422


def test_items_of_another_project_are_out_of_reach(
    project: Project, items: list[Item], rita: User, client_of: ClientOf
) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    (foreign,) = make.items(other, 1)
    for act in ("queue", "archive", "restore"):
        client_of(rita).post(f"{URL}bulk/do/", {"item": [foreign.pk, items[0].pk], "act": act})
    foreign.refresh_from_db()
    assert foreign.archived_at is None
    assert not Task.objects.filter(item=foreign).exists()


def test_the_api_acts_on_named_items_or_on_filters(
    project: Project, items: list[Item], labels: list[Label], rita: User, client_of: ClientOf
) -> None:
    client, url = client_of(rita), "/api/v1/projects/bank/explore/bulk/"
    kind = {"content_type": "application/json"}
    sent = client.post(url, {"act": "queue", "items": ids(items[:2]), "wanted": 2, "front": True}, **kind).json()
    assert (sent["n"], sent["left_out"]) == (2, 0)
    set_ = client.post(url, {"act": "label", "filters": {"truth": "none"}, "label": labels[0].pk}, **kind).json()
    assert set_["n"] == 5
    assert client.post(url, {"act": "queue"}, **kind).status_code == 422
    assert client.post(url, {"act": "queue", "items": [1], "audience": "nobody"}, **kind).status_code == 422
    undone = client.post(f"/api/v1/projects/bank/changes/{set_['change']}/undo/")
    assert undone.status_code == 201
    assert not Resolution.objects.exists()


def test_spans_are_marked_one_text_at_a_time_but_sent_and_archived_together(
    project: Project, items: list[Item], rita: User, client_of: ClientOf
) -> None:
    Project.objects.filter(pk=project.pk).update(task_kind="spans")
    client, ticked = client_of(rita), {"item": ids(items[:2]), "query": ""}
    page = client.post(f"{URL}bulk/", ticked).content.decode()
    assert "send these items to the queue" in page
    assert 'value="label"' not in page, "no button that only refuses"
    assert client.post(f"{URL}bulk/do/", ticked | {"act": "label", "label": 1}).status_code == 422
    assert client.post(f"{URL}bulk/do/", ticked | {"act": "queue", "wanted": 2}).status_code == 302
    assert list(Task.objects.values_list("wanted", "state")) == [(2, "open")] * 2
    assert client.post(f"{URL}bulk/do/", ticked | {"act": "archive"}).status_code == 302
    assert Item.objects.exclude(archived_at=None).count() == 2
    assert not Task.objects.filter(state="open").exists()
    assert client.post(f"{URL}bulk/do/", ticked | {"act": "restore"}).status_code == 302
    assert Task.objects.filter(state="open", wanted=2).count() == 2
