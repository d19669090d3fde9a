import numpy as np
import pytest

from apps.annotation.models import Prediction, Resolution
from apps.learning.models import Evaluation
from apps.learning.services import evaluation
from apps.projects.models import Label, Project
from tests.learning.teach import add_item, add_items, make_version, predict, resolve, right_but


def labels_of(project: Project) -> list[Label]:
    return list(project.labels.all())


def test_predictions_are_stored_with_their_whole_vector(project: Project) -> None:
    version, labels = make_version(project, 1), labels_of(project)
    item = add_item(project, "one")
    predict(version, {item.pk: labels[1].pk}, sure=0.5)
    row = Prediction.objects.get()
    assert row.label == labels[1]
    assert row.confidence == pytest.approx(0.5)
    assert row.margin == pytest.approx(0.25)
    assert np.allclose(row.probabilities, [0.25, 0.5, 0.25])


def test_nothing_is_measured_before_a_holdout_item_is_labelled(project: Project) -> None:
    version = make_version(project, 1)
    item = add_item(project, "held out", split="holdout")
    predict(version, {item.pk: labels_of(project)[0].pk})
    assert evaluation.evaluate(version) is None


def test_accuracy_is_measured_on_the_holdout_alone(project: Project) -> None:
    version, labels = make_version(project, 1), labels_of(project)
    held = add_items(project, 10, split="holdout")
    pool = add_items(project, 10)
    predict(version, right_but(held, labels, 6) | right_but(pool, labels, 30))
    measured = evaluation.evaluate(version)
    assert measured is not None
    assert measured.n == 30
    assert measured.metrics["accuracy"] == pytest.approx(24 / 30)
    low, high = measured.metrics["accuracy_interval"]["low"], measured.metrics["accuracy_interval"]["high"]
    assert low < 0.8 < high


def test_the_same_state_of_the_holdout_is_measured_once_and_a_new_label_measures_again(project: Project) -> None:
    version, labels = make_version(project, 1), labels_of(project)
    held = add_items(project, 4, split="holdout")
    late = add_item(project, "late", split="holdout")
    predict(version, right_but(held, labels, 0) | {late.pk: labels[0].pk})
    first = evaluation.evaluate(version)
    assert evaluation.evaluate(version) == first
    resolve(late, labels[1])
    evaluation.evaluate_due()
    assert list(Evaluation.objects.order_by("pk").values_list("n", flat=True)) == [12, 13]
    newest = evaluation.latest(version)
    assert newest is not None
    assert newest.metrics["accuracy"] == pytest.approx(12 / 13)


def test_a_changed_truth_is_measured_again(project: Project) -> None:
    version, labels = make_version(project, 1), labels_of(project)
    held = add_items(project, 4, split="holdout")
    predict(version, right_but(held, labels, 0))
    evaluation.evaluate(version)
    Resolution.objects.filter(item=held[0]).update(label=labels[2])
    measured = evaluation.evaluate(version)
    assert measured is not None
    assert measured.metrics["accuracy"] < 1
    assert Evaluation.objects.count() == 2


def test_a_label_that_the_version_does_not_know_counts_as_wrong(project: Project) -> None:
    labels = labels_of(project)
    version = make_version(project, 1, label_order=[[label.pk, label.name] for label in labels[:2]])
    item = add_item(project, "new kind", split="holdout")
    resolve(item, labels[2])
    predict(version, {item.pk: labels[0].pk})
    measured = evaluation.evaluate(version)
    assert measured is not None
    assert measured.metrics["accuracy"] == 0
    assert [name for _pk, name in measured.metrics["classes"]][-1] == labels[2].name


def test_a_much_better_candidate_is_called_better_and_its_fixes_are_listed(project: Project) -> None:
    labels = labels_of(project)
    held = add_items(project, 60, split="holdout")
    live, candidate = make_version(project, 1), make_version(project, 2)
    predict(live, right_but(held, labels, 40))
    predict(candidate, right_but(held, labels, 10))
    verdict = evaluation.compare(candidate, live)
    assert verdict.kind == "better"
    assert "better than v1" in verdict.sentence
    assert set(verdict.fixes) == {item.pk for item in held[10:40]}
    assert verdict.breaks == ()
    assert evaluation.compare(live, candidate).kind == "worse"


def test_versions_with_different_label_orders_are_compared_by_label(project: Project) -> None:
    labels = labels_of(project)
    held = add_items(project, 30, split="holdout")
    live = make_version(project, 1)
    turned = make_version(project, 2, label_order=[[label.pk, label.name] for label in reversed(labels)])
    predict(live, right_but(held, labels, 0))
    predict(turned, right_but(held, labels, 0))
    assert evaluation.compare(turned, live).difference == 0


def test_a_close_call_says_how_many_more_labels_would_tell(project: Project) -> None:
    labels = labels_of(project)
    held = add_items(project, 20, split="holdout")
    live, candidate = make_version(project, 1), make_version(project, 2)
    predict(live, right_but(held, labels, 3))
    predict(candidate, right_but(held, labels, 5))
    verdict = evaluation.compare(candidate, live)
    assert verdict.kind == "cannot_tell"
    assert verdict.more_needed
    assert f"{verdict.more_needed} more held-out labels" in verdict.sentence


def test_without_a_labelled_holdout_or_a_live_version_the_verdict_says_so(project: Project) -> None:
    live, candidate = make_version(project, 1), make_version(project, 2)
    assert evaluation.compare(candidate, None).kind == "first"
    assert evaluation.compare(candidate, live).kind == "unmeasured"


def test_the_items_behind_a_cell_of_the_confusion_matrix(project: Project) -> None:
    version, labels = make_version(project, 1), labels_of(project)
    held = add_items(project, 10, split="holdout")
    predict(version, right_but(held, labels, 4))
    assert evaluation.in_cell(version, labels[0].pk, labels[1].pk) == [item.pk for item in held[:4]]
    (row, *_rest) = evaluation.judged([held[0].pk], [version])
    assert row.truth == labels[0].pk
    assert row.said == ((labels[1].pk, pytest.approx(0.8)),)
