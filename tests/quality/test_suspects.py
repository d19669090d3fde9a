"""Label errors: injected ones are found, people are asked again, what they say is followed, and when to stop."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Prediction, Resolution, Task
from apps.common.errors import DomainError
from apps.content.models import Item
from apps.projects.models import Label, Project
from apps.quality import suspect_queries as queries
from apps.quality.models import Suspect, SuspectRun
from apps.quality.services import suspects
from apps.registry.models import ModelVersion
from tests.annotation import make
from tests.conftest import ClientOf
from tests.learning import rows

pytestmark = pytest.mark.django_db

WRONG = 12


def labelled(project: Project, n: int = 150, *, holdout_every: int = 0) -> tuple[list[Item], set[int]]:
    """Texts of three well-parted kinds; the first dozen carry another kind's label."""
    rng = np.random.default_rng(7)
    kinds = np.arange(n) % 3
    items = rows.items(project, [f"text {place}" for place in range(n)], holdout_every=holdout_every)
    centres = np.eye(3, 16, dtype=np.float32) * 3
    rows.vectors_for(items, rows.unit(centres[kinds] + rng.normal(size=(n, 16)).astype(np.float32) * 0.4))
    labels = list(project.labels.all())
    wrong = set()
    for place, item in enumerate(items):
        kind = int(kinds[place])
        if place < WRONG:
            kind = (kind + 1) % 3
            wrong.add(item.pk)
        Resolution.objects.create(item=item, project=project, split=item.split, label=labels[kind], how="single")
    return items, wrong


def looked(project: Project) -> SuspectRun:
    run = suspects.start(project)
    suspects.run(run.pk)
    run.refresh_from_db()
    assert run.state == "succeeded", run.error
    return run


def listed(project: Project, n: int) -> list[Suspect]:
    """A list without a search."""
    run = SuspectRun.objects.create(project=project, state="succeeded", finished_at=timezone.now())
    given, other = project.labels.all()[:2]
    found = []
    for rank, item in enumerate(make.items(project, n), start=1):
        Resolution.objects.create(
            item=item,
            project=project,
            split="pool",
            label=given,
            how="single",
            changed_at=timezone.now() - timedelta(hours=1),
        )
        found.append(Suspect(run=run, item=item, label=given, suggested=other, score=rank / 100, rank=rank))
    return Suspect.objects.bulk_create(found)


def test_injected_errors_are_found_and_nearly_nothing_else(project: Project) -> None:
    _items, wrong = labelled(project)
    run = looked(project)
    found = list(queries.listed(run))
    assert run.looked_at == 150
    assert len(wrong & {one.item_id for one in found}) >= WRONG - 1
    assert len(found) <= WRONG + 4
    assert [one.score for one in found] == sorted(one.score for one in found)
    first = found[0]
    assert first.suggested_id != first.label_id


def test_the_same_look_twice_gives_the_same_list(project: Project) -> None:
    labelled(project)
    first = [one.item_id for one in queries.listed(looked(project))]
    assert first == [one.item_id for one in queries.listed(looked(project))]


def test_held_out_gold_and_decided_items_are_left_alone(project: Project) -> None:
    items, wrong = labelled(project, holdout_every=2)
    decided = [item.pk for item in items if item.pk in wrong and item.split == "pool"][:2]
    Resolution.objects.filter(item__in=decided).update(how="adjudicated")
    found = {one.item_id for one in queries.listed(looked(project))}
    assert found
    assert not found & set(decided)
    assert not Item.objects.filter(pk__in=found, split="holdout").exists()


def test_too_few_labels_fail_with_a_sentence_and_a_second_look_waits(project: Project) -> None:
    labelled(project, 20)
    run = suspects.start(project)
    with pytest.raises(DomainError, match="under way"):
        suspects.start(project)
    suspects.run(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "50 labels" in run.error
    assert suspects.start(project)


def test_a_run_whose_worker_is_gone_fails_and_writes_nothing_later(project: Project) -> None:
    run = suspects.start(project)
    assert suspects.due() == [run.pk]
    SuspectRun.objects.filter(pk=run.pk).update(state="running", heartbeat_at=timezone.now() - timedelta(hours=1))
    assert suspects.due() == []
    run.refresh_from_db()
    assert run.state == "failed"
    suspects.run(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"


def test_people_are_asked_again_from_the_top_without_a_suggestion(project: Project, alice: User) -> None:
    found = listed(project, 5)
    run = found[0].run
    assert suspects.ask_again(project, run, alice, 2) == 2
    asked = list(Suspect.objects.filter(run=run, state="asked").order_by("rank"))
    assert [one.rank for one in asked] == [1, 2]
    assert all(one.task is not None and one.task.reason == "suspect" for one in asked)
    assert asked[0].task is not None
    assert asked[0].task.rank < 0
    assert asked[0].task.suggestion is None
    suspects.stop(run)
    run.refresh_from_db()
    with pytest.raises(DomainError, match="stopped"):
        suspects.ask_again(project, run, alice)


def truth(one: Suspect, label: Label) -> None:
    Resolution.objects.filter(item=one.item).update(label=label, changed_at=timezone.now())


def test_what_people_say_is_followed(project: Project, alice: User) -> None:
    wrong, right, waiting, apart, passing = listed(project, 5)
    other = project.labels.all()[1]
    suspects.ask_again(project, wrong.run, alice, 4)
    for one in (wrong, right, apart):
        Task.objects.filter(item=one.item, reason="suspect").update(state="done")
    truth(wrong, other)
    Resolution.objects.filter(item=apart.item).delete()  # a tie: nobody has settled it yet
    truth(passing, other)
    suspects.follow()
    states = dict(Suspect.objects.values_list("pk", "state"))
    assert [states[one.pk] for one in (wrong, right, waiting, apart, passing)] == [
        *("wrong", "right", "asked", "asked", "wrong")
    ]
    found = queries.precision(wrong.run)
    assert (found.wrong.right, found.wrong.n) == (1, 2), "what changed by chance says nothing about the list"


def test_a_withdrawn_question_is_on_the_list_again(project: Project, alice: User) -> None:
    one = listed(project, 1)[0]
    suspects.ask_again(project, one.run, alice)
    Task.objects.filter(item=one.item).update(state="closed")
    suspects.follow()
    one.refresh_from_db()
    assert (one.state, one.asked_at) == ("listed", None)


def test_a_merged_label_is_no_other_answer(project: Project, alice: User) -> None:
    one = listed(project, 1)[0]
    given, other = project.labels.all()[:2]
    suspects.ask_again(project, one.run, alice)
    Task.objects.filter(item=one.item).update(state="done")
    Label.objects.filter(pk=given.pk).update(merged_into=other, archived_at=timezone.now())
    truth(one, other)
    suspects.follow()
    one.refresh_from_db()
    assert one.state == "right"


def test_nobody_is_asked_again_what_was_found_right(project: Project, alice: User) -> None:
    labelled(project)
    run = looked(project)
    first = queries.listed(run)[0]
    suspects.judge_right(project, first)
    again = looked(project)
    assert first.item_id not in {one.item_id for one in queries.listed(again)}
    assert again.flagged == run.flagged - 1


def test_the_lead_may_settle_one_by_hand(project: Project, alice: User) -> None:
    one, two, three = listed(project, 3)
    suspects.judge_right(project, one)
    suspects.take_suggestion(project, two, alice)
    suspects.put_right(project, three, alice, {"label": project.labels.all()[2]})
    assert list(Suspect.objects.order_by("rank").values_list("state", flat=True)) == ["right", "wrong", "wrong"]
    assert Resolution.objects.get(item=two.item).label == project.labels.all()[1]
    assert queries.precision(one.run).wrong.n == 3
    with pytest.raises(DomainError, match="already"):
        suspects.judge_right(project, two)


def judged(project: Project, wrong: list[bool]) -> SuspectRun:
    found = listed(project, len(wrong))
    for one, bad in zip(found, wrong, strict=True):
        one.state, one.asked_at = ("wrong" if bad else "right"), timezone.now()
    Suspect.objects.bulk_update(found, ["state", "asked_at"])
    return found[0].run


def test_asking_on_is_advised_while_many_are_wrong_and_against_when_it_drops(project: Project) -> None:
    few = queries.precision(judged(project, [True] * 5))
    assert not few.stop
    assert "Too few" in queries.advice(few)
    good = queries.precision(judged(project, [True] * 15 + [False] * 5 + [True] * 14 + [False] * 6))
    assert not good.stop
    assert "worth while" in queries.advice(good)
    dropped = queries.precision(judged(project, [True] * 18 + [False] * 2 + [True] * 3 + [False] * 17))
    assert dropped.stop
    assert "Of the last 20, 3 were wrong" in queries.advice(dropped)
    assert [(block.first, block.last) for block in dropped.blocks] == [(1, 20), (21, 40)]
    surely = queries.precision(judged(project, [True] * 40 + [True] * 8 + [False] * 12))
    assert surely.stop, "40 per cent after 100 per cent is surely less"


def test_several_labels_are_doubted_one_decision_at_a_time(project: Project) -> None:
    project.task_kind = "multi"
    project.save()
    items, wrong = labelled(project)
    labels = [label.pk for label in project.labels.all()]
    for place, item in enumerate(items):
        kind = place % 3 if item.pk not in wrong else (place + 1) % 3
        Resolution.objects.filter(item=item).update(label=None, value={"labels": [labels[kind]]})
    found = list(queries.listed(looked(project)))
    assert len(wrong & {one.item_id for one in found}) >= WRONG - 2
    assert found[0].suggested_value is not None
    assert set(found[0].suggested_value["labels"]) ^ set(found[0].value["labels"]) == {found[0].suggested_id}


def test_spans_are_doubted_by_a_version_that_did_not_learn_from_them(project: Project) -> None:
    project.task_kind = "spans"
    project.save()
    first, second = project.labels.all()[:2]
    version = ModelVersion.objects.create(
        project=project, number=1, kind="transformer", encoder="e", encoder_digest="e", snapshot_hash="s", seed=0,
        config={}, path="none", digest="d", label_order=[[first.pk, first.name], [second.pk, second.name]],
    )  # fmt: skip
    items = rows.items(project, [f"Anna went to Rome {place}" for place in range(60)])
    wrong = {item.pk for item in items[:5]}
    for item in items:
        said = [{"start": 0, "end": 4, "label": first.pk}, {"start": 13, "end": 17, "label": second.pk}]
        given = [dict(span, quote=item.text[span["start"] : span["end"]]) for span in said]
        if item.pk in wrong:
            given = [dict(given[0], label=second.pk)]
        Resolution.objects.create(item=item, project=project, split="pool", value={"spans": given}, how="imported")
        value = {"spans": [span | {"score": 0.97} for span in said]}
        Prediction.objects.create(item=item, version=version, confidence=0.95, margin=0.9, value=value)
    found = list(queries.listed(looked(project)))
    assert {one.item_id for one in found} == wrong
    assert found[0].suggested_value is not None
    assert len(found[0].suggested_value["spans"]) == 2


def test_the_page_is_kind_when_empty_and_shows_list_precision_and_advice(
    project: Project, rita: User, client_of: ClientOf
) -> None:
    client = client_of(rita)
    assert "Nobody has looked yet" in client.get("/p/bank/label-errors/").content.decode()
    client.post("/p/bank/label-errors/start/")
    assert "being looked through" in client.get("/p/bank/label-errors/").content.decode()
    SuspectRun.objects.update(state="failed", error="Label more first.")
    assert "Label more first." in client.get("/p/bank/label-errors/").content.decode()
    found = listed(project, 35)
    page = client.get("/p/bank/label-errors/").content.decode()
    assert page.count("data-row class") == 30
    assert "after=30" in page
    client.post("/p/bank/label-errors/ask/", {"n": "12"})
    assert Suspect.objects.filter(state="asked").count() == 12
    client.post(f"/p/bank/label-errors/{found[20].pk}/judge/", {"verdict": "suggestion"})
    client.post(f"/p/bank/label-errors/{found[21].pk}/judge/", {"verdict": "right"})
    other = project.labels.all()[2]
    assert other.name in client.get(f"/p/bank/label-errors/{found[22].pk}/").content.decode()
    client.post(f"/p/bank/label-errors/{found[22].pk}/judge/", {"verdict": "fixed", "label": other.pk})
    page = client.get("/p/bank/label-errors/?all=yes&after=20").content.decode()
    assert "it was wrong" in page
    assert "it was right" in page
    client.post("/p/bank/label-errors/ask/", {"act": "stop"})
    assert "You stopped asking" in client.get("/p/bank/label-errors/").content.decode()
    assert client.post("/p/bank/label-errors/ask/", {"n": "0"}).status_code == 422


def test_the_api_says_the_same(project: Project, rita: User, client_of: ClientOf) -> None:
    client = client_of(rita)
    where = "/api/v1/projects/bank/label-errors/"
    assert client.get(where).json()["run"] is None
    assert client.post(where + "ask/", {}, content_type="application/json").status_code == 409
    found = listed(project, 3)
    body = client.get(where, {"limit": 2}).json()
    assert [row["rank"] for row in body["results"]] == [1, 2]
    assert (body["next"], body["wrong"]["n"]) == (2, 0)
    assert client.post(where + "ask/", {"n": 1}, content_type="application/json").json() == {"asked": 1}
    reply = client.post(f"{where}{found[2].pk}/judge/", {"verdict": "suggestion"}, content_type="application/json")
    assert reply.json()["state"] == "wrong"
    assert client.post(where).json()["state"] == "queued"
