import numpy as np
import pytest
from scipy.stats import chi2_contingency

from workers.learning.monitor import drift
from workers.learning.types import LearningError


def _texts(rng: np.random.Generator, n: int, topic: float = 0.0, d: int = 24) -> np.ndarray:
    """Unit vectors of five topics; the share `topic` is about a sixth."""
    centres = np.random.default_rng(1).normal(size=(6, d))
    of = np.where(rng.random(n) < topic, 5, rng.integers(5, size=n))
    x = centres[of] + rng.normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def test_a_new_topic_is_flagged_and_its_texts_come_first() -> None:
    rng = np.random.default_rng(0)
    recent = np.concatenate([_texts(rng, 240), _texts(rng, 60, topic=1.0)])
    found = drift.content(_texts(rng, 300), recent, rng)
    assert found.p_value <= 0.01
    assert found.auc > 0.55
    assert (found.order[:30] >= 240).mean() > 0.6


def test_the_level_of_the_test_is_kept() -> None:
    wrong = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        wrong += drift.content(_texts(rng, 80), _texts(rng, 80), rng).p_value <= 0.05
    assert wrong <= 7  # 3 expected; more than 7 in 1 of 100 honest tests


def test_too_few_texts_are_refused_in_words() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(LearningError, match="at least 50"):
        drift.content(_texts(rng, 49), _texts(rng, 300), rng)


def test_answers_are_compared_like_the_textbook() -> None:
    before, recent = np.array([400, 300, 200, 100]), np.array([350, 330, 260, 60])
    found = drift.answers(before, recent)
    assert found.p_value == pytest.approx(chi2_contingency([before, recent], correction=False).pvalue)
    assert found.psi == pytest.approx(0.0457, abs=0.001)
    assert found.moved == pytest.approx([-0.05, 0.03, 0.06, -0.04])


def test_equal_answers_are_no_drift_and_rare_classes_no_surprise() -> None:
    found = drift.answers(np.array([500, 499, 1, 0, 0]), np.array([500, 498, 0, 1, 1]))
    assert found.p_value > 0.3
    assert found.psi < 0.1
