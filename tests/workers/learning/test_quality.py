"""Consensus of several people, and labels that look wrong."""

import contextlib
import io
import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from workers.learning import encoders, quality
from workers.learning.encoders import backbone
from workers.learning.heads.crossfit import out_of_fold_probabilities
from workers.learning.quality import label_errors
from workers.learning.types import LearningError

NAN = np.nan
SNIPPETS = Path(__file__).parents[4] / "shared" / "data" / "amazon_snippets_20_raters.jsonl"


def simulated(rng, n=600, k=4, m=30, least=1, most=3):
    """Raters of accuracy 0.6 to 0.95, a model of accuracy 0.85, one to three opinions per item."""
    truth = rng.integers(0, k, n)
    skill = rng.uniform(0.6, 0.95, m)
    said = np.where(rng.random((n, m)) < skill, truth[:, None], rng.integers(0, k, (n, m))).astype(float)
    asked = rng.integers(least, most + 1, n)
    rank = rng.random((n, m)).argsort(axis=1).argsort(axis=1)
    said[rank >= asked[:, None]] = NAN
    logits = rng.standard_normal((n, k)) + 2.2 * np.eye(k)[truth]
    p = np.exp(2 * logits)
    return truth, said, p / p.sum(axis=1, keepdims=True), skill


def test_majority_of_a_worked_example_reports_its_tie():
    found = quality.majority(np.array([[0, 0, 1], [1, NAN, 1], [0, 1, NAN], [NAN, NAN, NAN]]), n_classes=3)
    assert found.labels.tolist()[:2] == [0, 1]
    assert found.labels[3] == -1
    assert found.tied.tolist() == [False, False, True, False]
    assert found.quality == pytest.approx([2 / 3, 1, 1 / 2, 0])


def test_a_tie_goes_to_the_class_given_most_often():
    found = quality.majority(np.array([[2, 2], [2, NAN], [0, 2]]), n_classes=3)
    assert found.labels[2] == 2


def test_many_opinions_let_dawid_skene_beat_majority_and_know_the_raters():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 500)
    skill = np.array([0.95, 0.9, 0.2, 0.2, 0.2, 0.2, 0.2])
    said = np.where(rng.random((500, 7)) < skill, truth[:, None], rng.integers(0, 3, (500, 7))).astype(float)
    found, votes = quality.dawid_skene(said, n_classes=3), quality.majority(said, n_classes=3)
    assert (found.labels == truth).mean() >= (votes.labels == truth).mean() + 0.03
    assert found.raters == pytest.approx(skill + (1 - skill) / 3, abs=0.08)
    # what it claims to know it does know
    assert found.quality.mean() == pytest.approx((found.labels == truth).mean(), abs=0.03)


def test_dawid_skene_does_not_underflow_with_very_many_opinions():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 20)
    said = np.where(rng.random((20, 2_000)) < 0.7, truth[:, None], 1 - truth[:, None]).astype(float)
    found = quality.dawid_skene(said, n_classes=2)
    np.testing.assert_array_equal(found.labels, truth)
    assert np.isfinite(found.probabilities).all()


def test_crowdlab_is_cleanlabs():
    from cleanlab.multiannotator import get_label_quality_multiannotator

    for seed in range(5):
        _, said, p, _ = simulated(np.random.default_rng(seed), m=8)
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = get_label_quality_multiannotator(said, p, verbose=False)
        ours = quality.crowdlab(said, p)
        np.testing.assert_array_equal(ours.labels, theirs["label_quality"]["consensus_label"])
        np.testing.assert_allclose(ours.quality, theirs["label_quality"]["consensus_quality_score"], atol=1e-9)
        stats = theirs["annotator_stats"]["annotator_quality"].sort_index()
        np.testing.assert_allclose(ours.raters, stats, atol=1e-9)


def test_a_model_lifts_the_consensus_of_few_raters_and_never_lowers_it():
    gains = []
    for seed in range(8):
        truth, said, p, _ = simulated(np.random.default_rng(seed))
        right = (quality.majority(said, n_classes=4).labels == truth).mean()
        gains.append((quality.crowdlab(said, p).labels == truth).mean() - right)
    assert min(gains) >= 0.004


def test_crowdlab_without_a_shared_item_is_refused_in_words():
    with pytest.raises(LearningError, match="two people"):
        quality.crowdlab(np.array([[0, NAN], [NAN, 1]]), np.full((2, 2), 0.5))


@pytest.mark.skipif(not SNIPPETS.exists(), reason="the reviews with twenty ratings each are not here")
def test_three_of_twenty_raters_and_a_model_come_closer_to_all_twenty_than_votes_alone():
    rows = [json.loads(line) for line in SNIPPETS.read_text().splitlines()]
    everyone = np.sign(np.array([row["ratings"] for row in rows])) + 1.0  # worse, neither, better
    aim = quality.majority(everyone, n_classes=3)
    clear = ~aim.tied
    rng = np.random.default_rng(0)
    few = np.full(everyone.shape, NAN)
    chosen = rng.random(everyone.shape).argsort(axis=1)[:, :3]
    np.put_along_axis(few, chosen, np.take_along_axis(everyone, chosen, 1), 1)
    votes = quality.majority(few, n_classes=3)
    x = encoders.load(encoders.CHAR_NGRAMS).encode([row["text"] for row in rows])
    p = out_of_fold_probabilities(x, votes.labels, n_classes=3, c=3.0, rng=rng)
    found = quality.crowdlab(few, p)
    learnt = quality.dawid_skene(few, n_classes=3)
    hits = [float((one.labels == aim.labels)[clear].mean()) for one in (votes, found, learnt)]
    print("majority, CROWDLAB, Dawid-Skene against all twenty:", np.round(hits, 4))
    assert hits[1] >= hits[0]


@pytest.fixture(scope="module")
def bank(questions):
    """1,600 bank questions of 77 kinds as vectors, with their true classes."""
    texts, labels = questions(1_600)
    names = sorted(set(labels))
    return encoders.load(backbone.MINILM).encode(texts), np.array([names.index(label) for label in labels])


@pytest.fixture(scope="module")
def noisy(bank):
    """The same with a tenth of the labels replaced uniformly: (given, wrong, out-of-fold probabilities)."""
    x, truth = bank
    rng = np.random.default_rng(0)
    k = int(truth.max()) + 1
    wrong = rng.random(len(truth)) < 0.1
    given = np.where(wrong, (truth + rng.integers(1, k, len(truth))) % k, truth)
    return given, wrong, out_of_fold_probabilities(x, given, n_classes=k, rng=rng)


def test_injected_noise_is_found(noisy):
    from sklearn.metrics import roc_auc_score

    given, wrong, p = noisy
    found = quality.find_label_errors(given, p)
    auroc = roc_auc_score(wrong, -found.score)
    worst = np.argsort(found.score)[: wrong.sum()]
    print(f"AUROC {auroc:.4f}, precision at k {wrong[worst].mean():.3f}, flags {found.flagged.sum()} of {wrong.sum()}")
    assert auroc >= 0.90
    assert wrong[worst].mean() >= 0.65


def test_flags_are_mostly_right_and_counted_per_class(noisy):
    given, wrong, p = noisy
    found = quality.find_label_errors(given, p)
    assert wrong[found.flagged].mean() >= 0.5
    assert sum(one.flagged for one in found.per_class) == found.flagged.sum() == len(found.order)
    assert (np.diff(found.score[found.order]) >= 0).all()
    assert [one.n for one in found.per_class] == np.bincount(given).tolist()


@pytest.mark.parametrize("score", ["self_confidence", "normalised_margin", "confidence_weighted_entropy"])
def test_scores_and_flags_are_cleanlabs(noisy, score):
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    given, _, p = noisy
    often = np.isin(given, np.flatnonzero(np.bincount(given) >= label_errors.FEWEST))
    kept = np.unique(given[often])
    p = p[often][:, kept].astype(float) + 1e-9
    p /= p.sum(axis=1, keepdims=True)
    given = np.searchsorted(kept, given[often])
    found = quality.find_label_errors(given, p, score=score)
    theirs = get_label_quality_scores(given, p, method=score.replace("normalised", "normalized"))
    np.testing.assert_allclose(found.score, theirs, atol=1e-6)
    flags = find_label_issues(given, p, filter_by="confident_learning", n_jobs=1)
    np.testing.assert_array_equal(found.flagged, flags)


def test_a_class_with_hardly_an_example_is_not_called_wrong():
    p = np.array([[0.9, 0.1]] * 24)
    given = np.array([0] * 20 + [1] * 4)
    assert not quality.find_label_errors(given, p).flagged.any()


def test_scores_of_several_labels_are_cleanlabs_and_find_what_was_flipped():
    from cleanlab.multilabel_classification import get_label_quality_scores
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    truth = rng.random((800, 6)) < 0.3
    p = np.clip(np.where(truth, 0.8, 0.15) + 0.1 * rng.standard_normal(truth.shape), 0.01, 0.99)
    given = truth.copy()
    rows = rng.choice(800, 80, replace=False)
    columns = rng.integers(0, 6, 80)
    given[rows, columns] ^= True
    found = quality.find_multilabel_errors(given, p)
    kept = given.any(axis=1)
    theirs = get_label_quality_scores([np.flatnonzero(row).tolist() for row in given[kept]], p[kept])
    np.testing.assert_allclose(found.score[kept], theirs, atol=1e-6)
    flipped = np.isin(np.arange(800), rows)
    assert roc_auc_score(flipped, -found.score) >= 0.99
    assert flipped[found.flagged].mean() >= 0.95
    assert (found.suggested[rows] == columns).mean() >= 0.95
    assert sum(one.flagged for one in found.per_class) >= found.flagged.sum()


def test_a_text_with_spans_is_as_good_as_its_worst_token():
    from cleanlab.token_classification.rank import get_label_quality_scores

    rng = np.random.default_rng(0)
    lengths = [*rng.integers(1, 12, 300), 0]
    tags = [np.where(rng.random(n) < 0.85, 0, rng.integers(1, 4, n)) for n in lengths]
    p = []
    for one in tags:
        raw = np.exp(3 * np.eye(4)[one] + rng.standard_normal((len(one), 4)))
        p.append(raw / raw.sum(axis=1, keepdims=True))
    given = [one.copy() for one in tags]
    given[3][-1] = (given[3][-1] + 1) % 4  # and the model is sure of what it was
    p[3][-1] = np.where(np.arange(4) == tags[3][-1], 0.97, 0.01)
    found = quality.find_span_errors(given, p)
    theirs, _ = get_label_quality_scores([one.tolist() for one in given[:-1]], p[:-1])
    np.testing.assert_allclose(found.score[:-1], theirs, atol=1e-9)
    assert found.score[-1] == 1  # no token, nothing wrong
    assert found.suggested[3] == len(given[3]) - 1
    assert found.flagged[3]
    assert [one.n for one in found.per_class] == np.bincount(np.concatenate(given)).tolist()


def test_probabilities_that_do_not_fit_the_labels_are_refused_in_words():
    with pytest.raises(LearningError, match="one probability per class"):
        quality.find_label_errors(np.zeros(3, dtype=int), np.ones((2, 2)))
    with pytest.raises(LearningError, match="outside the label order"):
        quality.find_label_errors(np.array([0, 5]), np.ones((2, 2)))
