"""The gate's promises, for every task: paired counts are drawn from a population in which the difference is known."""

import numpy as np
import pytest

from workers.learning import evaluate as ev
from workers.learning.evaluate.tally import micro_f1
from workers.learning.evaluate.verdict import compare_tallies
from workers.learning.types import Span

POPULATION = 8_000
DRAWS = 1_000
TASKS = ["accuracy", "micro_f1", "strict_f1"]


def answers(metric, rng):
    """(two models' tallies that are alike, how to make one worse): items differ in difficulty, so the models agree more
    than chance would have it."""
    hard = rng.beta(0.7, 3.5, POPULATION)
    if metric == "accuracy":
        truth = np.zeros(POPULATION, dtype=int)
        said = [(rng.random(POPULATION) < hard).astype(int) for _ in range(2)]
        return [ev.tally(truth, one) for one in said]
    if metric == "micro_f1":
        truth = rng.random((POPULATION, 12)) < 0.12
        slip = np.where(truth, 1.0, 0.12) * hard[:, None]
        return [ev.tally_multi(truth, truth ^ (rng.random(truth.shape) < slip)) for _ in range(2)]
    wanted = rng.poisson(1.3, POPULATION)
    found = [rng.binomial(wanted, 1 - hard) for _ in range(2)]
    spurious = [rng.poisson(0.15 + hard / 2) for _ in range(2)]
    return [np.stack([f, f + s, wanted], axis=1).astype(float) for f, s in zip(found, spurious, strict=True)]


def equal_pair(metric, rng):
    """Each stands in for the other on half of the population, so that both score exactly the same."""
    a, b = answers(metric, rng)
    return np.concatenate([a, b]), np.concatenate([b, a])


def pair_that_differs(metric, rng, points):
    """b loses right answers at random until it is `points` behind."""
    a, b = equal_pair(metric, rng)
    b = b.copy()
    aim = micro_f1(a.sum(axis=0)) - points
    order = rng.permutation(len(b))
    order = order[b[order, 0] > 0]
    lost = int(np.ceil((micro_f1(b.sum(axis=0)) - aim) * (b[:, 1:].sum()) / 2))
    b[order[:lost], 0] -= 1
    assert micro_f1(a.sum(axis=0)) - micro_f1(b.sum(axis=0)) == pytest.approx(points, abs=5e-4)
    return a, b


def verdicts(a, b, n, metric, rng, draws=DRAWS, **options):
    rows = (rng.choice(len(a), n) for _ in range(draws))
    return [compare_tallies(a[r], b[r], metric=metric, **options) for r in rows]


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("metric", TASKS)
def test_an_equal_model_is_called_better_or_worse_in_at_most_5_percent_each(metric, n):
    rng = np.random.default_rng(n)
    a, b = equal_pair(metric, rng)
    kinds = [v.kind for v in verdicts(a, b, n, metric, rng)]
    assert kinds.count("better") <= 0.05 * DRAWS
    assert kinds.count("worse") <= 0.05 * DRAWS


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("metric", TASKS)
def test_a_model_three_points_worse_passes_in_at_most_5_percent(metric, n):
    rng = np.random.default_rng(n)
    a, b = pair_that_differs(metric, rng, 0.03)
    kinds = [v.kind for v in verdicts(a, b, n, metric, rng)]
    assert kinds.count("better") + kinds.count("not_worse") <= 0.05 * DRAWS


@pytest.mark.parametrize("metric", TASKS)
def test_intervals_of_the_difference_cover_it_as_often_as_they_say(metric):
    rng = np.random.default_rng(0)
    a, b = pair_that_differs(metric, rng, 0.04)
    found = verdicts(a, b, 300, metric, rng)
    covered = np.mean([v.low <= -0.04 <= v.high for v in found])
    assert 0.88 <= covered <= 0.95  # 90 % by design: 5 % on either side


@pytest.mark.parametrize("metric", TASKS)
def test_a_clearly_better_model_is_found_and_a_clearly_worse_one_too(metric):
    rng = np.random.default_rng(0)
    worse, better = pair_that_differs(metric, rng, 0.08)[::-1]
    found = verdicts(worse, better, 800, metric, rng, draws=100)
    assert [v.kind for v in found].count("better") >= 95
    found = verdicts(better, worse, 800, metric, rng, draws=100)
    assert [v.kind for v in found].count("worse") >= 95


@pytest.mark.parametrize("metric", TASKS)
def test_an_open_verdict_asks_for_about_the_labels_that_close_it(metric):
    rng = np.random.default_rng(2)
    a, b = pair_that_differs(metric, rng, 0.03)
    asked = [v.more_needed + v.n for v in verdicts(a, b, 200, metric, rng, draws=300) if v.more_needed]
    n = int(np.median(asked))
    decided = [v.kind != "cannot_tell" for v in verdicts(a, b, n, metric, rng, draws=300)]
    assert 0.6 <= np.mean(decided) <= 1.0


def test_accuracy_keeps_the_interval_of_bonett_and_price():
    rng = np.random.default_rng(0)
    truth, a, b = (rng.integers(0, 3, 150) for _ in range(3))
    only_a, only_b, n = ((a == truth) & (b != truth)).sum(), ((a != truth) & (b == truth)).sum(), 150
    share_a, share_b = (only_a + 1) / (n + 2), (only_b + 1) / (n + 2)
    half = 1.6448536 * np.sqrt((share_a + share_b - (share_b - share_a) ** 2) / (n + 2))
    verdict = ev.compare(a, b, truth)
    assert verdict.low == pytest.approx(share_b - share_a - half)
    assert verdict.high == pytest.approx(share_b - share_a + half)
    assert verdict.metric == "accuracy"


def test_several_labels_and_spans_are_compared_in_their_own_headline():
    rng = np.random.default_rng(0)
    truth = rng.random((400, 5)) < 0.4
    a, b = (truth ^ (rng.random(truth.shape) < share) for share in (0.2, 0.05))
    verdict = ev.compare_multi(a, b, truth)
    gain = ev.evaluate_multi(truth, predicted=b).micro_f1 - ev.evaluate_multi(truth, predicted=a).micro_f1
    assert (verdict.kind, verdict.metric) == ("better", "micro_f1")
    assert verdict.difference == pytest.approx(gain)
    wanted = [[Span(0, 4, 0)] for _ in range(300)]
    good = [[Span(0, 4, 0)] if i % 10 else [] for i in range(300)]
    bad = [[Span(0, 4, 0)] if i % 3 else [Span(0, 3, 0)] for i in range(300)]
    verdict = ev.compare_spans(good, bad, wanted, n_classes=1)
    loss = (
        ev.evaluate_spans(wanted, bad, n_classes=1).strict_f1 - ev.evaluate_spans(wanted, good, n_classes=1).strict_f1
    )
    assert (verdict.kind, verdict.metric) == ("worse", "strict_f1")
    assert verdict.difference == pytest.approx(loss)


def test_the_very_same_answers_in_any_task_are_not_worse_and_never_certain_on_few_items():
    truth = np.random.default_rng(0).random((400, 5)) < 0.4
    assert ev.compare_multi(truth, truth, truth).kind == "not_worse"
    assert ev.compare_multi(truth[:20], truth[:20], truth[:20]).kind == "cannot_tell"
    nothing = [[] for _ in range(400)]
    assert ev.compare_spans(nothing, nothing, nothing, n_classes=1).difference == 0
