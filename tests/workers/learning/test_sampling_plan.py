import numpy as np
import pytest

from workers.learning.sampling import STRATEGIES, SpanScores, plan
from workers.learning.sampling.uncertainty import margin
from workers.learning.types import LearningError


def unit(rows) -> np.ndarray:
    x = np.asarray(rows, dtype=np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def pool(n: int, d: int = 8, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def probabilities(n: int, k: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(k), n).astype(np.float32)


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
    assert planned(probs=None, margins=1 - margin(p)) == planned(probs=p)


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


def test_an_unknown_strategy_is_refused_in_words():
    with pytest.raises(LearningError, match="no way of sampling"):
        planned(strategy="astrology")


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_fills_a_plan(name):
    rows = [c.row for c in planned(n=60, strategy=name, probs=None, margins=1 - margin(probabilities(400, 4)))]
    assert len(set(rows)) == 60


@pytest.mark.parametrize(
    "name", ["auto", "mean-uncertainty", "most-uncertain-label", "committee", "badge", "contrastive"]
)
def test_items_with_several_labels_are_planned(name):
    truth = np.random.default_rng(0).random((12, 4)) < 0.4
    reasons = [c.reason for c in planned(labelled_classes=truth, strategy=name)]
    assert reasons.count("uncertain") == 17
    assert {c.reason for c in planned(labelled_classes=np.zeros((12, 4), dtype=bool))} == {"cold_start", "random"}


def test_a_plan_for_spans_keeps_to_its_tokens():
    rng = np.random.default_rng(1)
    spans = SpanScores(rng.random(400), rng.random(400), rng.integers(3, 30, 400))
    chosen = planned(probs=None, spans=spans, token_budget=150, strategy="mnlp", n=50, share=0)
    assert 100 < spans.tokens[[c.row for c in chosen]].sum() <= 150
    np.testing.assert_allclose(chosen[0].score, spans.margin[chosen[0].row])


def test_disputed_labels_come_first():
    p = probabilities(400, 4)
    doubted = np.full(400, -1)
    doubted[:40] = p[:40].argmax(axis=1)
    doubted[:5] = p[:5].argmin(axis=1)
    rows = [c.row for c in planned(probs=p, doubted=doubted, strategy="label-errors", n=10, share=0)]
    assert set(rows[:5]) == set(range(5))
    assert max(rows) < 40
