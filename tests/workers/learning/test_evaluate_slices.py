import numpy as np
import pytest

from workers.learning import encoders, heads
from workers.learning import evaluate as ev
from workers.learning.evaluate.slices import score_interval
from workers.learning.evaluate.tally import micro_f1
from workers.learning.types import LearningError


def test_each_slice_has_its_own_score_and_a_small_one_none():
    truth = np.zeros(200, dtype=int)
    said = np.array([0] * 100 + [0] * 60 + [1] * 30 + [0] * 10)
    rows = ev.by_slice(
        ev.tally(truth, said), {"language": ["en"] * 100 + ["de"] * 90 + ["fr"] * 10, "source": ["app", None] * 100}
    )
    assert [(r.name, r.value, r.n) for r in rows] == [
        ("language", "en", 100),
        ("language", "de", 90),
        ("language", "fr", 10),
        ("source", "app", 100),
        ("source", "", 100),
    ]
    en, de, fr, *_ = rows
    assert (en.score, de.score) == (1, pytest.approx(2 / 3))
    assert en.interval == ev.wilson(100, 100)
    assert (fr.score, fr.interval, fr.gap) == (None, None, None)
    assert de.gap == pytest.approx(2 / 3 - 1)
    assert [r.stands_out for r in rows] == [True, True, False, False, False]


def test_among_many_slices_of_one_quality_luck_marks_hardly_any():
    rng = np.random.default_rng(0)
    marked = 0
    for _ in range(200):
        right = (rng.random(1_200) < 0.85).astype(int)
        rows = ev.by_slice(
            ev.tally(right, np.ones(1_200, dtype=int)), {"source": rng.integers(0, 20, 1_200).astype(str)}
        )
        marked += any(r.stands_out for r in rows)
    assert marked <= 0.07 * 200


def test_slice_intervals_cover_the_truth_of_every_task():
    rng = np.random.default_rng(0)
    n = 40
    single = [score_interval(ev.tally(np.zeros(n), rng.random(n) < 0.1))[1] for _ in range(1_000)]
    assert np.mean([0.9 in i for i in single]) >= 0.93

    def several(n):
        truth = rng.random((n, 6)) < 0.3
        return ev.tally_multi(truth, truth ^ (rng.random((n, 6)) < rng.beta(1, 6, (n, 1))))

    score, _ = score_interval(several(200_000))
    assert np.mean([score in score_interval(several(n))[1] for _ in range(1_000)]) >= 0.93


def test_a_small_slice_without_an_error_is_not_certain():
    truth = np.ones((30, 4), dtype=bool)
    score, interval = score_interval(ev.tally_multi(truth, truth))
    assert score == 1
    assert interval.low < 0.9


def test_a_field_without_a_value_per_item_is_refused_in_words():
    with pytest.raises(LearningError, match="language"):
        ev.by_slice(ev.tally(np.zeros(3), np.zeros(3)), {"language": ["en"]})


def test_cross_fitting_never_shows_an_item_to_its_own_estimate():
    seen = []

    def estimate(rows):
        seen.append(set(rows.tolist()))
        return len(seen) - 1

    def apply(which, rows):
        assert not seen[which] & set(rows.tolist())
        return rows * 2.0

    out = ev.cross_fit(estimate, apply, 23, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(out, np.arange(23) * 2.0)
    assert len(seen) == 5


def test_a_temperature_may_come_from_the_hold_out_when_it_is_cross_fitted():
    """It never makes the loss on a second half worse by more than noise, and an overconfident model becomes honest."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 800)
    logits = 1.3 * rng.standard_normal((800, 4)) + 1.5 * np.eye(4)[truth]
    boasting = 4.0 * logits

    def tempered(rows_of):
        return ev.cross_fit(
            lambda rows: heads.fit_temperature(rows_of[rows], truth[rows]),
            lambda t, rows: heads.softmax((rows_of[rows] / t).astype(np.float32)),
            len(truth),
            rng=np.random.default_rng(1),
        )

    before = ev.evaluate(truth, probabilities=heads.softmax(boasting.astype(np.float32)), n_classes=4)
    after = ev.evaluate(truth, probabilities=tempered(boasting), n_classes=4)
    assert after.nll < before.nll - 0.2
    assert after.ece <= after.ece_null + 0.01
    assert after.accuracy == before.accuracy


def test_thresholds_tuned_and_judged_on_the_same_items_flatter_and_cross_fitted_ones_do_not():
    rng = np.random.default_rng(0)

    def best(p, truth):
        grid = np.linspace(0.05, 0.95, 19)
        scores = np.array(
            [
                [(2 * (t & (q >= g)).sum()) / max((t.sum() + (q >= g).sum()), 1) for g in grid]
                for q, t in zip(p.T, truth.T, strict=True)
            ]
        )
        return grid[scores.argmax(axis=1)]

    def project():
        """Micro-F1 as tuned and judged on the same 100 texts, on 2,000 fresh ones, and cross-fitted on the 100."""
        truth = rng.random((2_100, 10)) < 0.1
        p = np.clip(0.25 * truth + 0.25 + 0.25 * rng.standard_normal(truth.shape), 0, 1)
        few, few_truth = p[:100], truth[:100]
        chosen = best(few, few_truth)
        said = ev.cross_fit(lambda rows: best(few[rows], few_truth[rows]), lambda t, rows: few[rows] >= t, 100, rng=rng)
        answers = ((few_truth, few >= chosen), (truth[100:], p[100:] >= chosen), (few_truth, said))
        return [float(micro_f1(ev.tally_multi(*one).sum(axis=0))) for one in answers]

    flattered, real, honest = np.mean([project() for _ in range(20)], axis=0)
    assert flattered > real + 0.03
    assert honest < real + 0.01


def test_accuracy_on_items_that_sampling_chose_is_off_by_more_than_ten_points(questions):
    """Real questions, a real head, margin sampling: the hold-out tells the truth and the queue does not."""
    texts, labels = questions(3_000)
    names = sorted(set(labels))
    y = np.array([names.index(label) for label in labels])
    x = encoders.load(encoders.CHAR_NGRAMS).encode(texts)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(y))
        hold, learnt, pool = order[:400], order[400:1_200], order[1_200:]
        head = heads.fit(x[learnt], y[learnt], n_classes=len(names))
        said, _, margin = head.glance(x)
        rest = np.concatenate([hold, pool])
        truth = (said[rest] == y[rest]).mean()
        queue = pool[np.argsort(margin[pool])[:300]]
        on_queue = ev.evaluate(y[queue], said[queue], n_classes=len(names))
        on_hold_out = ev.evaluate(y[hold], said[hold], n_classes=len(names))
        assert truth - on_queue.accuracy > 0.10
        assert truth not in on_queue.accuracy_interval
        assert truth in on_hold_out.accuracy_interval
