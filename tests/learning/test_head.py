"""The live head from truths to the order of the queue, on made-up vectors whose geometry is known."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.db import connections
from django.utils import timezone

from apps.annotation.models import Lease, Resolution, Task
from apps.learning import lessons, live, queries, vectors
from apps.learning.models import CurvePoint, Encoding, LiveHead
from apps.learning.services import head as service
from apps.projects.models import Label, Project
from tests.learning import rows

DIMENSION = 16


@pytest.fixture(autouse=True)
def _fresh(project: Project):
    yield
    vectors.forget(project.pk)
    live.choosing._closed.clear()
    live._holdout.clear()


@pytest.fixture
def bank(project: Project) -> "Bank":
    return Bank(project)


class Bank:
    """200 items around three directions, every tenth held out; `truth` says which direction."""

    def __init__(self, project: Project, n: int = 200) -> None:
        rng = np.random.default_rng(1)
        self.project = project
        self.labels = list(project.labels.order_by("pk"))
        self.truth = rng.integers(0, 3, n)
        self.x = rows.unit(
            (3 * np.eye(3, DIMENSION)[self.truth] + rng.standard_normal((n, DIMENSION))).astype(np.float32)
        )
        self.items = rows.items(project, [f"question {i}" for i in range(n)], holdout_every=10)
        rows.open_tasks(project, self.items)
        rows.vectors_for(self.items, self.x)

    def label(self, places: list[int]) -> None:
        for place in places:
            rows.resolve(self.items[place], self.labels[self.truth[place]])

    def places(self, split: str) -> list[int]:
        return [place for place, item in enumerate(self.items) if item.split == split]

    def refresh(self) -> LiveHead:
        LiveHead.objects.update(fitted_at=timezone.now() - timedelta(minutes=5))  # no pause in tests
        live.refresh(self.project.pk)
        LiveHead.objects.filter(seconds__gt=queries.BRISK).update(seconds=queries.BRISK / 2)  # on a slow machine too
        return LiveHead.objects.get(project=self.project)


def _top(project: Project) -> list[Task]:
    return [task for task in rows.queue(project) if task.rank < Task.TOP]


def test_before_any_label_the_queue_starts_with_typical_items(bank: Bank) -> None:
    head = bank.refresh()
    assert (head.revision, head.weights, head.n_labels) == (1, None, 0)
    pool = [task for task in _top(bank.project) if task.split == "pool"]
    assert {task.reason for task in pool} == {"cold_start", "random"}
    first = {int(bank.truth[bank.items.index(task.item)]) for task in pool[:12]}
    assert first == {0, 1, 2}  # every direction is among the first
    assert all(task.suggestion is None for task in pool)


def test_one_class_alone_is_still_a_cold_start(bank: Bank) -> None:
    bank.label([place for place in bank.places("pool") if bank.truth[place] == 0][:5])
    assert bank.refresh().weights is None
    assert {task.reason for task in _top(bank.project) if task.split == "pool"} == {"cold_start", "random"}


def test_after_labels_the_most_uncertain_come_first_with_a_suggestion(bank: Bank) -> None:
    bank.label(bank.places("pool")[:30])
    head = bank.refresh()
    assert (head.revision, head.n_labels) == (1, 30)
    assert head.label_order == [label.pk for label in bank.labels]
    top = [task for task in _top(bank.project) if task.split == "pool"]
    uncertain = [task for task in top if task.reason == "uncertain"]
    fitted = live.heads.Head.from_bytes(bytes(head.weights or b""))
    gap = fitted.glance(bank.x)[2]
    place = {item.pk: n for n, item in enumerate(bank.items)}
    for task in uncertain:
        assert task.score == pytest.approx(float(gap[place[task.item_id]]), abs=2e-3)
    open_places = [p for p in bank.places("pool") if p not in bank.places("pool")[:30]]
    chosen = [gap[place[task.item_id]] for task in uncertain[:20]]
    assert np.median(chosen) < np.median(gap[open_places])
    suggestion = uncertain[0].suggestion
    assert suggestion is not None
    assert suggestion["head"] == 1
    assert suggestion["probabilities"] == sorted(suggestion["probabilities"], reverse=True)
    assert sum(suggestion["probabilities"]) == pytest.approx(1, abs=1e-3)
    share = len([task for task in top if task.reason == "random"]) / len(top)
    assert share == pytest.approx(bank.project.random_share, abs=0.02)


def test_more_labels_reorder_the_queue_and_make_the_next_revision(bank: Bank) -> None:
    bank.label(bank.places("pool")[:20])
    bank.refresh()
    before = [task.item_id for task in _top(bank.project)]
    bank.label(bank.places("pool")[20:40])
    head = bank.refresh()
    after = [task.item_id for task in _top(bank.project)]
    assert (head.revision, head.n_labels) == (2, 40)
    assert before != after
    done = {bank.items[place].pk for place in bank.places("pool")[:40]}
    assert not done & set(after)


def test_the_curve_is_measured_on_labelled_holdout_items_only(bank: Bank) -> None:
    bank.label(bank.places("pool")[:30])
    bank.refresh()
    assert not CurvePoint.objects.exists()
    bank.label(bank.places("holdout"))
    head = bank.refresh()
    point = CurvePoint.objects.get()
    assert (point.revision, point.n_labels, point.n_holdout) == (head.revision, 30, 20)
    x = bank.x[bank.places("holdout")].astype(np.float16)
    predicted = live.heads.Head.from_bytes(bytes(head.weights or b"")).glance(x)[0]
    assert point.accuracy == pytest.approx(float((predicted == bank.truth[bank.places("holdout")]).mean()))
    assert point.low < point.accuracy <= point.high


def test_holdout_labels_alone_teach_nothing(bank: Bank) -> None:
    bank.label(bank.places("holdout"))
    head = bank.refresh()
    assert (head.n_labels, head.weights) == (0, None)


def test_items_in_hand_or_without_open_task_are_not_chosen(bank: Bank, bob) -> None:
    bank.label(bank.places("pool")[:20])
    in_hand, closed = bank.items[bank.places("pool")[20]], [bank.items[p] for p in bank.places("pool")[21:120]]
    task = Task.objects.get(item=in_hand)
    Lease.objects.create(task=task, annotator=bob, expires_at=timezone.now() + timedelta(minutes=10))
    Task.objects.filter(pk=task.pk).update(state="full", taken=1)
    Task.objects.filter(item__in=closed).update(state="closed")
    bank.refresh()
    top = {task.item_id for task in _top(bank.project) if task.split == "pool"}
    assert in_hand.pk not in top
    assert top == {bank.items[p].pk for p in bank.places("pool")[120:]}


def test_a_new_label_keeps_what_the_head_knew(bank: Bank) -> None:
    bank.label(bank.places("pool")[:30])
    bank.refresh()
    new = Label.objects.create(project=bank.project, name="lost card", position=9)
    assert queries.projects_to_refresh() == [bank.project.pk]
    head = bank.refresh()
    assert head.label_order == [*(label.pk for label in bank.labels), new.pk]
    state = live._read(bank.project)
    warm = live._warm(state)
    assert warm is not None
    assert warm.n_classes == 4
    bank.labels[0].archived_at = timezone.now()
    bank.labels[0].save()
    assert bank.labels[0].pk not in bank.refresh().label_order
    assert all(
        bank.labels[0].pk not in task.suggestion["labels"] for task in _top(bank.project) if task.suggestion is not None
    )


def test_a_changed_encoder_serves_the_old_vectors_until_the_new_are_complete(bank: Bank) -> None:
    bank.label(bank.places("pool")[:30])
    bank.refresh()
    Encoding.objects.update(encoder_digest="e" * 64, through_item=bank.items[50].pk)
    bank.label(bank.places("pool")[30:40])
    head = bank.refresh()
    assert (head.encoder_digest, head.n_labels, head.revision) == (rows.DIGEST, 40, 2)
    rows.vectors_for(bank.items, bank.x[:, :8], digest="e" * 64)
    bank.label(bank.places("pool")[40:50])
    assert bank.refresh().encoder_digest == "e" * 64


def test_due_after_five_answers_or_three_quiet_seconds(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "QUIET", 60.0)  # a slow machine must not make it quiet
    bank.label(bank.places("pool")[:20])
    bank.refresh()
    due = queries.projects_to_refresh
    assert due() == []
    bank.label(bank.places("pool")[20:24])
    assert due() == []
    bank.label(bank.places("pool")[24:25])
    assert due() == [bank.project.pk]
    Resolution.objects.filter(item__in=[bank.items[p] for p in bank.places("pool")[21:25]]).delete()
    assert due() == []
    Resolution.objects.filter(item=bank.items[bank.places("pool")[20]]).update(
        changed_at=timezone.now() - timedelta(seconds=61)
    )
    LiveHead.objects.update(fitted_through=timezone.now() - timedelta(seconds=90))
    assert due() == [bank.project.pk]


def test_a_long_refresh_is_followed_by_a_pause_of_twice_its_length(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    bank.label(bank.places("pool")[:20])
    bank.refresh()
    bank.label(bank.places("pool")[20:30])
    monkeypatch.setattr(queries, "LONGEST_PAUSE", 10_000.0)
    LiveHead.objects.update(seconds=1_000.0, fitted_at=timezone.now() - timedelta(seconds=1_500))
    assert queries.projects_to_refresh() == []
    LiveHead.objects.update(fitted_at=timezone.now() - timedelta(seconds=2_001))
    assert queries.projects_to_refresh() == [bank.project.pk]


def test_an_answer_taken_back_is_noticed_a_little_later(bank: Bank) -> None:
    bank.label(bank.places("pool")[:20])
    bank.refresh()
    Resolution.objects.filter(item=bank.items[bank.places("pool")[3]]).delete()
    assert queries.projects_to_refresh() == []
    LiveHead.objects.update(fitted_at=timezone.now() - timedelta(seconds=25))
    assert queries.projects_to_refresh() == [bank.project.pk]


def test_new_items_with_vectors_make_a_refresh_due(bank: Bank) -> None:
    bank.label(bank.places("pool")[:20])
    bank.refresh()
    more = rows.items(bank.project, ["late one", "late two"], prefix="late")
    rows.vectors_for(more, bank.x[:2])
    LiveHead.objects.update(fitted_at=timezone.now() - timedelta(seconds=1))
    assert queries.projects_to_refresh() == []  # they have no tasks yet
    rows.open_tasks(bank.project, more)
    assert queries.projects_to_refresh() == [bank.project.pk]
    assert bank.refresh().seen_through == more[-1].pk


@pytest.mark.django_db(transaction=True)
def test_only_one_worker_refreshes_a_project_at_a_time(bank: Bank) -> None:
    with service.alone(bank.project.pk) as mine:
        assert mine
        answers: list[bool] = []
        _in_another_connection(lambda: answers.append(_try_alone(bank.project.pk)))
        assert answers == [False]
    _in_another_connection(lambda: answers.append(_try_alone(bank.project.pk)))
    assert answers == [False, True]


def _try_alone(project_id: int) -> bool:
    with service.alone(project_id) as mine:
        return mine


def _in_another_connection(what: Callable[[], None]) -> None:
    import threading

    def run() -> None:
        what()
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)


def test_a_refresh_that_was_overtaken_publishes_nothing(bank: Bank) -> None:
    head = bank.refresh()
    fitted = service.Fitted(head.revision, rows.DIGEST, None, [], 0, None, 0)
    with pytest.raises(LiveHead.DoesNotExist):
        service.publish(bank.project, fitted, [], None)


def test_the_steps_and_their_sum_are_written_down(bank: Bank) -> None:
    bank.label(bank.places("pool")[:20])
    head = bank.refresh()
    assert set(head.timing) == {"read", "vectors", "fit", "choose", "evaluate", "publish"}
    assert sum(head.timing.values()) > 0


def test_with_many_labels_the_fit_takes_a_part_that_keeps_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "MOST_FITTED", 500)
    classes = np.concatenate([np.zeros(5_000, dtype=np.int64), np.full(20, 1), np.full(300, 2)])
    kept = lessons.spared(classes, np.random.default_rng(0))
    assert len(kept) == len(set(kept)) == 500
    counts = np.bincount(classes[kept])
    assert counts[1] == 20
    assert counts[2] >= lessons.EACH_CLASS
    assert counts[0] > 300
