"""The live head where a text carries several labels, and the queue where no head can be: spans."""

from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.annotation.models import Resolution, Task
from apps.annotation.services.opinions import suggested
from apps.learning import live, queries, vectors
from apps.learning.models import CurvePoint, LiveHead, SamplingRound
from apps.learning.services import prediction_copy, stopping
from apps.projects.models import Project
from apps.registry import services as registrar
from tests.learning import kinds, rows
from tests.learning.teach import make_version
from workers.learning import heads
from workers.learning.types import ScoredSpan, SpanAnswer

DIMENSION = 16


@pytest.fixture(autouse=True)
def _fresh(project: Project):
    yield
    vectors.forget(project.pk)
    live.choosing._closed.clear()
    live._holdout.clear()


class Bank:
    """Texts whose first three directions say which of the three labels they carry; every fifth is held out."""

    def __init__(self, project: Project, n: int = 240) -> None:
        rng = np.random.default_rng(4)
        self.project, self.labels = project, list(project.labels.order_by("pk"))
        self.truth = rng.random((n, 3)) < 0.4
        signs = np.where(self.truth, 1.0, -1.0)
        noise = 0.25 * rng.standard_normal((n, DIMENSION))
        noise[:, :3] += signs
        self.x = rows.unit(noise.astype(np.float32))
        self.items = rows.items(project, [f"text {i}" for i in range(n)], holdout_every=5)
        rows.open_tasks(project, self.items)
        rows.vectors_for(self.items, self.x)

    def places(self, split: str) -> list[int]:
        return [place for place, item in enumerate(self.items) if item.split == split]

    def resolve(self, places: list[int], value: object = None) -> None:
        for place in places:
            labels = [self.labels[at].pk for at in np.flatnonzero(self.truth[place])]
            kinds.truth(self.items[place], value or {"labels": labels})  # type: ignore[arg-type]
        Task.objects.filter(item__in=[self.items[place] for place in places]).update(state="done", taken=1)

    def refresh(self) -> LiveHead:
        LiveHead.objects.update(fitted_at=timezone.now() - timedelta(minutes=5))
        live.refresh(self.project.pk)
        LiveHead.objects.filter(seconds__gt=queries.BRISK).update(seconds=queries.BRISK / 2)
        return LiveHead.objects.get(project=self.project)

    def top(self) -> list[Task]:
        return [task for task in rows.queue(self.project) if task.rank < Task.TOP and task.split == "pool"]


def test_several_labels_are_learned_suggested_and_measured(project: Project) -> None:
    bank = Bank(kinds.multi(project))
    bank.resolve(bank.places("pool")[:80] + bank.places("holdout"))
    head = bank.refresh()
    assert (head.n_labels, head.label_order) == (80, [label.pk for label in bank.labels])
    assert isinstance(heads.open(bytes(head.weights or b"")), heads.MultiHead)
    point = CurvePoint.objects.get()
    assert (point.measure, point.n_holdout) == ("micro_f1", 48)
    assert point.accuracy > 0.9
    assert point.low <= point.accuracy
    first = bank.top()[0]
    assert first.reason in {"uncertain", "random"}
    assert first.suggestion is not None
    assert set(first.suggestion["labels"]) == {label.pk for label in bank.labels}
    assert len(first.suggestion["thresholds"]) == 3
    places = {item.pk: place for place, item in enumerate(bank.items)}
    model = heads.open(bytes(head.weights or b""))
    assert isinstance(model, heads.MultiHead)
    for task in bank.top():
        given = model.labels(model.probabilities(bank.x[[places[task.item_id]]]))[0]
        assert suggested(task.suggestion or {})["labels"] == sorted(
            (bank.labels[at].pk for at in np.flatnonzero(given)), key=(task.suggestion or {})["labels"].index
        )
    assert not {task.item_id for task in bank.top()} & {bank.items[place].pk for place in bank.places("holdout")}


def test_texts_with_no_label_at_all_teach_too(project: Project) -> None:
    bank = Bank(kinds.multi(project))
    none = [place for place in bank.places("pool") if not bank.truth[place].any()]
    some = [place for place in bank.places("pool") if bank.truth[place].any()]
    bank.resolve(none[:20])
    assert bank.refresh().weights is None  # nothing can be told apart yet
    bank.resolve(some[:30])
    head = heads.open(bytes(bank.refresh().weights or b""))
    assert isinstance(head, heads.MultiHead)
    assert head.probabilities(bank.x[none[20:]]).max(axis=1).mean() < 0.5


def test_an_archived_label_is_forgotten_and_the_others_stay(project: Project) -> None:
    bank = Bank(kinds.multi(project))
    bank.resolve(bank.places("pool")[:60])
    bank.refresh()
    bank.labels[0].archived_at = timezone.now()
    bank.labels[0].save()
    head = bank.refresh()
    assert head.label_order == [label.pk for label in bank.labels[1:]]
    assert heads.open(bytes(head.weights or b"")).n_classes == 2
    assert head.n_labels == 60


def test_held_out_truths_of_several_labels_teach_nothing(project: Project) -> None:
    bank = Bank(kinds.multi(project))
    bank.resolve(bank.places("holdout"))
    head = bank.refresh()
    assert (head.n_labels, head.weights) == (0, None)


def test_spans_are_ordered_by_what_the_serving_version_was_unsure_of(project: Project, alice: User) -> None:
    bank = Bank(kinds.spans(project))
    bank.resolve(bank.places("pool")[:10], {"spans": []})
    head = bank.refresh()
    assert (head.weights, head.n_labels) == (None, 10)
    assert {task.reason for task in bank.top()} == {"cold_start", "random"}
    version = make_version(project, 1, task="spans", kind="transformer")
    unsure = {bank.items[place].pk for place in bank.places("pool")[10:40]}
    ids = [bank.items[place].pk for place in bank.places("pool")]
    mark = (ScoredSpan(0, 4, 1, 0.75),)
    answers = [SpanAnswer(mark, 0.2 if pk in unsure else 0.99, 0.05 if pk in unsure else 0.98, 4) for pk in ids]
    prediction_copy.store_spans(ids, version.pk, [label.pk for label in bank.labels], answers)
    registrar.deploy(project, version, kind="promote", by=alice, why="", verdict={})
    project.strategy = "token-margin"
    project.save()
    bank.resolve(bank.places("pool")[50:56], {"spans": []})
    bank.refresh()
    chosen = [task for task in bank.top() if task.reason == "uncertain"]
    # a few of them are near-duplicates, or came by chance
    assert len({task.item_id for task in chosen[:20]} & unsure) == 20
    marked = [{"start": 0, "end": 4, "label": bank.labels[1].pk, "score": 0.75}]
    assert all(task.suggestion == {"version": 1, "spans": marked} for task in chosen)
    bank.labels[1].archived_at = timezone.now()
    bank.labels[1].save()
    bank.refresh()
    again = [task for task in bank.top() if task.item_id in unsure and task.suggestion is not None]
    assert again
    assert all(task.suggestion == {"version": 1, "spans": []} for task in again), "its label is gone"


@pytest.mark.parametrize(
    "strategy",
    ["random", "margin", "entropy", "committee", "badge", "contrastive", "core-set", "kmeans", "auto", "gone"],
)
def test_every_strategy_of_the_project_chooses_and_the_round_is_written_down(project: Project, strategy: str) -> None:
    project.strategy = strategy
    project.save()
    bank = Bank(project)
    for place in bank.places("pool")[:30]:
        rows.resolve(bank.items[place], bank.labels[int(bank.truth[place].argmax())])
    head = bank.refresh()
    done = SamplingRound.objects.get(project=project)
    assert (done.revision, done.labels_so_far) == (head.revision, 30)
    assert done.strategy == ("auto" if strategy == "gone" else strategy)
    assert done.n == sum(done.reasons.values()) == len(bank.top()) > 50
    assert set(done.reasons) == {"uncertain", "random"}
    assert done.pool == len(bank.places("pool")) - 30


# --- when to stop ------------------------------------------------------------------------------------
def test_advice_to_stop_rests_on_rounds_of_fifty_labels(project: Project) -> None:
    bank = Bank(project, 640)
    places = bank.places("pool")

    def label(through: int) -> None:
        known = set(Resolution.objects.values_list("item_id", flat=True))
        for place in places[:through]:
            if bank.items[place].pk not in known:
                rows.resolve(bank.items[place], bank.labels[int(bank.truth[place, 0])])
        bank.refresh()

    assert stopping.advice(project) is None
    for labels in (50, 60, 100, 155):
        label(labels)
    head = LiveHead.objects.get(project=project)
    assert [row["labels"] for row in head.stability["rounds"]] == [50, 100, 155]
    assert head.stability["rounds"][0]["agreement"] is None
    found = stopping.advice(project)
    assert found is not None
    assert (found.stop, found.reason) == (False, "too_few_rounds")
    for labels in (210, 260, 320):
        label(labels)
    found = stopping.advice(project)
    assert found is not None
    assert found.stability is not None
    assert found.stability > 0.9
    assert stopping.sentence(found)


def test_another_encoder_or_label_starts_the_comparison_anew() -> None:
    pool = np.arange(100)

    def look(labels: int, frame: str, said: int) -> stopping.Look:
        return stopping.Look(pool, lambda items: np.full(len(items), said), np.arange(0), labels, 2, None, frame)

    rng = np.random.default_rng(0)
    record = stopping.noted({}, look(50, "a", 0), rng)
    assert not stopping.due(record, 99, "a")
    assert stopping.due(record, 60, "b")
    record = stopping.noted(record, look(100, "b", 1), rng)
    assert record["rounds"][-1]["agreement"] is None
    record = stopping.noted(record, look(150, "b", 1), rng)
    assert record["rounds"][-1]["agreement"] == 1
    # labels taken back: no round stays that lies beyond them
    assert [row["labels"] for row in stopping.noted(record, look(120, "c", 1), rng)["rounds"]] == [50, 120]
