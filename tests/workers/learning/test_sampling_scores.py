from collections import Counter

import numpy as np
import pytest

from workers.learning.sampling import (
    batch,
    committee,
    contrastive,
    density,
    diversity,
    errors,
    herding,
    kmeans,
    multilabel,
    spans,
    uncertainty,
)
from workers.learning.sampling.pool import Pool


def unit(rows) -> np.ndarray:
    x = np.asarray(rows, dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def probabilities(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(k), n).astype(np.float32)


def heaps(*sizes: int, width: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Points around the axes, and the axis of each."""
    rng = np.random.default_rng(0)
    heap = np.repeat(np.arange(len(sizes)), sizes)
    return unit(np.eye(len(sizes))[heap] + rng.normal(0, width, (len(heap), len(sizes)))), heap


def bare(vectors: np.ndarray, labelled: np.ndarray | None = None, **more) -> Pool:
    labelled = vectors[:0] if labelled is None else labelled
    return Pool(vectors, labelled, np.zeros(len(labelled), dtype=np.int64), 2, **more)


P = np.array([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0.4, 0.35, 0.25]], dtype=np.float32)


def test_scores_of_a_worked_example():
    np.testing.assert_allclose(uncertainty.least_confidence(P), [0.5, 0.1, 0.6], atol=1e-6)
    np.testing.assert_allclose(uncertainty.margin(P), [0.9, 0.15, 0.95], atol=1e-6)
    expected = [-(row * np.log(row)).sum() for row in P]
    np.testing.assert_allclose(uncertainty.entropy(P), expected, atol=1e-6)
    np.testing.assert_allclose(
        multilabel.mean_uncertainty(P), [(1 + 0.8 + 0.2) / 3, 0.4 / 3, (0.8 + 0.7 + 0.5) / 3], atol=1e-6
    )
    np.testing.assert_allclose(multilabel.most_uncertain_label(P), [1, 0.2, 0.8], atol=1e-6)


def test_scores_are_right_across_the_border_of_a_chunk():
    p = probabilities(uncertainty.CHUNK + 3, 4)
    top = np.sort(p, axis=1)
    np.testing.assert_allclose(uncertainty.margin(p), 1 - (top[:, -1] - top[:, -2]), atol=1e-6)
    np.testing.assert_allclose(uncertainty.least_confidence(p), 1 - top[:, -1], atol=1e-6)


def test_pick_takes_the_largest_first():
    assert batch.pick(np.array([0.1, 0.9, 0.5]), 2, np.random.default_rng(0)).tolist() == [1, 2]


def test_ties_fall_at_random():
    rng = np.random.default_rng(0)
    seen = Counter(int(batch.pick(np.zeros(40), 1, rng)[0]) for _ in range(400))
    assert len(seen) > 30


def test_near_duplicates_of_an_earlier_row_are_dropped():
    x = unit([[1, 0], [1, 0.01], [0, 1], [0.01, 1]])
    assert batch.collapse_near_duplicates(x, np.array([1, 2, 0, 3])).tolist() == [1, 2]


def test_a_small_batch_takes_the_best_and_a_large_one_spreads_over_topics():
    x, heap = heaps(400, 200)
    scores = np.where(heap == 0, 1.0, 0.5) + np.linspace(0, 0.1, 600)
    pool, rng = bare(x), np.random.default_rng(0)
    assert set(heap[batch.by_score(pool, scores, batch.SPREAD_FROM, rng)]) == {0}
    assert (heap[batch.by_score(pool, scores, batch.SPREAD_FROM + 10, rng)] == 1).sum() > 5


def test_kmeans_finds_separate_heaps():
    rng = np.random.default_rng(0)
    points = np.repeat(np.eye(3, dtype=np.float32) * 5, 20, axis=0) + rng.normal(0, 0.1, (60, 3)).astype(np.float32)
    _, cluster = kmeans.kmeans(points, 3, rng)
    assert all(len(set(cluster[i : i + 20])) == 1 for i in (0, 20, 40))
    assert len(set(cluster)) == 3


@pytest.mark.parametrize("strategy", [diversity.typiclust, diversity.kmeans_centres])
def test_clusters_with_a_label_come_last_and_the_middle_of_a_cluster_first(strategy):
    x, heap = heaps(30, 10)
    rng = np.random.default_rng(0)
    row = int(strategy(bare(x, x[30:31]), 1, rng)[0])
    assert heap[row] == 0
    assert x[row, 0] > 0.99
    assert heap[int(strategy(bare(x, x[:1]), 1, rng)[0])] == 1


def test_core_set_goes_where_nothing_is_labelled():
    x, heap = heaps(50, 50, 50)
    chosen = heap[diversity.core_set(bare(x, x[:1]), 2, np.random.default_rng(0))]
    assert sorted(chosen) == [1, 2]


def test_core_set_is_the_greedy_cover_of_a_worked_example():
    angle = np.deg2rad([0, 10, 50, 90, 170])
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    assert diversity.core_set(bare(x[1:], x[:1]), 2, np.random.default_rng(0)).tolist() == [3, 2]


def test_herding_visits_every_heap_before_any_twice():
    x, heap = heaps(60, 30, 20, 10, 5)
    assert heap[herding.herd(x, None, x[:0], 5, np.random.default_rng(0))].tolist() == [0, 1, 2, 3, 4]


def test_herding_leaves_what_is_labelled_and_what_is_certain():
    x, heap = heaps(30, 30, 30)
    unsure = np.array([1.0, 0.01, 1.0])[heap]
    assert heap[int(herding.herd(x, unsure, x[:3], 1, np.random.default_rng(0))[0])] == 2


def test_spread_takes_the_most_unsure_of_each_heap():
    x, _ = heaps(10, 10, width=0.02)
    assert batch.spread(x, np.linspace(0.5, 0.6, 20), 2, np.random.default_rng(0)).tolist() == [19, 9]


def test_bald_tells_disagreement_from_noise():
    agreed = np.array([[[0.5, 0.5]], [[0.5, 0.5]]])
    torn = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])
    members = np.concatenate([agreed, torn], axis=1)
    np.testing.assert_allclose(committee.bald(members), [0, np.log(2)], atol=1e-6)
    np.testing.assert_allclose(committee.bald_multilabel(members), [0, 2 * np.log(2)], atol=1e-6)


def test_contrastive_is_the_mean_divergence_from_the_neighbours():
    rng = np.random.default_rng(0)
    x, labelled = unit(rng.normal(size=(30, 4))), unit(rng.normal(size=(20, 4)))
    p, q = probabilities(30, 3), probabilities(20, 3, seed=1)
    expected = []
    for i in range(30):
        near = np.argsort(-(labelled @ x[i]))[: contrastive.NEIGHBOURS]
        expected.append(np.mean([(q[j] * np.log(q[j] / p[i])).sum() for j in near]))
    np.testing.assert_allclose(contrastive.cal(x, p, labelled, q), expected, rtol=1e-3, atol=1e-5)


def test_density_is_the_mean_cosine():
    x, _ = heaps(30, 10)
    np.testing.assert_allclose(density.density(x), (x @ x.T).mean(axis=1), atol=1e-5)


def test_a_disputed_label_scores_above_a_confirmed_one():
    scores = errors.disputed(P, np.array([2, 0, 0]))
    np.testing.assert_allclose(scores, [(1 + 0.4) / 2, (1 - 0.85) / 2, (1 - 0.05) / 2], atol=1e-6)


def test_span_scores_of_a_worked_example():
    sentence = np.array([[0.8, 0.2, 0.0], [0.1, 0.5, 0.4]])
    sure = np.array([[1.0, 0.0, 0.0]] * 9)
    assert spans.mnlp([sentence, sure, sentence[:0]]).tolist() == pytest.approx([np.sqrt(0.8 * 0.5), 1, 1])
    unsure = [0.4 * 0.2, 0.9 * 0.9]
    assert spans.token_margin([sentence, sure]).tolist() == pytest.approx([1 - np.mean(unsure), 1])


def test_a_long_sentence_is_not_unsure_because_it_is_long():
    one = np.array([[0.6, 0.4]])
    np.testing.assert_allclose(*(spans.mnlp([np.repeat(one, n, axis=0)]) for n in (3, 300)))
    np.testing.assert_allclose(*(spans.token_margin([np.repeat(one, n, axis=0)]) for n in (5, 300)))


def test_a_budget_of_tokens_is_kept_but_never_gives_nothing():
    tokens = np.array([10, 20, 30])
    assert [spans.within_budget([2, 0, 1], tokens, budget) for budget in (5, 30, 40, 59, 60, 99)] == [1, 1, 2, 2, 3, 3]
    assert spans.within_budget([], tokens, 10) == 0
