"""Curves of all seeds to figures: area, final score, labels to the yardstick's final score, paired gain."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.bench.efficiency.rounds import Point

Curves = dict[str, list[list[Point]]]  # strategy -> one curve per seed
YARDSTICK = "random"


def figures(curves: Curves, budget: int) -> dict[str, dict[str, Any]]:
    """Per strategy: auc, final, labels_to_random_final (means over the seeds that are there), auc_gain_over_random
    (paired by seed), each with its standard error, and the mean curve [labels, score, standard error, macro-F1]."""
    aim = [curve[-1].score for curve in curves.get(YARDSTICK, [])]
    base = np.array([area(curve) for curve in curves.get(YARDSTICK, [])])
    out: dict[str, dict[str, Any]] = {}
    for name, runs in curves.items():
        areas = np.array([area(curve) for curve in runs])
        finals = np.array([curve[-1].score for curve in runs])
        found = {
            **_mean("auc", areas),
            **_mean("final", finals),
            **_mean("final_macro_f1", np.array([curve[-1].macro for curve in runs])),
        }
        if aim:
            reached = np.array([labels_to(curve, score) for curve, score in zip(runs, aim, strict=False)], dtype=float)
            found |= _mean("labels_to_random_final", np.where(np.isnan(reached), budget, reached))
            found["never_reached"] = int(np.isnan(reached).sum())
            found |= _mean("auc_gain_over_random", areas - base[: len(areas)])
        out[name] = found | {"seeds": len(runs), "curve": mean_curve(runs)}
    return out


def area(curve: Sequence[Point]) -> float:
    """Mean height of the curve between its first and its last point (trapezoids)."""
    x, y = np.array([p.spent for p in curve], dtype=float), np.array([p.score for p in curve])
    if len(x) < 2:
        return float(y.mean())
    return float(((y[1:] + y[:-1]) / 2 * np.diff(x)).sum() / (x[-1] - x[0]))


def labels_to(curve: Sequence[Point], score: float) -> float:
    """Where the curve first reaches a score, between two points on the straight line; NaN when it never does."""
    before: Point | None = None
    for point in curve:
        if point.score >= score:
            if before is None or point.score == before.score:
                return float(point.spent)
            share = (score - before.score) / (point.score - before.score)
            return before.spent + share * (point.spent - before.spent)
        before = point
    return float("nan")


def mean_curve(runs: list[list[Point]]) -> list[list[float]]:
    """Words differ a little between seeds: the spending is averaged, too."""
    shortest = min(map(len, runs))
    found = []
    for at in range(shortest):
        points = [run[at] for run in runs]
        score = np.array([point.score for point in points])
        spent = round(float(np.mean([point.spent for point in points])))
        found.append([spent, _r(score.mean()), _r(_se(score)), _r(np.mean([point.macro for point in points]))])
    return found


def table(found: dict[str, dict[str, Any]], headline: str, unit: str) -> str:
    """Markdown, the best area first."""
    lines = [
        f"| strategy | area under {headline} | gain over random, points | final {headline} | final macro-F1 "
        f"| {unit} to random's final |",
        "|---|---|---|---|---|---|",
    ]
    for name, one in sorted(found.items(), key=lambda item: -item[1]["auc"]):
        gain = one.get("auc_gain_over_random")
        paired = "" if gain is None else f"{100 * gain:+.1f} ± {100 * one['auc_gain_over_random_se']:.1f}"
        reached = one.get("labels_to_random_final")
        never = f" ({one['never_reached']} of {one['seeds']} never)" if one.get("never_reached") else ""
        lines.append(
            f"| {name} | {one['auc']:.3f} | {paired} | {one['final']:.3f} ± {one['final_se']:.3f} "
            f"| {one['final_macro_f1']:.3f} | {'' if reached is None else f'{reached:.0f}{never}'} |"
        )
    return "\n".join(lines)


def _mean(name: str, values: NDArray[np.float64]) -> dict[str, float]:
    return {name: _r(values.mean()), f"{name}_se": _r(_se(values))}


def _se(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def _r(value: Any) -> float:
    return round(float(value), 5)
