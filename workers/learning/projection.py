"""A map of vectors in two dimensions, for people to look at. What lies near on it is near among the vectors more often
than by chance, and `Quality` says how often; distances between far groups mean nothing.

1. Principal components, 50 at most, from a covariance summed block by block: memory is one block and d × d numbers.
2. t-SNE (van der Maaten & Hinton, JMLR 2008; Barnes-Hut, van der Maaten, JMLR 2014) of a random part, the landmarks,
   from the first two components, which keeps the large picture (Kobak & Berens, Nature Communications 10:5416, 2019).
3. Every other row goes to the mean of its nearest landmarks, weighted by similarity, with a small spread so that rows
   with the same neighbours do not hide one another. Placing rows on a finished map like this follows Kobak & Berens
   (ibid.) and Poličar, Stražar & Zupan (Embedding to reference t-SNE space, Machine Learning 112, 2023).

Trustworthiness is Venna & Kaski's (ICANN 2001), neighbour hit is Paulovich et al.'s (IEEE TVCG 14, 2008).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .types import LearningError

Rows = NDArray[np.float16] | NDArray[np.float32]
Plane = NDArray[np.float32]
Report = Callable[[float], None]

COMPONENTS = 50
LANDMARKS = 5_000
NEIGHBOURS = 10  # landmarks that place a row; also the neighbourhood that quality is measured in
KERNEL = 0.03  # of the squared distance to the nearest landmark
PERPLEXITY = 30.0
ITERATIONS = 750
LEAST = 10  # rows; fewer are drawn by their two components
SAMPLE = 2_000  # rows that quality is measured on: their distances are a sample × sample table
BLOCK = 2_048


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over `sample` rows and their 10 nearest. Beside each figure the same for two principal components alone."""

    n: int
    landmarks: int
    sample: int
    trustworthiness: float  # 1: nobody is a neighbour on the map who is far away among the vectors
    trustworthiness_pca: float
    kept: float  # share of the nearest among the vectors that are also the nearest on the map
    kept_pca: float
    labelled: int  # rows that neighbour hit is measured among: a sample of those with a label
    hit: float | None  # share of the nearest on the map with the same label
    hit_pca: float | None
    hit_vectors: float | None  # the same among the vectors: what a map can reach at best


@dataclass(frozen=True, slots=True)
class Projected:
    xy: Plane  # (n, 2) within −1 … 1
    quality: Quality


def project(
    rows: Rows,
    *,
    seed: int,
    labels: NDArray[np.int64] | None = None,
    landmarks: int = LANDMARKS,
    report: Report = lambda share: None,
) -> Projected:
    """(n, d) vectors, a memory map too, to a plane. `labels` (n,) with −1 for none only measure, they move nothing.

    The same input gives the same map on one machine. `report` hears how much is done, 0 … 1.
    """
    if rows.ndim != 2 or not len(rows):
        raise LearningError("There are no vectors to draw a map of: wait until the first ones are computed.")
    rng = np.random.default_rng(seed)
    reduced = _components(rows, report)
    if len(rows) < LEAST:
        return Projected(_fitted(reduced[:, :2]), _quality(reduced, reduced[:, :2], labels, rng, 0))
    chosen = np.sort(rng.permutation(len(rows))[: max(landmarks, LEAST)])
    drawn = _tsne(reduced[chosen], seed)
    report(0.7)
    xy = _placed(reduced, chosen, drawn, rng, report)
    quality = _quality(reduced, xy, labels, rng, len(chosen))
    report(1.0)
    return Projected(_fitted(xy), quality)


def _components(rows: Rows, report: Report) -> Plane:
    """(n, ≤ 50) principal components; the sign of each is fixed by its largest weight."""
    n, d = rows.shape
    total, squares = np.zeros(d), np.zeros((d, d))
    for _start, block in _blocks(rows):
        if not np.isfinite(block).all():
            raise LearningError("A vector holds numbers that are not finite: compute the vectors anew.")
        total += block.sum(axis=0)
        squares += block.T @ block
    report(0.05)
    mean = total / n
    _values, axes = np.linalg.eigh(squares / n - np.outer(mean, mean))
    axes = axes[:, ::-1][:, : max(2, min(COMPONENTS, d))]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    out = np.zeros((n, max(2, axes.shape[1])), dtype=np.float32)
    for start, block in _blocks(rows):
        out[start : start + len(block), : axes.shape[1]] = (block - mean) @ axes
    report(0.1)
    return out


def _blocks(rows: Rows) -> Iterator[tuple[int, NDArray[np.float64]]]:
    for start in range(0, len(rows), BLOCK):
        yield start, np.asarray(rows[start : start + BLOCK], dtype=np.float64)


def _tsne(rows: Plane, seed: int) -> Plane:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    start = rows[:, :2] / max(float(rows[:, 0].std()), 1e-12) * 1e-4
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    model = TSNE(perplexity=perplexity, init=start, max_iter=ITERATIONS, random_state=seed)
    # sums over threads differ in their last digits from run to run, and t-SNE magnifies that; nor do its threads
    # get along with others on a busy machine, since they wait for one another without rest
    with threadpool_limits(limits=1, user_api="openmp"):
        drawn: Plane = model.fit_transform(rows).astype(np.float32)
    return drawn


def _placed(reduced: Plane, chosen: NDArray[np.int64], drawn: Plane, rng: np.random.Generator, report: Report) -> Plane:
    n, anchors = len(reduced), reduced[chosen]
    out = np.empty((n, 2), dtype=np.float32)
    k = min(NEIGHBOURS, len(chosen))
    for start in range(0, n, BLOCK):
        block = reduced[start : start + BLOCK]
        near, squared = _nearest(block, anchors, k)
        # narrow beside the distance of the nearest: a mean over landmarks of two groups would lie in neither
        weight = np.exp((squared[:, :1] - squared) / np.maximum(KERNEL * squared[:, :1], 1e-6))
        weight /= weight.sum(axis=1, keepdims=True)
        out[start : start + len(block)] = np.einsum("nk,nkc->nc", weight, drawn[near])
        report(0.7 + 0.25 * (start + len(block)) / n)
    spread = 0.5 * float(np.sqrt(np.median(_nearest(drawn[:BLOCK], drawn, 2)[1][:, 1])))
    out += rng.normal(0, spread, out.shape).astype(np.float32)
    out[chosen] = drawn
    return out


def _nearest(rows: Plane, among: Plane, k: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(n, k) places by ascending distance, and the squared distances."""
    squared = np.einsum("nd,nd->n", rows, rows)[:, None] + np.einsum("nd,nd->n", among, among) - 2 * (rows @ among.T)
    part = np.argpartition(squared, k - 1, axis=1)[:, :k] if k < len(among) else np.tile(np.arange(k), (len(rows), 1))
    found = np.take_along_axis(squared, part, axis=1)
    order = np.argsort(found, axis=1, kind="stable")
    return np.take_along_axis(part, order, axis=1), np.maximum(np.take_along_axis(found, order, axis=1), 0)


def _fitted(xy: Plane) -> Plane:
    low, high = xy.min(axis=0), xy.max(axis=0)
    half = max(float((high - low).max()) / 2, 1e-12)
    fitted: Plane = ((xy - (low + high) / 2) / half).astype(np.float32)
    return fitted


# --- how good it is ---------------------------------------------------------------------------------------


def _quality(
    reduced: Plane, xy: Plane, labels: NDArray[np.int64] | None, rng: np.random.Generator, landmarks: int
) -> Quality:
    """Neighbourhoods are looked for within the sample, for the map, for two components and among the vectors alike."""
    from sklearn.manifold import trustworthiness

    n = len(reduced)
    some = np.sort(rng.permutation(n)[:SAMPLE])
    space, plane, flat = reduced[some], xy[some], reduced[some, :2]
    k = max(1, min(NEIGHBOURS, (len(some) - 1) // 2))
    if len(some) < 4:  # everybody is everybody's neighbour
        return Quality(n, landmarks, len(some), 1.0, 1.0, 1.0, 1.0, 0, None, None, None)
    near = _others(space, k)
    known = np.empty(0, dtype=np.int64) if labels is None else np.flatnonzero(labels >= 0)
    known = np.sort(rng.permutation(known)[:SAMPLE])
    truth = np.empty(0, dtype=np.int64) if labels is None else labels[known]
    return Quality(
        n=n,
        landmarks=landmarks,
        sample=len(some),
        trustworthiness=float(trustworthiness(space, plane, n_neighbors=k)),
        trustworthiness_pca=float(trustworthiness(space, flat, n_neighbors=k)),
        kept=_kept(near, _others(plane, k)),
        kept_pca=_kept(near, _others(flat, k)),
        labelled=len(known),
        hit=_hit(xy[known], truth),
        hit_pca=_hit(reduced[known, :2], truth),
        hit_vectors=_hit(reduced[known], truth),
    )


def _others(rows: Plane, k: int) -> NDArray[np.int64]:
    """(n, k) nearest rows, oneself left out."""
    squared = np.einsum("nd,nd->n", rows, rows)[:, None] + np.einsum("nd,nd->n", rows, rows) - 2 * (rows @ rows.T)
    np.fill_diagonal(squared, np.inf)
    nearest: NDArray[np.int64] = np.argpartition(squared, k - 1, axis=1)[:, :k]
    return nearest


def _kept(near: NDArray[np.int64], found: NDArray[np.int64]) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(near, found, strict=True)]) / near.shape[1])


def _hit(rows: Plane, truth: NDArray[np.int64]) -> float | None:
    if len(rows) < 4 * NEIGHBOURS:
        return None
    return float((truth[_others(rows, NEIGHBOURS)] == truth[:, None]).mean())
