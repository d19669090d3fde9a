"""Train on a random part of a labelled file, measure on rows that were left out: seconds, metric, and the head's."""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np

from workers.learning import encoders, tables
from workers.learning.__main__ import measured, settings
from workers.learning.finetune.config import METHODS
from workers.learning.finetune.defaults import choose
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Task

DEMO = Path(__file__).parents[2] / "apps" / "config" / "demo" / "banking77.csv"
HELD = 1_000  # rows to measure on, unless a file of them is given


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--file", type=Path, default=DEMO, help="CSV, JSONL or .conll; default: the bank questions")
    parser.add_argument("--test", type=Path, help="rows to measure on; default: rows of the file that are not used")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--task", choices=get_args(Task), help="read off the labels where it is not given")
    parser.add_argument("--labels", type=int, default=500, help="rows to train on")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--method", choices=METHODS, default="full")
    parser.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE")
    parser.add_argument("--encoder", default=encoders.DEFAULT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")


def run(args: argparse.Namespace) -> dict[str, Any]:
    table = _read(args, args.file)
    order = np.random.default_rng(args.seed).permutation(table.labelled())
    train = _part(table, order[: args.labels])
    held = _read(args, args.test) if args.test else _part(table, order[args.labels : args.labels + HELD])
    if not held.texts:
        raise SystemExit("no row is left to measure on: fewer --labels, or a --test file")
    names = sorted(set(train.names()) | set(held.names()))
    examples = train.examples(names)
    choice = choose(train.task, len(examples), len(names), encoder=args.encoder, device=args.device, kind="transformer")
    config = choice.changed() | {"method": args.method} | settings(args.config)
    if args.epochs:
        config["epochs"] = args.epochs
    recipe = Recipe(
        kind="transformer",
        encoder=args.encoder,
        label_order=[[i, name] for i, name in enumerate(names)],
        seed=args.seed,
        config=config,
        device=args.device,
        task=train.task,
    )
    with tempfile.TemporaryDirectory() as folder:
        figures = _timed(examples, recipe, held, Path(folder) / "model")
        if train.task != "spans":
            plain = replace(recipe, kind="head", config={})
            figures |= {f"head_{k}": v for k, v in _timed(examples, plain, held, Path(folder) / "head").items()}
    return {"labels": len(examples), "classes": len(names), "held": len(held.labelled())} | figures


def _timed(examples: Any, recipe: Recipe, held: tables.Table, target: Path) -> dict[str, Any]:
    started = time.perf_counter()
    manifest = publish(examples, recipe, target)
    seconds = time.perf_counter() - started
    found = measured(Predictor(target, device=recipe.device), held)
    told = {"seconds": round(seconds, 1), "metric": round(found.headline.value, 4), "metric_name": found.headline.name}
    if recipe.kind == "transformer":
        kept = ("best_epoch", "steps", "precision", "max_length", "share_cut", "n_dev", "dev_value")
        told |= {name: manifest.metrics[name] for name in kept}
    return told


def _read(args: argparse.Namespace, path: Path) -> tables.Table:
    return tables.read(path, text_col=args.text_col, label_col=args.label_col, task=args.task)


def _part(table: tables.Table, rows: Any) -> tables.Table:
    return tables.Table([table.texts[i] for i in rows], [table.truths[i] for i in rows], table.task)
