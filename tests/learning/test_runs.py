from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.learning.models import Snapshot, SnapshotRow, TrainingRun
from apps.learning.services import runs, wishes
from apps.learning.services.snapshots import fingerprint
from apps.projects.models import Label, Project
from apps.registry.models import ModelVersion
from tests.learning.teach import add_item, add_items, head_wish, resolve

State = TrainingRun.State


def refused(project: Project, by: User, **wish: object) -> str:
    with pytest.raises(DomainError) as caught:
        runs.create(project, by, head_wish(**wish))
    assert not TrainingRun.objects.exists()
    assert not Snapshot.objects.exists()
    return str(caught.value)


def test_a_run_without_any_label_is_refused_in_words(project: Project, alice: User) -> None:
    assert "at least two labels" in refused(project, alice)


def test_a_run_with_one_label_is_refused_in_words(project: Project, alice: User) -> None:
    label = project.labels.get(name="card arrival")
    for number in range(20):
        resolve(add_item(project, f"card {number}"), label)
    assert "at least two labels" in refused(project, alice)


def test_too_few_examples_are_refused_with_how_many_are_missing(project: Project, alice: User) -> None:
    add_items(project, 2)
    assert "Label 4 more" in refused(project, alice)


def test_a_transformer_wants_more_examples_than_a_head(project: Project, alice: User) -> None:
    add_items(project, 5)
    sentence = refused(project, alice, kind=ModelVersion.Kind.TRANSFORMER, encoder="minilm-l6")
    assert "at least 40" in sentence


def test_a_transformer_cannot_be_made_of_character_ngrams(project: Project, alice: User) -> None:
    add_items(project, 20)
    assert "no transformer" in refused(project, alice, kind=ModelVersion.Kind.TRANSFORMER)


def test_labels_without_an_example_are_named_and_may_be_left_out(project: Project, alice: User) -> None:
    add_items(project, 5)
    Label.objects.create(project=project, name="lost phone", position=9)
    with pytest.raises(InvalidInput, match="“lost phone”") as caught:
        runs.create(project, alice, head_wish())
    assert caught.value.field == "leave_out"
    run = runs.create(project, alice, head_wish(leave_out=True))
    assert run.config["left_out"] == ["lost phone"]
    assert "lost phone" not in [name for _pk, name in run.config["labels"]]


def test_many_missing_labels_are_named_in_part(project: Project, alice: User) -> None:
    add_items(project, 5)
    Label.objects.bulk_create(Label(project=project, name=f"extra {n}", position=9 + n) for n in range(8))
    assert "“extra 4” and 3 more" in refused(project, alice)


def test_a_second_run_of_the_project_is_refused_while_the_first_lives(project: Project, alice: User) -> None:
    add_items(project, 5)
    first = runs.create(project, alice, head_wish())
    with pytest.raises(DomainError, match="still going"):
        runs.create(project, alice, head_wish())
    TrainingRun.objects.filter(pk=first.pk).update(state=State.SUCCEEDED)
    assert runs.create(project, alice, head_wish()).state == State.QUEUED


def test_the_database_itself_keeps_a_second_live_run_out(project: Project) -> None:
    TrainingRun.objects.create(project=project, kind="head", state=State.RUNNING)
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingRun.objects.create(project=project, kind="head", state=State.QUEUED)


def test_the_snapshot_holds_the_truths_of_the_pool_and_never_the_holdout(project: Project, alice: User) -> None:
    pool = add_items(project, 5)
    add_items(project, 5, split="holdout")
    run = runs.create(project, alice, head_wish())
    taken = set(SnapshotRow.objects.filter(snapshot=run.snapshot).values_list("item_id", flat=True))
    assert taken == {item.pk for item in pool}
    assert run.snapshot is not None
    assert run.snapshot.n_items == 15


def test_the_database_refuses_a_holdout_item_in_a_snapshot(project: Project) -> None:
    item = add_item(project, "held out", split="holdout")
    snapshot = Snapshot.objects.create(project=project, hash="", n_items=0)
    label = project.labels.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        SnapshotRow.objects.create(snapshot=snapshot, item=item, label=label, split="holdout")
    connection.cursor().execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError), transaction.atomic():
        SnapshotRow.objects.create(snapshot=snapshot, item=item, label=label)  # it says pool, the item does not


def test_the_snapshot_hash_names_texts_and_labels_in_item_order(project: Project, alice: User) -> None:
    add_items(project, 5)
    run = runs.create(project, alice, head_wish())
    assert run.snapshot is not None
    rows = SnapshotRow.objects.filter(snapshot=run.snapshot).order_by("item_id").select_related("item", "label")
    by_hand, n = fingerprint((bytes(row.item.text_hash), row.label.name) for row in rows)
    assert (run.snapshot.hash, run.snapshot.n_items) == (by_hand, n)
    again, _n = fingerprint([(b"x" * 32, "a"), (b"y" * 32, "b")])
    swapped, _n = fingerprint([(b"x" * 32, "b"), (b"y" * 32, "a")])
    assert again != swapped


def test_answers_that_come_later_do_not_change_a_snapshot(project: Project, alice: User) -> None:
    add_items(project, 5)
    run = runs.create(project, alice, head_wish())
    add_items(project, 5, start=50)
    assert SnapshotRow.objects.filter(snapshot=run.snapshot).count() == 15


def test_only_one_worker_claims_a_run(project: Project, alice: User) -> None:
    add_items(project, 5)
    run = runs.create(project, alice, head_wish())
    first = runs.claim(run.pk)
    assert first is not None
    assert (first.state, first.attempt) == (State.RUNNING, 1)
    assert runs.claim(run.pk) is None


def running(project: Project, **changes: object) -> TrainingRun:
    values = {"kind": "head", "state": State.RUNNING, "attempt": 1, "heartbeat_at": timezone.now()} | changes
    return TrainingRun.objects.create(project=project, **values)


def test_a_zombies_late_write_is_refused(project: Project) -> None:
    zombie = running(project)
    TrainingRun.objects.filter(pk=zombie.pk).update(attempt=2)  # another worker went on
    assert runs.report(zombie, progress=0.9, log_tail="I live") is None
    assert not runs.settle(zombie, State.SUCCEEDED)
    assert not runs.hand_back(zombie)
    zombie.refresh_from_db()
    assert (zombie.state, zombie.progress, zombie.log_tail) == (State.RUNNING, 0, "")


def test_a_run_that_has_ended_takes_no_more_news(project: Project) -> None:
    run = running(project)
    assert runs.settle(run, State.FAILED, "It broke.")
    assert runs.report(run, progress=0.5) is None
    assert not runs.settle(run, State.SUCCEEDED)


def test_cancelling_a_queued_run_ends_it_at_once(project: Project, alice: User) -> None:
    add_items(project, 5)
    run = runs.cancel(runs.create(project, alice, head_wish()))
    assert run.state == State.CANCELLED
    assert run.finished_at is not None
    assert runs.claim(run.pk) is None


def test_cancelling_a_running_run_leaves_the_rest_to_its_supervisor(project: Project) -> None:
    run = running(project)
    assert runs.cancel(run).state == State.CANCELLING
    assert runs.cancel(run).state == State.CANCELLING  # twice does no harm
    assert runs.report(TrainingRun.objects.get(pk=run.pk)) == State.CANCELLING


def test_a_run_that_has_ended_cannot_be_cancelled(project: Project) -> None:
    run = running(project, state=State.SUCCEEDED)
    with pytest.raises(DomainError, match="ended already"):
        runs.cancel(run)


def ago(seconds: int) -> object:
    return timezone.now() - timedelta(seconds=seconds)


def test_a_queued_run_whose_message_was_lost_is_sent_again_but_not_at_every_look(project: Project) -> None:
    run = running(project, state=State.QUEUED, attempt=0, heartbeat_at=None, created_at=ago(25))
    assert runs.revive() == [run.pk]
    assert runs.revive() == []


def test_a_fresh_queued_run_is_left_alone(project: Project) -> None:
    running(project, state=State.QUEUED, attempt=0, heartbeat_at=None)
    assert runs.revive() == []


def test_a_run_whose_worker_died_is_queued_again_and_claimed_as_the_next_attempt(project: Project) -> None:
    run = running(project, heartbeat_at=ago(31), progress=0.4)
    assert runs.revive() == [run.pk]
    again = runs.claim(run.pk)
    assert again is not None
    assert again.attempt == 2


def test_a_run_whose_heart_beats_is_left_alone(project: Project) -> None:
    run = running(project, heartbeat_at=ago(20))
    assert runs.revive() == []
    run.refresh_from_db()
    assert run.state == State.RUNNING


def test_after_three_deaths_a_run_is_given_up_in_words(project: Project) -> None:
    run = running(project, attempt=3, heartbeat_at=ago(31))
    assert runs.revive() == []
    run.refresh_from_db()
    assert run.state == State.FAILED
    assert "died 3 times" in run.error


def test_a_cancelled_run_whose_worker_died_is_cancelled(project: Project) -> None:
    run = running(project, state=State.CANCELLING, heartbeat_at=ago(31))
    assert runs.revive() == []
    run.refresh_from_db()
    assert run.state == State.CANCELLED


def test_what_is_suggested_comes_with_its_reasons(project: Project) -> None:
    add_items(project, 5)
    found = wishes.suggestion(project, "minilm-l6")
    assert found.kind == "head"
    assert "15 examples" in found.reasons["kind"]
