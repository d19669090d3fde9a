"""Truths of several labels and of spans: frozen, written for the child, measured, compared, flipped, walled off."""

import json
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import User
from apps.annotation.models import Prediction, Resolution
from apps.common.errors import DomainError
from apps.learning import queries
from apps.learning.models import Snapshot, SnapshotRow, Trainable, TrainingRun
from apps.learning.services import evaluation, flips, jobs, prediction_copy, runs
from apps.learning.services.wishes import Wish
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.conftest import ClientOf
from tests.learning import kinds, rows
from tests.learning.teach import NGRAMS, add_item, make_version
from workers.learning.types import ScoredSpan, SpanAnswer

TRANSFORMER = TrainingRun.Kind.TRANSFORMER


@pytest.fixture
def several(project: Project) -> Project:
    return kinds.multi(project)


@pytest.fixture
def marked(project: Project) -> Project:
    return kinds.spans(project)


def wish(**changes: Any) -> Wish:
    return Wish(**({"kind": "head", "encoder": NGRAMS, "leave_out": True} | changes))


def examples(run: TrainingRun) -> list[dict[str, Any]]:
    lines = (jobs.prepare(run) / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


# --- frozen ------------------------------------------------------------------------------------------
def test_every_text_counts_once_and_every_label_it_carries_counts(several: Project) -> None:
    kinds.several(several, 16)
    assert queries.n_examples(several) == 16
    assert [count.n for count in queries.label_counts(several)] == [8, 8, 8]


def test_spans_are_counted_by_label(marked: Project) -> None:
    kinds.marked(marked, 7)
    assert [count.n for count in queries.label_counts(marked)] == [7, 7, 0]


def test_the_child_is_given_places_in_the_order_of_the_model(several: Project, alice: User) -> None:
    items = kinds.several(several, 16)
    run = runs.create(several, alice, wish())
    found = examples(run)
    assert [row["id"] for row in found] == [item.pk for item in items]
    assert [row["labels"] for row in found[:4]] == [[], [0], [1], [0, 1]]
    assert json.loads((jobs.folder_of(run) / "job.json").read_text())["task"] == "multi"


def test_spans_reach_the_child_as_they_lie_in_the_text(marked: Project, alice: User) -> None:
    kinds.marked(marked, 40)
    run = runs.create(marked, alice, wish(kind=TRANSFORMER, encoder="minilm-l6"))
    first = examples(run)[0]
    names = [name for _pk, name in run.config["labels"]]
    assert [first["text"][start:end] for start, end, _label in first["spans"]] == ["Berlin", "Monday"]
    assert [names[label] for *_place, label in first["spans"]] == names == ["card arrival", "exchange rate"]


def test_a_label_that_is_left_out_is_left_out_of_the_truths(several: Project, alice: User) -> None:
    from django.utils import timezone

    kinds.several(several, 16)
    gone = several.labels.order_by("pk")[0]
    gone.archived_at = timezone.now()
    gone.save()
    run = runs.create(several, alice, wish())
    assert [row["labels"] for row in examples(run)[:4]] == [[], [], [0], [0]]
    assert run.snapshot is not None
    assert run.snapshot.n_items == 16


def test_the_hash_names_the_truths_by_label_and_place(marked: Project, alice: User) -> None:
    items = kinds.marked(marked, 40)
    first = runs.create(marked, alice, wish(kind=TRANSFORMER, encoder="minilm-l6"))
    runs.cancel(first)
    value = Resolution.objects.get(item=items[0]).value
    value["spans"][0]["end"] -= 1
    Resolution.objects.filter(item=items[0]).update(value=value)
    second = runs.create(marked, alice, wish(kind=TRANSFORMER, encoder="minilm-l6"))
    assert first.snapshot is not None
    assert second.snapshot is not None
    assert first.snapshot.hash != second.snapshot.hash


def test_a_head_cannot_mark_spans_and_says_so(marked: Project, alice: User) -> None:
    kinds.marked(marked, 40)
    with pytest.raises(DomainError, match="cannot mark spans"):
        runs.create(marked, alice, wish())


# --- walls -------------------------------------------------------------------------------------------
VALUES = [{"labels": []}, {"spans": []}]


@pytest.mark.parametrize("value", VALUES)
def test_the_view_shows_no_held_out_truth_of_any_kind(several: Project, value: dict[str, Any]) -> None:
    held, pool = add_item(several, "held", split="holdout"), add_item(several, "pool")
    for item in (held, pool):
        kinds.truth(item, value)
    assert [row.item_id for row in Trainable.objects.filter(project=several)] == [pool.pk]
    rows.committed()
    # even with the wall of the resolution taken down
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE annotation_resolution DROP CONSTRAINT resolution_split_is_the_items")
        cursor.execute("UPDATE annotation_resolution SET split = 'pool'")
    assert [row.item_id for row in Trainable.objects.filter(project=several)] == [pool.pk]


@pytest.mark.parametrize("split", ["holdout", "pool"])
@pytest.mark.parametrize("value", VALUES)
def test_a_snapshot_takes_no_held_out_value_under_any_split(
    several: Project, value: dict[str, Any], split: str
) -> None:
    held = add_item(several, "held", split="holdout")
    snapshot = Snapshot.objects.create(project=several, hash="h", n_items=1)
    with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012
        SnapshotRow.objects.create(snapshot=snapshot, item=held, split=split, value=value)
        rows.committed()


@pytest.mark.parametrize("value", VALUES)
def test_the_truth_of_a_held_out_text_cannot_change_sides(several: Project, value: dict[str, Any]) -> None:
    held = add_item(several, "held", split="holdout")
    with pytest.raises(IntegrityError), transaction.atomic():  # noqa: PT012
        Resolution.objects.create(item=held, project=several, split="pool", value=value, how="imported")
        rows.committed()


def test_a_truth_is_a_label_or_a_value_never_both(project: Project) -> None:
    item, label = add_item(project, "both"), project.labels.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        Resolution.objects.create(
            item=item, project=project, split="pool", label=label, value={"labels": []}, how="single"
        )
    snapshot = Snapshot.objects.create(project=project, hash="h", n_items=1)
    for said in ({}, {"label": label, "value": {"labels": []}}):
        with pytest.raises(IntegrityError), transaction.atomic():
            SnapshotRow.objects.create(snapshot=snapshot, item=item, **said)


def test_texts_for_a_student_come_from_the_pool_alone(several: Project, alice: User) -> None:
    kinds.several(several, 16)
    kinds.several(several, 8, split="holdout")
    make_version(several, 1, kind=ModelVersion.Kind.TRANSFORMER, task="multi", encoder="minilm-l6")
    run = runs.create(several, alice, wish(kind="distil", parents=(1,)))
    folder = jobs.prepare(run)
    texts = [json.loads(line) for line in (folder / "texts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(texts) == 16
    assert all(row["text"].startswith("pool") for row in texts)
    assert json.loads((folder / "job.json").read_text())["parents"] == [str(jobs.models_root() / f"{several.pk}/1")]


# --- said and measured -------------------------------------------------------------------------------
def version(project: Project, number: int) -> ModelVersion:
    return make_version(project, number, task=project.task_kind, thresholds=[0.5] * 3, kind="transformer")


def say(made: ModelVersion, items: list[Any], sets: list[list[int]]) -> None:
    """Labels by place in the version's order."""
    p = np.full((len(items), 3), 0.1, dtype=np.float32)
    for row, places in enumerate(sets):
        p[row, places] = 0.9
    order = [pk for pk, _name in made.label_order]
    prediction_copy.store_labels([item.pk for item in items], made.pk, order, p, made.thresholds)


def right(n: int) -> list[list[int]]:
    return [[place for place in range(3) if number >> place & 1] for number in range(n)]


def test_several_labels_are_predicted_where_they_reach_their_thresholds(several: Project) -> None:
    made, item = version(several, 1), add_item(several, "one")
    order = [pk for pk, _name in made.label_order]
    p = np.array([[0.2, 0.7, 0.4]], dtype=np.float32)
    prediction_copy.store_labels([item.pk], made.pk, order, p, [0.5, 0.6, 0.3])
    row = Prediction.objects.get()
    assert row.value == {"labels": sorted(order[1:])}
    assert (row.label_id, row.confidence) == (order[1], pytest.approx(0.7))
    assert row.margin == pytest.approx(0.1)
    assert np.allclose(row.probabilities, p[0], atol=1e-3)


def test_several_labels_are_measured_on_the_hold_out_and_compared(several: Project) -> None:
    held = kinds.several(several, 64, split="holdout")
    weak, strong = version(several, 1), version(several, 2)
    say(weak, held, [places if number % 2 else [] for number, places in enumerate(right(64))])
    say(strong, held, right(64))
    measured = evaluation.evaluate(strong)
    assert measured is not None
    assert (measured.metrics["headline"]["name"], measured.metrics["headline"]["value"]) == ("micro_f1", 1.0)
    assert evaluation.evaluate(strong) == measured
    verdict = evaluation.compare(strong, weak)
    assert (verdict.kind, verdict.metric) == ("better", "micro_f1")
    assert set(verdict.fixes) == {item.pk for number, item in enumerate(held) if number % 2 == 0 and number % 8}
    assert evaluation.judged(verdict.fixes[:1], [weak, strong])[0].said[0][0] == {"labels": []}


def answer(*spans: tuple[int, int, int]) -> SpanAnswer:
    return SpanAnswer(tuple(ScoredSpan(*span, 0.9) for span in spans), 0.8, 0.5, 9)


def read(items: list[Any], labels: list[int], *, shift: int = 0) -> list[SpanAnswer]:
    """The truths of these items, the first span moved by so much."""
    truths = dict(Resolution.objects.filter(item__in=items).values_list("item_id", "value"))
    found = []
    for item in items:
        spans = [(s["start"], s["end"], labels.index(s["label"])) for s in truths[item.pk]["spans"]]
        start, end, label = spans[0]
        found.append(answer((start, end - shift, label), *spans[1:]))
    return found


def test_spans_are_measured_strictly_and_compared(marked: Project) -> None:
    held = kinds.marked(marked, 60, split="holdout")
    exact, sloppy = version(marked, 1), version(marked, 2)
    order = [pk for pk, _name in exact.label_order]
    ids = [item.pk for item in held]
    prediction_copy.store_spans(ids, exact.pk, order, read(held, order))
    prediction_copy.store_spans(ids, sloppy.pk, order, read(held, order, shift=1))
    measured = evaluation.evaluate(sloppy)
    assert measured is not None
    assert measured.metrics["headline"] | {"interval": None} == {"name": "strict_f1", "value": 0.5, "interval": None}
    assert measured.metrics["partial_f1"] > 0.7
    verdict = evaluation.compare(sloppy, exact)
    assert (verdict.kind, verdict.metric, len(verdict.breaks)) == ("worse", "strict_f1", 60)
    row = Prediction.objects.filter(version=exact).first()
    assert row is not None
    assert (row.label, row.probabilities, row.confidence, row.margin) == (None, None, 0.8, 0.5)


def test_a_new_truth_of_another_kind_is_measured_again(several: Project) -> None:
    held = kinds.several(several, 8, split="holdout")
    made = version(several, 1)
    say(made, held, right(8))
    evaluation.evaluate(made)
    late = kinds.several(several, 1, split="holdout", start=9)
    say(made, late, [[1]])
    evaluation.evaluate_due()
    newest = evaluation.latest(made)
    assert newest is not None
    assert newest.n == 9
    assert newest.metrics["exact_match"] < 1


def test_slices_by_language_and_metadata_come_with_the_measurement(several: Project) -> None:
    from apps.content.models import Item

    held = kinds.several(several, 80, split="holdout")
    for place, item in enumerate(held):
        Item.objects.filter(pk=item.pk).update(
            language="de" if place % 2 else "en", meta={"source": "mail", "stars": place % 3, "id": place}
        )
    made = version(several, 1)
    say(made, held, [places if place % 2 else [] for place, places in enumerate(right(80))])
    measured = evaluation.evaluate(made)
    assert measured is not None
    assert {row["name"] for row in measured.metrics["slices"]} == {"language", "stars"}
    (german,) = [row for row in measured.metrics["slices"] if row["value"] == "de"]
    assert german["score"] == 1
    assert german["stands_out"]


# --- flips -------------------------------------------------------------------------------------------
def test_flips_of_several_labels_name_what_went_and_what_came(several: Project) -> None:
    pool = kinds.several(several, 4)
    old, new = version(several, 1), version(several, 2)
    say(old, pool, [[0], [0, 1], [2], []])
    say(new, pool, [[0], [1], [2, 1], [0]])
    labels = [pk for pk, _name in old.label_order]
    found = flips.flips(old, new, limit=9)
    assert [flip.item for flip in found] == [item.pk for item in pool[1:]]
    assert (found[0].value_before, found[0].value_now) == ({"labels": labels[:2]}, {"labels": [labels[1]]})
    assert [f.item for f in flips.flips(old, new, limit=9, before=labels[0])] == [pool[1].pk]
    assert [f.item for f in flips.flips(old, new, limit=9, now=labels[0])] == [pool[3].pk]
    assert set(flips.flip_counts(old, new)) == {
        (labels[0], None, 1),
        (None, labels[1], 1),
        (None, labels[0], 1),
    }


def test_flips_of_spans_look_at_places_and_labels_not_at_scores(marked: Project) -> None:
    pool = kinds.marked(marked, 3)
    old, new = version(marked, 1), version(marked, 2)
    order = [pk for pk, _name in old.label_order]
    ids = [item.pk for item in pool]
    prediction_copy.store_spans(ids, old.pk, order, [answer((0, 2, 0)), answer((0, 2, 0)), answer((0, 2, 0))])
    surer = SpanAnswer((ScoredSpan(0, 2, 0, 0.5),), 0.9, 0.9, 9)
    prediction_copy.store_spans(ids, new.pk, order, [surer, answer((0, 3, 0)), answer((0, 2, 1))])
    assert [flip.item for flip in flips.flips(old, new, limit=9)] == ids[1:]
    assert [flip.item for flip in flips.flips(old, new, limit=9, now=order[1])] == ids[2:]
    assert set(flips.flip_counts(old, new)) == {
        *((order[0], None, 2), (None, order[0], 1), (None, order[1], 1)),
    }


def test_held_out_texts_are_never_among_the_flips(several: Project) -> None:
    held = kinds.several(several, 2, split="holdout")
    old, new = version(several, 1), version(several, 2)
    say(old, held, [[0], [0]])
    say(new, held, [[1], [1]])
    assert flips.flips(old, new, limit=9) == []
    assert flips.flip_counts(old, new) == []


def test_the_pages_of_items_show_every_label_and_every_marked_word(
    marked: Project, alice: User, client_of: ClientOf
) -> None:
    item = kinds.marked(marked, 1)[0]
    empty = add_item(marked, "nothing in it")
    kinds.truth(empty, {"spans": []})
    for address in (f"/p/{marked.slug}/items/", f"/p/{marked.slug}/items/{item.pk}/"):
        page = client_of(alice).get(address).content.decode()
        assert "<q>Berlin</q>" in page
        assert "<q>Monday</q>" in page
    assert "nothing</span>" in client_of(alice).get(f"/p/{marked.slug}/items/{empty.pk}/").content.decode()
