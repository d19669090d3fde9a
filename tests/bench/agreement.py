"""How long agreement and consensus take on many items, intervals included."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--raters", type=int, default=5)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--missing", type=float, default=0.2, help="share of ratings that are not there")
    parser.add_argument("--repeat", type=int, default=3)


def run(args: argparse.Namespace) -> dict[str, Any]:
    from workers.learning import quality

    rng = np.random.default_rng(0)
    k, shape = args.classes, (args.items, args.raters)
    truth = rng.integers(0, k, (args.items, 1))
    full = np.where(rng.random(shape) < 0.75, truth, rng.integers(0, k, shape)).astype(float)
    some = np.where(rng.random(shape) < args.missing, np.nan, full)
    model = rng.dirichlet(np.ones(k), args.items)
    figures: dict[str, Any] = {"items": args.items, "raters": args.raters, "classes": k}
    measures: dict[str, Callable[[], Any]] = {
        "alpha_nominal": lambda: quality.krippendorff_alpha(some, n_classes=k),
        "alpha_ordinal": lambda: quality.krippendorff_alpha(some, level="ordinal"),
        "alpha_interval": lambda: quality.krippendorff_alpha(some, level="interval"),
        "fleiss": lambda: quality.fleiss_kappa(full, n_classes=k),
        "cohen": lambda: quality.cohen_kappa(full[:, 0], full[:, 1], n_classes=k),
        "majority": lambda: quality.majority(some, n_classes=k),
        "dawid_skene": lambda: quality.dawid_skene(some, n_classes=k),
        "crowdlab": lambda: quality.crowdlab(some, model),
    }
    for name, measure in measures.items():
        figures[f"{name}_s"] = round(min(_seconds(measure) for _ in range(args.repeat)), 4)
    return figures


def _seconds(measure: Callable[[], Any]) -> float:
    started = time.perf_counter()
    measure()
    return time.perf_counter() - started
