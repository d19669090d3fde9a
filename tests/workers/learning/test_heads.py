import numpy as np
import pytest

from workers.learning import heads
from workers.learning.heads import head as head_module
from workers.learning.heads import lbfgs, multinomial
from workers.learning.types import LearningError


def blobs(n: int, k: int, d: int, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    x = rng.normal(size=(k, d))[y] + noise * rng.normal(size=(n, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32), y


def test_lbfgs_finds_the_bottom_of_a_stretched_bowl():
    scale = np.array([1.0, 10.0, 100.0])
    found = lbfgs.minimise(
        lambda x: (float((scale * (x - 3) ** 2).sum()), 2 * scale * (x - 3)), np.zeros(3), tolerance=1e-6, max_iter=100
    )
    assert found.converged
    np.testing.assert_allclose(found.x, 3, atol=1e-6)


@pytest.mark.parametrize(("n", "d"), [(200, 12), (40, 64)], ids=["more items than dimensions", "fewer"])
def test_the_head_is_scikit_learns_optimum(n, d):
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(n, 4, d)
    reference = LogisticRegression(C=30, max_iter=5_000, tol=1e-8).fit(x, y).predict_proba(x)
    np.testing.assert_allclose(heads.fit(x, y, n_classes=4).probabilities(x), reference, atol=0.01)


def test_rows_of_probabilities_sum_to_one_even_from_half_precision():
    x, y = blobs(100, 3, 8)
    p = heads.fit(x, y, n_classes=3).probabilities(x.astype(np.float16))
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)


def test_a_class_without_examples_is_unlikely_but_a_number():
    x, y = blobs(60, 3, 8)
    head = heads.fit(x, np.where(y == 1, 2, y), n_classes=5)
    p = head.probabilities(x)
    assert np.isfinite(p).all()
    assert p[:, [1, 3, 4]].max() < 0.01


def test_a_single_class_is_predicted_everywhere():
    x, _ = blobs(5, 2, 8)
    p = heads.fit(x, np.full(5, 1), n_classes=3).probabilities(x)
    assert (p.argmax(axis=1) == 1).all()


def test_no_example_is_refused_in_words():
    with pytest.raises(LearningError, match="no labelled item"):
        heads.fit(np.empty((0, 4), dtype=np.float32), np.empty(0, dtype=np.int64), n_classes=2)


def test_a_label_outside_the_order_is_refused_in_words():
    with pytest.raises(LearningError, match="outside"):
        heads.fit(np.ones((2, 4), dtype=np.float32), np.array([0, 2]), n_classes=2)


def test_the_same_data_gives_the_same_bytes():
    x, y = blobs(100, 3, 8)
    assert heads.fit(x, y, n_classes=3).to_bytes() == heads.fit(x, y, n_classes=3).to_bytes()


def test_a_warm_start_reaches_the_cold_optimum_with_a_class_that_is_new(monkeypatch):
    x, y = blobs(300, 4, 16)
    before = heads.fit(x[y < 3], y[y < 3], n_classes=4)
    cold, warm = heads.fit(x, y, n_classes=4), heads.fit(x, y, n_classes=4, warm=before)
    np.testing.assert_allclose(warm.probabilities(x), cold.probabilities(x), atol=0.02)


def test_a_warm_start_from_five_labels_ago_takes_fewer_steps(monkeypatch):
    x, y = blobs(300, 4, 16)
    steps = []
    real = lbfgs.minimise

    def counted(*args, **kwargs):
        found = real(*args, **kwargs)
        steps.append(found.steps)
        return found

    monkeypatch.setattr(multinomial, "minimise", counted)
    before = heads.fit(x[:-5], y[:-5], n_classes=4)
    heads.fit(x, y, n_classes=4)
    heads.fit(x, y, n_classes=4, warm=before)
    assert steps[2] < steps[1]


def test_a_warm_start_of_another_shape_is_ignored():
    x, y = blobs(50, 3, 8)
    other = heads.Head(np.ones((2, 8), dtype=np.float32), np.zeros(2, dtype=np.float32))
    assert heads.fit(x, y, n_classes=3, warm=other).to_bytes() == heads.fit(x, y, n_classes=3).to_bytes()


def test_a_glance_agrees_with_the_whole_table():
    x, y = blobs(head_module.CHUNK + 7, 5, 8)
    head = heads.calibrated(heads.fit(x[:200], y[:200], n_classes=5), 1.7)
    label, best, gap = head.glance(x)
    p = np.sort(head.probabilities(x), axis=1)
    assert (label == head.probabilities(x).argmax(axis=1)).all()
    np.testing.assert_allclose(best, p[:, -1], atol=1e-5)
    np.testing.assert_allclose(gap, p[:, -1] - p[:, -2], atol=1e-5)


def test_a_head_survives_storage():
    x, y = blobs(50, 3, 8)
    head = heads.calibrated(heads.fit(x, y, n_classes=3), 0.8)
    again = heads.Head.from_bytes(head.to_bytes())
    np.testing.assert_array_equal(again.probabilities(x), head.probabilities(x))


def test_bytes_that_are_no_head_are_refused_in_words():
    with pytest.raises(LearningError, match="cannot be read"):
        heads.Head.from_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{} rubbish")


def test_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    honest = rng.normal(size=(2_000, 4)) * 2
    p = heads.softmax(honest.astype(np.float32).copy())
    y = np.array([rng.choice(4, p=row / row.sum()) for row in p.astype(np.float64)])
    assert heads.fit_temperature(honest * 3, y) == pytest.approx(3, rel=0.15)


def test_few_examples_hardly_move_the_temperature():
    logits, y = np.array([[9.0, 0.0], [9.0, 0.0], [9.0, 0.0], [9.0, 0.0]]), np.array([0, 1, 0, 1])
    assert heads.fit_temperature(logits, y) < 1.2


def test_a_set_without_mistakes_does_not_ask_for_certainty():
    logits = np.eye(4)[np.arange(400) % 4] * 6.0
    assert heads.fit_temperature(logits, np.arange(400) % 4) > 0.4


def test_cross_fitted_temperature_lowers_the_loss_on_fresh_items():
    x, y = blobs(1_200, 6, 24, noise=2.0)
    head = heads.fit(x[:400], y[:400], n_classes=6, c=300)
    t = heads.temperature(x[:400], y[:400], n_classes=6, c=300, rng=np.random.default_rng(0))

    def loss(h):
        return -np.log(h.probabilities(x[400:])[np.arange(800), y[400:]]).mean()

    assert loss(heads.calibrated(head, t)) < loss(head)


def test_balanced_classes_help_the_rare_one():
    rng = np.random.default_rng(0)
    y = (rng.random(600) < 0.05).astype(int)
    x = rng.normal(size=(600, 6)).astype(np.float32) + 0.8 * y[:, None]
    plain, fair = heads.fit(x, y, n_classes=2), heads.fit(x, y, n_classes=2, balance="balanced")
    found = [(head.glance(x)[0][y == 1] == 1).mean() for head in (plain, fair)]
    assert found[1] > found[0] + 0.2


def test_balance_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(300, 3, 8)
    y[:150] = 0
    reference = LogisticRegression(C=30, max_iter=5_000, tol=1e-8, class_weight="balanced").fit(x, y).predict_proba(x)
    ours = heads.fit(x, y, n_classes=3, balance="balanced")
    np.testing.assert_allclose(ours.probabilities(x), reference, atol=0.01)


def test_every_head_opens_from_its_bytes():
    x, y = blobs(60, 3, 8)
    many = np.eye(3, dtype=bool)[y]
    texts = [f"word{label} and {n % 5}" for n, label in enumerate(y)]
    grams = heads.vocabulary(texts, beside_vectors=True)
    both = heads.features(texts, x, grams)
    for head in (
        heads.fit(x, y, n_classes=3),
        heads.tuned(heads.fit_multi(x, many), x, many, rng=np.random.default_rng(0)),
    ):
        again = heads.open(head.to_bytes())
        assert type(again) is type(head)
        np.testing.assert_array_equal(again.probabilities(x), head.probabilities(x))
    for inner in (heads.fit(both, y, n_classes=3), heads.fit_multi(both, many)):
        head = heads.TextHead(inner, grams, dense=8)
        again = heads.open(head.to_bytes())
        np.testing.assert_allclose(again.probabilities(texts, x), head.probabilities(texts, x), atol=1e-5)
        assert len(head.to_bytes()) < 2_000_000


def test_rubbish_opens_as_nothing():
    with pytest.raises(LearningError, match="cannot be read"):
        heads.open(b"rubbish")
