import numpy as np
import pytest

from workers.learning import heads
from workers.learning.types import LearningError


def tagged(n: int, k: int = 5, d: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors that carry a direction for each of their labels, which are given at different rates."""
    rng = np.random.default_rng(seed)
    y = rng.random((n, k)) < np.linspace(0.4, 0.06, k)
    directions = np.random.default_rng(99).normal(size=(k, d))
    return (y @ directions + 1.2 * rng.normal(size=(n, d))).astype(np.float32), y


def macro_f1(y: np.ndarray, given: np.ndarray) -> float:
    return (2 * (y & given).sum(axis=0) / np.maximum((y.sum(axis=0) + given.sum(axis=0)), 1)).mean()


def test_each_label_is_scikit_learns_optimum():
    from sklearn.linear_model import LogisticRegression

    x, y = tagged(250)
    p = heads.fit_multi(x, y, c=2).probabilities(x)
    for j in range(y.shape[1]):
        alone = LogisticRegression(C=2, max_iter=5_000, tol=1e-8).fit(x, y[:, j]).predict_proba(x)[:, 1]
        np.testing.assert_allclose(p[:, j], alone, atol=0.01)


def test_a_label_that_none_or_all_carry_is_predicted_so():
    x, y = tagged(80)
    y[:, 1], y[:, 2] = False, True
    p = heads.fit_multi(x, y).probabilities(x)
    assert p[:, 1].max() < 0.01
    assert p[:, 2].min() > 0.99


def test_texts_without_any_label_are_learnt_from():
    x, y = tagged(200)
    y[:150] = False
    assert heads.fit_multi(x, y).probabilities(x[:150]).mean() < 0.1


def test_no_example_is_refused_in_words():
    with pytest.raises(LearningError, match="no labelled item"):
        heads.fit_multi(np.empty((0, 4), dtype=np.float32), np.empty((0, 3), dtype=bool))


def test_the_same_data_and_seed_give_the_same_bytes():
    x, y = tagged(120)
    first, second = (
        heads.tuned(heads.fit_multi(x, y), x, y, rng=np.random.default_rng(3)).to_bytes() for _ in range(2)
    )
    assert first == second


def test_a_warm_start_reaches_the_cold_optimum():
    x, y = tagged(300)
    warm = heads.fit_multi(x[:200], y[:200], c=2)
    ours = heads.fit_multi(x, y, c=2, warm=warm).probabilities(x)
    np.testing.assert_allclose(ours, heads.fit_multi(x, y, c=2).probabilities(x), atol=0.02)


def test_balanced_labels_are_found_more_often():
    x, y = tagged(400)
    plain, fair = heads.fit_multi(x, y, c=1), heads.fit_multi(x, y, c=1, balance="balanced")
    rare = y[:, -1]
    assert fair.probabilities(x)[rare, -1].mean() > plain.probabilities(x)[rare, -1].mean() + 0.1


def test_the_best_threshold_of_a_worked_example():
    p = np.array([[0.9], [0.6], [0.4], [0.3], [0.1]])
    y = np.array([[True], [True], [False], [True], [False]])
    # everything above 0.3 is 3 of 4: F1 6/7; above 0.6 it is 2 of 2: F1 4/5
    assert heads.thresholds(p, y)[0] == pytest.approx(0.2)


def test_a_threshold_never_parts_equal_probabilities():
    p, y = np.full((6, 1), 0.5), np.array([[True], [False], [False], [False], [False], [False]])
    assert heads.thresholds(p, y)[0] < 0.5


def test_tuned_thresholds_raise_f1_on_fresh_items():
    x, y = tagged(1_500)
    gains = []
    for seed in range(5):
        rows = np.random.default_rng(seed).choice(1_000, 200, replace=False)
        plain = heads.fit_multi(x[rows], y[rows], c=0.05)
        tuned = heads.tuned(plain, x[rows], y[rows], c=0.05, rng=np.random.default_rng(seed))
        fresh, truth = x[1_000:], y[1_000:]
        gains.append(
            macro_f1(truth, tuned.labels(tuned.probabilities(fresh)))
            - macro_f1(truth, plain.labels(plain.probabilities(fresh)))
        )
    assert np.mean(gains) > 0.05


def test_the_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(3_000, 3)) * 2
    y = rng.random(honest.shape) < 1 / (1 + np.exp(-honest))
    from workers.learning.heads.calibration import fit_multi_temperature

    assert fit_multi_temperature(honest * 3, y) == pytest.approx(3, rel=0.1)


class TestNgrams:
    TEXTS = ("很快，好吃，味道足", "送餐太慢", "味道很好", "太慢了，不好吃", "fast and good 😀", "slow and bad") * 6
    LABELS = (1, 0, 1, 0, 1, 0) * 6

    def test_rows_have_the_length_asked_for(self):
        rows = heads.Ngrams.of(self.TEXTS, scale=0.5)(self.TEXTS)
        np.testing.assert_allclose(np.sqrt(rows.multiply(rows).sum(axis=1)), 0.5, atol=1e-4)

    def test_a_text_without_anything_known_is_an_empty_row(self):
        assert heads.Ngrams.of(self.TEXTS)([""]).nnz == 0

    def test_a_head_on_ngrams_alone_learns_any_language(self):
        grams = heads.vocabulary(self.TEXTS, beside_vectors=False)
        head = heads.TextHead(heads.fit(grams(self.TEXTS), np.array(self.LABELS), n_classes=2), grams, dense=0)
        assert head.probabilities(["味道好", "慢"]).argmax(axis=1).tolist() == [1, 0]

    def test_vectors_that_are_missing_are_asked_for_in_words(self):
        grams = heads.vocabulary(self.TEXTS, beside_vectors=True)
        inner = heads.Head(np.zeros((2, 4 + len(grams.idf)), dtype=np.float32), np.zeros(2, dtype=np.float32))
        with pytest.raises(LearningError, match="vectors"):
            heads.TextHead(inner, grams, dense=4).probabilities(["text"])

    def test_both_is_what_one_wide_matrix_would_give(self):
        from scipy.sparse import csr_matrix

        rng = np.random.default_rng(0)
        dense = rng.normal(size=(60, 5)).astype(np.float32)
        sparse = csr_matrix(rng.random((60, 40)) * (rng.random((60, 40)) < 0.1), dtype=np.float32)
        y = rng.integers(0, 3, 60)
        wide = np.hstack([dense, sparse.toarray()])
        both = heads.Both(dense, sparse)
        expected = heads.fit(wide, y, n_classes=3, c=1).probabilities(wide)
        np.testing.assert_allclose(heads.fit(both, y, n_classes=3, c=1).probabilities(both), expected, atol=0.01)
        warm = heads.fit(both[:40], y[:40], n_classes=3, c=1)
        again = heads.fit(both, y, n_classes=3, c=1, warm=warm)
        np.testing.assert_allclose(again.probabilities(both), expected, atol=0.01)
