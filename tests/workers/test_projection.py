"""The map's mathematics: near stays near, the same input gives the same map, parts do not overlap."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from workers.learning import projection
from workers.learning.projection import Projected, project
from workers.learning.regions import inside, regions
from workers.learning.types import LearningError

CLUSTERS, EACH, DIMENSION = 24, 20, 24


def blobs(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(CLUSTERS, DIMENSION))
    labels = np.repeat(np.arange(CLUSTERS), EACH)
    rows = centres[labels] + 0.25 * rng.normal(size=(len(labels), DIMENSION))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


@pytest.fixture(scope="module", autouse=True)
def _quickly() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(projection, "ITERATIONS", 260)
        yield


@pytest.fixture(scope="module")
def drawn(_quickly: None) -> Projected:
    rows, labels = blobs()
    return project(rows, seed=3, labels=labels, landmarks=200)


def test_a_map_keeps_groups_together_better_than_two_components_do(drawn: Projected) -> None:
    quality = drawn.quality
    assert quality.hit is not None
    assert quality.hit_pca is not None
    assert quality.hit > 0.95 > quality.hit_pca + 0.1
    assert quality.trustworthiness > quality.trustworthiness_pca
    assert quality.kept > quality.kept_pca
    assert (quality.n, quality.landmarks, quality.labelled) == (480, 200, 480)


def test_points_lie_within_the_square_and_none_hides_another(drawn: Projected) -> None:
    assert drawn.xy.shape == (480, 2)
    assert drawn.xy.dtype == np.float32
    assert np.abs(drawn.xy).max() == pytest.approx(1)
    assert len(np.unique(drawn.xy, axis=0)) == 480


def test_the_same_vectors_give_the_same_map_and_labels_move_nothing(drawn: Projected) -> None:
    rows, _labels = blobs()
    again = project(rows.astype(np.float32), seed=3, landmarks=200)
    assert np.array_equal(again.xy, drawn.xy)
    assert again.quality.hit is None
    assert again.quality.labelled == 0


def test_progress_rises_to_one() -> None:
    heard: list[float] = []
    project(blobs()[0][:60], seed=0, landmarks=30, report=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


@pytest.mark.parametrize("n", [1, 2, 3, 9, 12])
def test_a_few_texts_are_drawn_too(n: int) -> None:
    found = project(blobs()[0][:n], seed=0)
    assert found.xy.shape == (n, 2)
    assert np.isfinite(found.xy).all()


def test_equal_vectors_are_drawn_too() -> None:
    found = project(np.tile(blobs()[0][:1], (40, 1)), seed=0, landmarks=20)
    assert np.isfinite(found.xy).all()


def test_no_vectors_and_broken_vectors_are_refused_in_words() -> None:
    with pytest.raises(LearningError, match="no vectors"):
        project(np.empty((0, 8), dtype=np.float32), seed=0)
    broken = blobs()[0].copy()
    broken[7, 3] = np.nan
    with pytest.raises(LearningError, match="not finite"):
        project(broken, seed=0)


def test_parts_of_a_map_do_not_overlap_and_hold_almost_everything(drawn: Projected) -> None:
    found = regions(drawn.xy, seed=0, most=6)
    within = np.stack([inside(drawn.xy, np.array(region.outline)) for region in found])
    assert len(found) == 6
    assert within.sum(axis=0).max() == 1
    assert within.sum() > 0.85 * len(drawn.xy)
    assert all(within[number, region.typical] for number, region in enumerate(found))


def test_parts_need_points_that_span_an_area() -> None:
    assert regions(np.array([[0, 0], [1, 1]], dtype=np.float32), seed=0) == []
    line = np.stack([np.linspace(-1, 1, 90)] * 2, axis=1).astype(np.float32)
    assert regions(line, seed=0, most=1) == []


def test_inside_follows_the_even_odd_rule() -> None:
    square = np.array([[0, 0], [2, 0], [2, 2], [0, 2]])
    points = np.array([[1, 1], [3, 1], [-1, 1], [0.1, 1.9], [1, 2.1]])
    assert inside(points, square).tolist() == [True, False, False, True, False]
    bow = np.array([[0, 0], [2, 2], [2, 0], [0, 2]])  # crosses itself in the middle
    assert inside(np.array([[0.2, 1], [1.8, 1], [1, 0.2], [1, 1.8]]), bow).tolist() == [True, True, False, False]
