"""How many labels each sampling strategy needs, on a file of your own.

All arms of a seed share the split, the vectors and the random numbers of the planner; the random arm is the yardstick.
Spans (.conll) are paid for in words, everything else in labels.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from tests.bench.efficiency import data, models, picture, rounds, summary
from tests.bench.efficiency.kept import Kept
from workers.learning import encoders
from workers.learning.sampling import DEFAULT, STRATEGIES

HEADLINES = {"single": "accuracy", "multi": "micro-F1", "spans": "entity F1"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    data.add_arguments(parser)
    parser.add_argument("--strategies", nargs="+", choices=sorted(STRATEGIES), default=["random", "margin", DEFAULT])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--budget", type=int, default=800, help="labels; words where spans are labelled")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--first", type=int, help="size of the first batch; as the others when not given")
    parser.add_argument("--random-share", type=float, default=0.0, help="of every batch, as a project mixes them in")
    parser.add_argument("--model", choices=["head", "finetune"], help="head, but finetune for spans")
    parser.add_argument(
        "--features", choices=["vectors", "ngrams", "both"], default="vectors", help="what a head reads"
    )
    parser.add_argument("--encoder", default=encoders.DEFAULT)
    parser.add_argument("--config", type=json.loads, default={}, help="JSON: settings of the fine-tuning")
    parser.add_argument("--keep", type=Path, help="folder for vectors and finished curves: a later call goes on there")
    parser.add_argument("--title", help="of the picture; the name of the file when not given")
    parser.add_argument("--svg", type=Path, help="also draw the curves")
    parser.add_argument("--beside", type=Path, nargs="+", default=[], help="JSON of earlier runs: further panels")


def run(args: argparse.Namespace) -> dict[str, Any]:
    pool, test = data.load(args)
    args.model = args.model or ("finetune" if pool.task == "spans" else "head")
    if pool.task == "spans" and args.model == "head":
        raise SystemExit("Spans are learnt by a fine-tuned model: --model finetune.")
    schedule = rounds.Schedule(args.budget, args.batch, args.first or args.batch, args.random_share)
    curves = measured(args, pool, test, schedule)
    headline, unit = HEADLINES[pool.task], "words" if pool.task == "spans" else "labels"
    found = summary.figures(curves, args.budget)
    print("\n" + summary.table(found, headline, unit) + "\n")
    settings = {
        "title": args.title or args.train.stem,
        "headline": headline,
        "unit": unit,
        "pool": args.pool or len(pool),
        "classes": len(pool.names),
        "model": args.model,
        "encoder": args.encoder,
        "budget": args.budget,
        "batch": args.batch,
        "seeds": args.seeds,
    }
    if args.svg:
        earlier = [_panel(json.loads(path.read_text())) for path in args.beside]
        args.svg.write_text(picture.draw([_panel(settings | found), *earlier]))
    return settings | found


def measured(
    args: argparse.Namespace, pool: data.Data, test: data.Data | None, schedule: rounds.Schedule
) -> summary.Curves:
    known = Kept(args.keep)
    vectors = known.vectors(pool.texts, args.encoder)
    by_head = args.model == "head"
    test_vectors = vectors if test is None or not by_head else known.vectors(test.texts, args.encoder)
    curves: summary.Curves = {name: [] for name in args.strategies}
    for seed in range(args.seeds):
        mine, held = data.halves(pool, test, args.test_share, args.pool, seed)
        mine_pool, measure = pool.part(mine), (test or pool).part(held)
        for name in args.strategies:
            if (seed, name) not in known.curves:
                started = time.perf_counter()
                learner: models.Learner
                if by_head:
                    learner = models.HeadLearner(mine_pool, measure, vectors[mine], test_vectors[held], args.features)
                else:
                    learner = models.Transformer(mine_pool, measure, vectors[mine], args.encoder, args.config)
                known.add(seed, name, rounds.arm(learner, name, schedule, seed))
                print(f"seed {seed}  {name}  {time.perf_counter() - started:.0f} s", flush=True)
            curves[name].append(known.curves[seed, name])
    return curves


def _panel(result: dict[str, Any]) -> picture.Panel:
    strategies = {name: one for name, one in result.items() if isinstance(one, dict) and "curve" in one}
    return picture.Panel(result["title"], result["headline"], result["unit"], strategies)
