from collections import Counter

import numpy as np
import pytest

from workers.learning.sampling import kmeans
from workers.learning.sampling import scores as sampling
from workers.learning.sampling.plan import STRATEGIES, plan
from workers.learning.types import LearningError


def unit(rows) -> np.ndarray:
    x = np.asarray(rows, dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def pool(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def probabilities(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(k), n).astype(np.float32)


P = np.array([[0.5, 0.4, 0.1], [0.9, 0.05, 0.05], [0.4, 0.35, 0.25]], dtype=np.float32)


def test_scores_of_a_worked_example():
    np.testing.assert_allclose(sampling.least_confidence(P), [0.5, 0.1, 0.6], atol=1e-6)
    np.testing.assert_allclose(sampling.margin(P), [0.9, 0.15, 0.95], atol=1e-6)
    expected = [-(row * np.log(row)).sum() for row in P]
    np.testing.assert_allclose(sampling.entropy(P), expected, atol=1e-6)


def test_the_margin_is_right_across_the_border_of_a_chunk():
    p = probabilities(sampling.CHUNK + 3, 4)
    top = np.sort(p, axis=1)
    np.testing.assert_allclose(sampling.margin(p), 1 - (top[:, -1] - top[:, -2]), atol=1e-6)


def test_with_two_classes_all_scores_put_items_in_the_same_order():
    p = probabilities(500, 2)
    orders = [np.argsort(score(p)) for score in (sampling.least_confidence, sampling.margin, sampling.entropy)]
    np.testing.assert_array_equal(orders[0], orders[1])
    np.testing.assert_array_equal(orders[0], orders[2])


def test_pick_takes_the_largest_first():
    assert sampling.pick(np.array([0.1, 0.9, 0.5]), 2, np.random.default_rng(0)).tolist() == [1, 2]


def test_ties_fall_at_random():
    rng = np.random.default_rng(0)
    seen = Counter(int(sampling.pick(np.zeros(40), 1, rng)[0]) for _ in range(400))
    assert len(seen) > 30


def test_near_duplicates_of_an_earlier_row_are_dropped():
    x = unit([[1, 0], [1, 0.01], [0, 1], [0.01, 1]])
    assert sampling.collapse_near_duplicates(x, np.array([1, 2, 0, 3])).tolist() == [1, 2]


def test_kmeans_finds_separate_heaps():
    rng = np.random.default_rng(0)
    heaps = np.repeat(np.eye(3, dtype=np.float32) * 5, 20, axis=0) + rng.normal(0, 0.1, (60, 3)).astype(np.float32)
    _, cluster = kmeans.kmeans(heaps, 3, rng)
    assert all(len(set(cluster[i : i + 20])) == 1 for i in (0, 20, 40))
    assert len(set(cluster)) == 3


def test_typiclust_takes_the_middle_of_the_largest_unlabelled_heap():
    rng = np.random.default_rng(0)
    big = unit(np.array([[1, 0, 0]]) + rng.normal(0, 0.05, (30, 3)))
    small = unit(np.array([[0, 1, 0]]) + rng.normal(0, 0.05, (10, 3)))
    row = int(sampling.typiclust(np.vstack([big, small]), unit([[0, 0, 1]]), 1, rng)[0])
    assert row < 30
    assert big[row] @ unit([[1, 0, 0]])[0] > 0.98
    row = int(sampling.typiclust(np.vstack([big, small]), unit([[1, 0, 0]]), 1, rng)[0])
    assert row >= 30


def test_herding_visits_every_heap_before_any_twice():
    rng = np.random.default_rng(0)
    heaps = unit(np.repeat(np.eye(5), [60, 30, 20, 10, 5], axis=0) + rng.normal(0, 0.05, (125, 5)))
    heap = np.repeat(np.arange(5), [60, 30, 20, 10, 5])
    assert heap[sampling.herd(heaps, None, heaps[:0], 5, rng)].tolist() == [0, 1, 2, 3, 4]


def test_herding_leaves_what_is_labelled_and_what_is_certain():
    rng = np.random.default_rng(0)
    heaps = unit(np.repeat(np.eye(3), 30, axis=0) + rng.normal(0, 0.05, (90, 3)))
    unsure = np.repeat([1.0, 0.01, 1.0], 30)
    assert 60 <= int(sampling.herd(heaps, unsure, heaps[:3], 1, rng)[0]) < 90


def test_spread_takes_the_most_unsure_of_each_heap():
    rng = np.random.default_rng(0)
    heaps = unit(np.repeat(np.eye(2), 10, axis=0) + rng.normal(0, 0.02, (20, 2)))
    scores = np.linspace(0.5, 0.6, 20)
    assert sampling.spread(heaps, scores, 2, rng).tolist() == [19, 9]


@pytest.mark.parametrize("name", sorted(STRATEGIES))
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "with scores"])
class TestEverySampler:
    def sample(self, name: str, cold: bool, size: int, n: int, seed: int = 0) -> list[int]:
        x = pool(size)
        scores = None if cold else sampling.margin(probabilities(size, 3)) if size else np.empty(0)
        return STRATEGIES[name](x, scores, pool(4, seed=9), n, np.random.default_rng(seed)).tolist()

    def test_gives_exactly_n_different_rows(self, name, cold):
        rows = self.sample(name, cold, 100, 17)
        assert len(rows) == len(set(rows)) == 17
        assert all(0 <= row < 100 for row in rows)

    def test_gives_the_whole_pool_when_asked_for_more(self, name, cold):
        assert sorted(self.sample(name, cold, 7, 50)) == list(range(7))

    def test_gives_nothing_from_an_empty_pool(self, name, cold):
        assert self.sample(name, cold, 0, 5) == []

    def test_gives_the_same_for_the_same_seed(self, name, cold):
        assert self.sample(name, cold, 200, 9, seed=3) == self.sample(name, cold, 200, 9, seed=3)


@pytest.mark.parametrize("name", ["margin", "random"])
def test_samplers_that_draw_break_ties_by_the_seed(name):
    chosen = {tuple(STRATEGIES[name](pool(50), np.zeros(50), pool(1), 3, np.random.default_rng(s))) for s in range(9)}
    assert len(chosen) > 1


def planned(n: int = 20, share: float = 0.15, so_far: int = 0, **changes):
    x = pool(400)
    known = {
        "vectors": x,
        "probs": probabilities(400, 4),
        "labelled_vectors": pool(12, seed=5),
        "labelled_classes": np.arange(12) % 4,
        "n_classes": 4,
        "n": n,
        "random_share": share,
        "rng": np.random.default_rng(0),
        "labels_so_far": so_far,
    }
    return plan(**(known | changes))


def test_the_random_share_is_exact_and_spread_out():
    reasons = [c.reason for c in planned(n=200)]
    assert reasons.count("random") == 30
    assert all(3 <= reasons[i : i + 40].count("random") <= 9 for i in range(0, 200, 40))


@pytest.mark.parametrize("step", [1, 5, 7])
def test_the_random_share_stays_exact_when_only_the_head_of_each_plan_is_used(step):
    used = [c.reason for start in range(0, 210, step) for c in planned(n=20, so_far=start)[:step]]
    assert abs(used.count("random") - 0.15 * len(used)) <= 1


def test_no_row_is_planned_twice():
    rows = [c.row for c in planned(n=300)]
    assert len(set(rows)) == 300


def test_a_plan_takes_what_is_left():
    allowed = np.zeros(400, dtype=bool)
    allowed[[3, 50, 200]] = True
    assert sorted(c.row for c in planned(n=20, allowed=allowed)) == [3, 50, 200]


def test_an_exhausted_pool_gives_an_empty_plan():
    assert planned(allowed=np.zeros(400, dtype=bool)) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"probs": None},
        {"labelled_classes": np.zeros(12, dtype=int)},
        {"labelled_classes": np.empty(0, dtype=int), "labelled_vectors": np.empty((0, 8), dtype=np.float32)},
    ],
    ids=["no head", "one class", "no label"],
)
def test_uncertainty_is_not_asked_before_two_classes_are_known(changes):
    reasons = {c.reason for c in planned(**changes)}
    assert reasons == {"cold_start", "random"}
    assert all(c.score is None for c in planned(**changes))


def test_margins_stand_in_for_probabilities():
    p = probabilities(400, 4)
    assert planned(probs=None, margins=1 - sampling.margin(p)) == planned(probs=p)


def test_the_score_is_the_margin():
    p = probabilities(400, 4)
    top = np.sort(p, axis=1)
    for choice in planned(probs=p):
        assert choice.score == pytest.approx(float(top[choice.row, -1] - top[choice.row, -2]), abs=1e-5)


def test_near_duplicates_come_last():
    x = np.vstack([np.repeat(pool(1, seed=2), 100, axis=0), pool(60)])
    rows = [c.row for c in planned(n=30, share=0, vectors=x, probs=probabilities(160, 4), strategy="margin")]
    assert sum(row < 100 for row in rows) <= 30 - 20


def test_half_precision_memory_maps_are_read_in_place(tmp_path):
    np.save(tmp_path / "v.npy", pool(400).astype(np.float16))
    mapped = np.load(tmp_path / "v.npy", mmap_mode="r")
    assert len(planned(vectors=mapped, allowed=np.arange(400) % 2 == 0)) == 20


def test_an_impossible_share_is_refused_in_words():
    with pytest.raises(LearningError, match="between 0 and 1"):
        planned(share=1.5)
