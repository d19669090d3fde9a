import json

import numpy as np
import pytest

from workers.learning import evaluate as ev
from workers.learning.evaluate.multilabel import ranking_precision
from workers.learning.types import LearningError


def labelled(rng, n=300, k=6):
    """Truth, honest probabilities: some texts have no label at all."""
    p = rng.beta(0.4, 1.2, (n, k))
    return rng.random((n, k)) < p, p


def test_every_figure_is_scikit_learns():
    from sklearn import metrics as sk

    rng = np.random.default_rng(0)
    for _ in range(20):
        truth, p = labelled(rng, n=80)
        m, said = ev.evaluate_multi(truth, p, 0.4), p >= 0.4
        occurs = truth.any(axis=0)
        assert m.micro_f1 == pytest.approx(sk.f1_score(truth, said, average="micro"))
        assert m.macro_f1 == pytest.approx(sk.f1_score(truth, said, average=None, zero_division=0)[occurs].mean())
        assert m.micro_precision == pytest.approx(sk.precision_score(truth, said, average="micro"))
        assert m.micro_recall == pytest.approx(sk.recall_score(truth, said, average="micro"))
        assert m.exact_match == pytest.approx(sk.accuracy_score(truth, said))
        assert m.hamming == pytest.approx(sk.hamming_loss(truth, said))
        assert m.ranking_precision == pytest.approx(sk.label_ranking_average_precision_score(truth, p))
        parts = sk.precision_recall_fscore_support(truth, said, average=None, zero_division=0)
        assert (
            pytest.approx(np.array(parts))
            == np.array([[c.precision, c.recall, c.f1, c.support] for c in m.per_class]).T
        )
        assert m.nll == pytest.approx(np.mean([sk.log_loss(truth[:, j], p[:, j], labels=[0, 1]) for j in range(6)]))
        assert [c.brier for c in m.calibration] == pytest.approx(
            [sk.brier_score_loss(truth[:, j], p[:, j]) for j in range(6)]
        )


def test_ties_in_the_ranking_count_as_scikit_learn_counts_them():
    from sklearn.metrics import label_ranking_average_precision_score

    rng = np.random.default_rng(1)
    truth, scores = rng.random((200, 5)) < 0.4, rng.integers(0, 3, (200, 5)).astype(float)
    assert ranking_precision(truth, scores) == pytest.approx(label_ranking_average_precision_score(truth, scores))


def test_each_label_may_have_its_own_threshold():
    truth = np.array([[True, False], [False, True]])
    p = np.array([[0.3, 0.3], [0.1, 0.6]])
    assert ev.evaluate_multi(truth, p, np.array([0.2, 0.5])).exact_match == 1
    assert ev.evaluate_multi(truth, p, 0.2).exact_match == 0.5


def test_texts_without_a_label_count_where_they_are_left_alone():
    truth = np.zeros((4, 3), dtype=bool)
    m = ev.evaluate_multi(truth, predicted=truth)
    assert (m.exact_match, m.micro_f1, m.hamming) == (1, 1, 0)
    assert m.ece is None
    assert m.reliability == ()


def test_honest_labels_show_the_error_of_their_sample_size_and_boasting_ones_more():
    rng = np.random.default_rng(0)
    truth, p = labelled(rng, n=500)
    honest = ev.evaluate_multi(truth, p)
    assert honest.ece < 1.5 * honest.ece_null
    assert all(one.ece < 1.7 * one.ece_null for one in honest.calibration)
    boasting = ev.evaluate_multi(truth, np.where(p > 0.5, 1 - (1 - p) / 5, p / 5))
    assert boasting.ece > 2 * boasting.ece_null
    assert sum(one.n for one in honest.reliability) == truth.size


def test_several_labels_become_json_with_a_headline():
    truth, p = labelled(np.random.default_rng(0))
    found = json.loads(json.dumps(ev.evaluate_multi(truth, p).as_dict()))
    assert found["task"] == "multi"
    assert found["headline"]["name"] == "micro_f1"
    assert found["headline"]["interval"]["low"] < found["headline"]["value"] < found["headline"]["interval"]["high"]


def test_intervals_for_several_labels_cover_the_truth_in_93_percent_of_projects():
    rng = np.random.default_rng(0)
    k = 8

    def project(n):
        hard = rng.beta(1, 5, (n, 1))  # texts differ in difficulty, so decisions within one hang together
        truth = rng.random((n, k)) < np.linspace(0.05, 0.4, k)
        return truth, truth ^ (rng.random((n, k)) < hard)

    truth, said = project(400_000)
    hit, given, wanted = (truth & said).sum(0), said.sum(0), truth.sum(0)
    micro, macro = 2 * hit.sum() / (given.sum() + wanted.sum()), np.mean(2 * hit / (given + wanted))
    found = [ev.evaluate_multi(t, predicted=s) for t, s in (project(200) for _ in range(600))]
    assert np.mean([micro in m.micro_f1_interval for m in found]) >= 0.93
    assert np.mean([macro in m.macro_f1_interval for m in found]) >= 0.93


def test_an_empty_hold_out_for_several_labels_is_refused_in_words():
    with pytest.raises(LearningError, match="no labelled hold-out"):
        ev.evaluate_multi(np.zeros((0, 3), dtype=bool), np.zeros((0, 3)))
