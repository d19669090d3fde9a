"""The contract that every registered strategy keeps."""

import numpy as np
import pytest

from workers.learning import heads
from workers.learning.sampling import DEFAULT, DESCRIPTIONS, STRATEGIES, Pool, SpanScores, offered, uncertainty
from workers.learning.sampling.badge import badge

EVERY = sorted(STRATEGIES)
SCENES = ("cold", "single", "several", "spans")


def unit(rows) -> np.ndarray:
    x = np.asarray(rows, dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def pool(scene: str, size: int, *, k: int = 3, identical: bool = False) -> Pool:
    """A pool as the planner would make it: vectors, what is labelled, and what a head or a tagger says."""
    rng = np.random.default_rng(7)
    x = unit(rng.normal(size=(size, 8)))
    labelled = unit(rng.normal(size=(24, 8)))
    if identical:
        x = np.repeat(x[:1], size, axis=0)
    classes = rng.integers(0, k, 24)
    if scene == "several":
        classes = np.eye(k, dtype=bool)[classes] | (rng.random((24, k)) < 0.2)
    if scene == "cold":
        return Pool(x, labelled[:0], np.empty(0, dtype=np.int64), k)
    head = heads.fit_multi(labelled, classes) if scene == "several" else heads.fit(labelled, classes, n_classes=k)
    p = head.probabilities(x)
    scores = SpanScores(p.max(axis=1), p.min(axis=1), np.arange(size) + 1) if scene == "spans" else None
    return Pool(x, labelled, classes, k, unsure=uncertainty.margin(p), known=p, head=head, spans=scores)


def chosen(name: str, pool: Pool, n: int, seed: int = 0) -> list[int]:
    return STRATEGIES[name](pool, n, np.random.default_rng(seed)).tolist()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", EVERY)
class TestEveryStrategy:
    @pytest.mark.parametrize("n", [1, 17, 90])
    def test_gives_exactly_n_different_rows(self, name, scene, n):
        rows = chosen(name, pool(scene, 120), n)
        assert len(rows) == len(set(rows)) == n
        assert all(0 <= row < 120 for row in rows)

    def test_gives_the_whole_pool_when_asked_for_more(self, name, scene):
        assert sorted(chosen(name, pool(scene, 7), 50)) == list(range(7))

    def test_gives_nothing_from_an_empty_pool_or_when_asked_for_nothing(self, name, scene):
        assert chosen(name, pool(scene, 0), 5) == []
        assert chosen(name, pool(scene, 9), 0) == []

    def test_gives_the_same_for_the_same_seed(self, name, scene):
        assert chosen(name, pool(scene, 200), 9, seed=3) == chosen(name, pool(scene, 200), 9, seed=3)

    def test_draws_between_equals(self, name, scene):
        first = {chosen(name, pool(scene, 50, identical=True), 1, seed)[0] for seed in range(12)}
        assert len(first) > 4

    def test_chooses_among_copies_without_choosing_one_twice(self, name, scene):
        assert len(set(chosen(name, pool(scene, 50, identical=True), 20))) == 20


@pytest.mark.parametrize("n", [30, 90], ids=["a small batch", "a large batch"])
def test_with_two_classes_margin_least_confidence_and_entropy_are_one(n):
    scene = pool("single", 300, k=2)
    first, second, third = (chosen(name, scene, n) for name in ("margin", "least-confidence", "entropy"))
    assert first == second == third


def test_badge_measures_the_gradients_it_never_holds():
    """Against k-means++ on outer products written out."""
    scene = pool("single", 60)
    p = scene.known.copy()
    p[np.arange(60), p.argmax(axis=1)] -= 1
    rng = np.random.default_rng(5)
    order = scene.some(1_000, rng)
    gradients = (p[:, :, None] * scene.vectors[:, None, :]).reshape(60, -1)[order].astype(np.float64)
    expected = [int((gradients**2).sum(axis=1).argmax())]
    distance = np.full(60, np.inf)
    for _ in range(9):
        distance = np.minimum(distance, ((gradients - gradients[expected[-1]]) ** 2).sum(axis=1))
        distance[expected] = 0
        total = np.cumsum(distance)
        expected.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    assert badge(scene, 10, np.random.default_rng(5)).tolist() == order[expected].tolist()


def test_every_strategy_is_described_and_offered_somewhere():
    assert set(DESCRIPTIONS) == set(STRATEGIES)
    assert DEFAULT in STRATEGIES
    tasks = [set(offered(task)) for task in ("single", "multi", "spans")]
    assert tasks[0] | tasks[1] | tasks[2] == set(STRATEGIES)
    assert all({"auto", "random"} <= names for names in tasks)
    assert "mnlp" not in tasks[0]
