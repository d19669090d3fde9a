"""Surges found: delay and false alarms of the chart at several volumes, patterns and numbers of streams; drift of content."""

import argparse
import csv
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import expit, logit

from workers.learning import encoders
from workers.learning.monitor import baseline, cusum, drift

HISTORY, QUIET, SURGE = 28 * 24, 30 * 24, 7 * 24
BANKING = Path(__file__).parents[2] / "apps" / "config" / "demo" / "banking77.csv"
FIRST = 20_000 * 24  # hours since the epoch; any will do


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=100, help="simulated streams for each figure")
    parser.add_argument("--drift-runs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--data", type=Path, default=BANKING, help="CSV with a column text and labels to draw topics from"
    )
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--encoder", default="minilm-l6")


def run(args: argparse.Namespace) -> dict[str, Any]:
    out: dict[str, Any] = {"runs": args.runs, "seeds": f"{args.seed}…{args.seed + args.runs - 1}"}
    print(f"seeds {out['seeds']}")
    for name, rate, pattern, streams in [
        ("", 50, False, 1),
        ("_20_an_hour", 20, False, 1),
        ("_200_an_hour", 200, False, 1),
        ("_weekly_pattern", 50, True, 1),
        ("_of_20_streams", 50, False, 20),
    ]:
        out |= _figures(name, rate, pattern, streams, args)
    out["false_alarms_14d_after_release"] = _after_release(args)
    if args.drift_runs:
        out |= _drift(args)
    return out


def _figures(name: str, rate: float, pattern: bool, streams: int, args: argparse.Namespace) -> dict[str, Any]:
    """False alarms are those of all streams together in 30 days; the delay is that of one of them."""
    design = cusum.Design(streams=streams)
    alarms, delays = 0, []
    for seed in range(args.seed, args.seed + args.runs):
        first, n, k = _stream(rate, pattern, seed)
        path = cusum.watch(first, n, k, design, resets=[HISTORY + QUIET])  # nobody begins with an alarm that is on
        alarms += sum(alarm.at < HISTORY + QUIET for alarm in path.alarms)
        found = [alarm.at for alarm in path.alarms if alarm.at >= HISTORY + QUIET]
        delays.append(found[0] + 1 - HISTORY - QUIET if found else np.inf)
    days = (HISTORY + QUIET - cusum.LEARN_WEEK) / 24
    return {
        f"median_delay_h{name}": float(np.median(delays)),
        f"p90_delay_h{name}": float(np.quantile(delays, 0.9, method="higher")),
        f"false_alarms_per_30d{name}": round(streams * alarms / args.runs * 30 / days, 2),
    }


def _stream(rate: float, pattern: bool, seed: int) -> tuple[int, np.ndarray, np.ndarray]:
    """10 % negative for eight weeks, then 20 %, beginning in any hour of the week.

    The pattern: quiet nights, and weekends that grumble half as much again.
    """
    rng = np.random.default_rng([seed, 7])
    t = HISTORY + QUIET + SURGE
    first = FIRST + int(rng.integers(baseline.WEEK))
    hour = baseline.hour_of_week(first, t)
    level, volume = np.full(t, float(logit(0.1))), np.full(t, float(rate))
    if pattern:
        level += np.log(1.5) * (hour // 24 >= 5) - 0.15 + 0.2 * np.sin(2 * np.pi * (hour % 24) / 24)
        volume *= 1 + 0.8 * np.sin(2 * np.pi * (hour % 24 - 9) / 24)
        volume *= np.where(hour // 24 >= 5, 0.6, 1.0)
    level[HISTORY + QUIET :] += np.log(cusum.ODDS)
    n = rng.poisson(volume)
    return first, n, rng.binomial(n, expit(level))


def _after_release(args: argparse.Namespace) -> float:
    """Another version says "negative" of 14 % instead of 10 %: that is no news about the world. Per release."""
    alarms = 0
    for seed in range(args.seed, args.seed + args.runs):
        rng = np.random.default_rng([seed, 8])
        n = rng.poisson(50, HISTORY + 14 * 24)
        p = np.where(np.arange(len(n)) < HISTORY, 0.10, 0.14)
        path = cusum.watch(FIRST, n, rng.binomial(n, p), cusum.Design(), releases=[HISTORY])
        alarms += sum(alarm.at >= HISTORY for alarm in path.alarms)
    return alarms / args.runs


def _drift(args: argparse.Namespace) -> dict[str, Any]:
    """1,000 texts against 1,000 of which 20 % are about two intents that were not there before. Flagged at p ≤ 0.05."""
    texts, labels = _labelled(args)
    x = encoders.load(args.encoder, device="auto").encode(texts)
    caught, wrong, told, seconds = 0, 0, 0, []
    for seed in range(args.seed, args.seed + args.drift_runs):
        rng = np.random.default_rng([seed, 9])
        new = np.isin(labels, rng.choice(np.unique(labels), 2, replace=False))
        usual, fresh = rng.permutation(np.flatnonzero(~new)), rng.permutation(np.flatnonzero(new))
        before, after = usual[:1000], usual[1000:2000]
        began = time.perf_counter()
        wrong += drift.content(x[before], x[after], rng).p_value <= 0.05
        seconds.append(time.perf_counter() - began)
        topic = np.concatenate([after[:800], rng.choice(fresh, 200)])
        found = drift.content(x[before], x[topic], rng)
        caught += found.p_value <= 0.05
        told += float((found.order[:50] >= 800).mean())
    return {
        "drift_found": caught / args.drift_runs,
        "drift_false_alarms": wrong / args.drift_runs,
        "drift_new_among_first_50": round(told / args.drift_runs, 2),
        "drift_s": round(float(np.median(seconds)), 2),
    }


def _labelled(args: argparse.Namespace) -> tuple[list[str], np.ndarray]:
    with args.data.open(newline="", encoding="utf-8-sig") as file:
        rows = [(row["text"], row[args.label_col]) for row in csv.DictReader(file)]
    return [text for text, _label in rows], np.array([label for _text, label in rows])
