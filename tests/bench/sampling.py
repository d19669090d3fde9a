"""Scoring a million items and choosing a thousand: every score, every strategy that reads probabilities alone."""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from workers.learning import sampling
from workers.learning.sampling import batch, multilabel, uncertainty

DIMENSION = 384
SCORES = {
    "least_confidence": uncertainty.least_confidence,
    "margin": uncertainty.margin,
    "entropy": uncertainty.entropy,
    "mean_uncertainty": multilabel.mean_uncertainty,
    "most_uncertain_label": multilabel.most_uncertain_label,
}
PLANNED = 200  # what a refresh of the queue asks for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=77)
    parser.add_argument("--choose", type=int, default=1_000)
    parser.add_argument("--plan-items", type=int, default=100_000, help="size of the pool that plans are made over")
    parser.add_argument("--repeat", type=int, default=3)


def run(args: argparse.Namespace) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    p = _probabilities(args.items, args.classes, rng)
    out: dict[str, Any] = {"items": args.items, "classes": args.classes, "chosen": args.choose}
    vectors = _vectors(args.items, rng)  # half precision, as the product keeps them
    for name, score in SCORES.items():
        out[f"{name}_s"] = _median(lambda score=score: batch.pick(score(p), args.choose, rng), args.repeat)  # type: ignore[misc]
        out[f"{name}_spread_s"] = _median(
            lambda score=score: batch.spread(vectors, score(p), args.choose, rng),  # type: ignore[misc]
            args.repeat,
        )
    n = min(args.plan_items, args.items)
    margins = 1 - uncertainty.margin(p[:n])
    labelled = rng.choice(n, 800, replace=False)
    for name in sampling.offered("single"):
        known = {
            "vectors": vectors[:n],
            "margins": margins,
            "probs": p[:n],
            "labelled_vectors": vectors[labelled].astype(np.float32),
            "labelled_classes": np.arange(800) % args.classes,
        }
        out[f"plan_{name}_s"] = _median(lambda name=name, known=known: _planned(name, known, args.classes), args.repeat)  # type: ignore[misc]
    return out


def _planned(name: str, known: dict[str, Any], k: int) -> None:
    rng = np.random.default_rng(0)
    sampling.plan(**known, n_classes=k, n=PLANNED, random_share=0.15, rng=rng, labels_so_far=800, strategy=name)


def _median(work: Callable[[], Any], repeat: int) -> float:
    seconds = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return round(statistics.median(seconds), 3)


def _probabilities(n: int, k: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float32]]:
    p = rng.random((n, k), dtype=np.float32)
    p **= 8
    p /= p.sum(axis=1, keepdims=True)
    return p


def _vectors(n: int, rng: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float16]]:
    out = np.empty((n, DIMENSION), dtype=np.float16)
    centres = rng.standard_normal((200, DIMENSION), dtype=np.float32)
    for start in range(0, n, 50_000):
        m = min(50_000, n - start)
        x = centres[rng.integers(0, 200, m)] + rng.standard_normal((m, DIMENSION), dtype=np.float32)
        out[start : start + m] = x / np.linalg.norm(x, axis=1, keepdims=True)
    return out
