import itertools

import numpy as np
import pytest

from workers.learning import quality
from workers.learning.types import LearningError, Span

NAN = np.nan
# Krippendorff (2011), "Computing Krippendorff's alpha-reliability": 12 units down, 4 observers across
KRIPPENDORFF = np.array(
    [
        [1, 1, NAN, 1],
        [2, 2, 3, 2],
        [3, 3, 3, 3],
        [3, 3, 3, 3],
        [2, 2, 2, 2],
        [1, 2, 3, 4],
        [4, 4, 4, 4],
        [1, 1, 2, 1],
        [2, 2, 2, 2],
        [NAN, 5, 5, 5],
        [NAN, NAN, 1, 1],
        [NAN, NAN, 3, NAN],
    ]
)

# Fleiss (1971), table 1: how many of six psychiatrists gave each of five diagnoses to each of 30 patients
FLEISS = (
    "00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031 "
    "00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"
)


def random_ratings(rng, missing=True):
    n, m, k = rng.integers(4, 20), rng.integers(2, 6), rng.integers(2, 6)
    truth = rng.integers(0, k, (n, 1))
    ratings = np.where(rng.random((n, m)) < rng.uniform(0.2, 0.95), truth, rng.integers(0, k, (n, m))).astype(float)
    if missing:
        ratings[rng.random((n, m)) < 0.25] = NAN
    return ratings, int(k)


def alpha_by_definition(ratings, level):
    """The coincidence matrix built pair by pair."""
    values = np.unique(ratings[~np.isnan(ratings)])
    k = len(values)
    o = np.zeros((k, k))
    for row in ratings:
        codes = np.searchsorted(values, row[~np.isnan(row)])
        for a, b in itertools.permutations(range(len(codes)), 2):
            o[codes[a], codes[b]] += 1 / (len(codes) - 1)
    n_c = o.sum(axis=1)
    delta = np.zeros((k, k))
    for c, d in itertools.combinations(range(k), 2):
        between = {
            "nominal": 1.0,
            "interval": (values[c] - values[d]) ** 2,
            "ordinal": (n_c[c : d + 1].sum() - (n_c[c] + n_c[d]) / 2) ** 2,
        }[level]
        delta[c, d] = delta[d, c] = between
    expected = (np.outer(n_c, n_c) * delta).sum() / (n_c.sum() - 1)
    return None if expected == 0 else 1 - (o * delta).sum() / expected


@pytest.mark.parametrize(("level", "value"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_krippendorffs_worked_example(level, value):
    found = quality.krippendorff_alpha(KRIPPENDORFF, level=level)
    assert found.value == pytest.approx(value, abs=5e-4)
    assert (found.items, found.ratings) == (11, 40)
    assert found.interval.low < value < found.interval.high


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_is_its_definition_on_500_random_tables(level):
    rng = np.random.default_rng(0)
    for _ in range(500):
        ratings, _k = random_ratings(rng)
        wanted = alpha_by_definition(ratings, level)
        found = quality.krippendorff_alpha(ratings - 3 if level == "interval" else ratings, level=level).value
        assert (found is None) == (wanted is None)
        assert found is None or found == pytest.approx(wanted, abs=1e-9)


def test_alpha_per_class_is_that_class_against_the_rest():
    rng = np.random.default_rng(1)
    ratings, k = random_ratings(rng)
    found = quality.krippendorff_alpha(ratings, n_classes=k + 1)
    assert found.per_class[k] is None  # nobody ever said it
    for j in range(k):
        one = np.where(np.isnan(ratings), NAN, ratings == j)
        assert found.per_class[j] == pytest.approx(alpha_by_definition(one, "nominal"), abs=1e-9)


def test_fleiss_kappa_is_the_published_one():
    ratings = np.array([np.repeat(np.arange(5.0), [int(n) for n in patient]) for patient in FLEISS.split()])
    found = quality.fleiss_kappa(ratings, n_classes=5)
    assert found.value == pytest.approx(0.430, abs=5e-4)
    assert found.per_class == pytest.approx([0.245, 0.245, 0.520, 0.471, 0.566], abs=5e-4)
    assert found.interval.low < 0.43 < found.interval.high


def test_fleiss_kappa_is_statsmodels_on_500_random_tables():
    from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa

    rng = np.random.default_rng(0)
    for _ in range(500):
        ratings, k = random_ratings(rng, missing=False)
        if len(np.unique(ratings)) > 1:
            wanted = fleiss_kappa(aggregate_raters(ratings.astype(int))[0])
            assert quality.fleiss_kappa(ratings, n_classes=k).value == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_cohen_kappa_is_scikit_learns_on_500_random_tables(weights):
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    for _ in range(500):
        ratings, k = random_ratings(rng, missing=False)
        a, b = ratings[:, 0], ratings[:, 1]
        found = quality.cohen_kappa(a, b, n_classes=k, weights=weights).value
        if found is None:
            assert len(np.unique(ratings[:, :2])) == 1
        else:
            labels = list(range(k))
            assert found == pytest.approx(cohen_kappa_score(a, b, labels=labels, weights=weights), abs=1e-9)


def test_two_raters_kappa_per_class_is_scikit_learns_on_that_class():
    from sklearn.metrics import cohen_kappa_score

    rng = np.random.default_rng(0)
    a = rng.integers(0, 4, 80).astype(float)
    b = np.where(rng.random(80) < 0.7, a, rng.integers(0, 4, 80))
    found = quality.cohen_kappa(a, b, n_classes=4).per_class
    assert found == pytest.approx([cohen_kappa_score(a == j, b == j) for j in range(4)], abs=1e-9)


def test_agreement_is_one_when_all_agree_and_near_nothing_at_random():
    rng = np.random.default_rng(0)
    same = np.repeat(rng.integers(0, 3, (200, 1)), 3, axis=1).astype(float)
    luck = rng.integers(0, 3, (2_000, 3)).astype(float)
    for measure in (quality.krippendorff_alpha, quality.fleiss_kappa):
        assert measure(same).value == pytest.approx(1)
        assert abs(measure(luck).value) < 0.03


def test_intervals_of_alpha_cover_the_truth():
    rng = np.random.default_rng(0)

    def project(n):
        truth = rng.integers(0, 4, (n, 1))
        ratings = np.where(rng.random((n, 3)) < 0.8, truth, rng.integers(0, 4, (n, 3))).astype(float)
        ratings[rng.random((n, 3)) < 0.2] = NAN
        return ratings

    truth = quality.krippendorff_alpha(project(200_000)).value
    found = [quality.krippendorff_alpha(project(200)).interval for _ in range(1_000)]
    assert np.mean([truth in interval for interval in found]) >= 0.93


def test_nothing_rated_twice_leaves_agreement_open():
    once = np.array([[1, NAN], [NAN, 0]])
    assert quality.krippendorff_alpha(once).value is None
    assert quality.cohen_kappa(once[:, 0], once[:, 1], n_classes=2).value is None
    assert quality.krippendorff_alpha(np.ones((5, 2))).value is None  # nobody ever varied


def test_fleiss_with_missing_ratings_is_refused_in_words():
    with pytest.raises(LearningError, match="use alpha"):
        quality.fleiss_kappa(KRIPPENDORFF)


def test_a_class_outside_the_label_order_is_refused_in_words():
    with pytest.raises(LearningError, match="outside the label order"):
        quality.krippendorff_alpha(KRIPPENDORFF, n_classes=3)


def test_long_rows_become_a_table_and_the_last_rating_counts():
    ratings, items, raters = quality.table(np.array([7, 7, 3, 7]), np.array([1, 2, 1, 1]), np.array([0, 1, 2, 3]))
    assert (items.tolist(), raters.tolist()) == ([3, 7], [1, 2])
    np.testing.assert_array_equal(ratings, [[2, NAN], [3, 1]])


A, B, C = Span(0, 4, 0), Span(0, 6, 0), Span(8, 9, 1)


def test_span_agreement_of_a_worked_example():
    marked = [[[A, C], [B, C], None], [[A], [A], [A]], [[], [], []], [[A], None, None]]
    strict = quality.span_f1(marked, n_classes=3)
    # first text: one pair, one span in common of two and two; second: three pairs, all in common
    assert strict.value == pytest.approx((2 * 1 + 6) / (4 + 6))
    assert (strict.items, strict.ratings) == (3, 8)
    assert strict.per_class == (pytest.approx(6 / 8), 1.0, None)
    assert quality.span_f1(marked, n_classes=3, partial=True).value == pytest.approx((2 * 1.5 + 6) / 10)


def test_span_agreement_is_open_when_nobody_marked_anything():
    assert quality.span_f1([[[], []], [[A], None]], n_classes=1).value is None
