"""Old classes while new ones arrive in a stream: retrained, gone on from with replay, and naively tuned on.

Batches 1 and 2 hold the old classes, batches 3 to 5 bring new ones. All three ways start from the same model after
batch 2; the loss is what the old classes' macro-F1 fell by at the end of the stream. Questions of the new classes are in
the test then, so part of it is that more classes are harder: retraining shows how much.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workers.learning import tables
from workers.learning.evaluate import evaluate
from workers.learning.predict import Predictor
from workers.learning.publish import Recipe, publish
from workers.learning.types import Example

BATCHES, FIRST_NEW = 5, 2  # the third batch is the first with new classes
WAYS: dict[str, dict[str, Any]] = {
    "retrain": {"method": "full", "learning_rate": 1e-4},
    "incremental": {"method": "lora", "replay": 0.1},
    "naive": {"method": "full", "learning_rate": 1e-4, "replay": 0.0},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train", type=Path, required=True, help="CSV or JSONL: what the stream is drawn from")
    parser.add_argument("--test", type=Path, required=True, help="CSV or JSONL: only measures")
    parser.add_argument("--text-col", default="text")
    parser.add_argument("--label-col", default="label")
    parser.add_argument("--old", type=int, default=12, help="classes that are there from the start")
    parser.add_argument("--new", type=int, default=1, help="classes that arrive from batch 3 on")
    parser.add_argument("--batch", type=int, default=120, help="texts of one batch")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=None)


@dataclass(slots=True)
class Stream:
    names: list[str]  # old classes first, then new ones in the order of arrival
    old: int
    batches: list[list[Example]] = field(default_factory=list)
    test: list[Example] = field(default_factory=list)

    def known(self, batch: int) -> list[list[Any]]:
        """Label order after that many batches."""
        seen = {e.label for examples in self.batches[:batch] for e in examples}
        last = max(self.old - 1, *(label for label in seen if label is not None))
        return [[i, name] for i, name in enumerate(self.names[: last + 1])]


def run(args: argparse.Namespace) -> dict[str, Any]:
    stream = drawn(args)
    settings = {"epochs": args.epochs} | ({"threads": args.threads} if args.threads else {})
    figures: dict[str, Any] = {"old_classes": args.old, "new_classes": args.new, "batch": args.batch}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        start = root / "start"
        learn(args, stream, FIRST_NEW, flat(stream.batches[:FIRST_NEW]), start, settings | WAYS["retrain"])
        before = score(start, stream)["old"]
        figures["old_f1_before"] = round(before, 4)
        print(f"{'way':<12} {'old F1':>8} {'new F1':>8} {'loss':>7} {'seconds':>8}")
        for way, chosen in WAYS.items():
            began = time.monotonic()
            end = root / way
            if way == "retrain":
                learn(args, stream, BATCHES, flat(stream.batches), end, settings | chosen)
            else:
                go_on(args, stream, start, end, settings | chosen)
            seconds, after = time.monotonic() - began, score(end, stream)
            loss = 100 * (before - after["old"])
            print(f"{way:<12} {after['old']:>8.4f} {after['new']:>8.4f} {loss:>+7.2f} {seconds:>8.1f}", flush=True)
            figures |= {
                f"{way}_old_f1": round(after["old"], 4),
                f"{way}_new_f1": round(after["new"], 4),
                f"{way}_loss_points": round(loss, 2),
                f"{way}_seconds": round(seconds, 1),
            }
    return figures


def drawn(args: argparse.Namespace) -> Stream:
    """Classes spread over the sorted names, so that neighbours in the alphabet do not all fall together."""
    rng = np.random.default_rng(args.seed)
    train, test = (
        tables.read(p, text_col=args.text_col, label_col=args.label_col, task="single") for p in (args.train, args.test)
    )
    names = train.names()
    wanted = args.old + args.new
    if len(names) < wanted:
        raise SystemExit(f"The file has {len(names)} classes, {wanted} are asked for.")
    spread = [names[round(i * (len(names) - 1) / (wanted - 1))] for i in range(wanted)]
    chosen = [spread[i] for i in rng.permutation(wanted)]
    place = {name: i for i, name in enumerate(chosen)}
    stream = Stream(chosen, args.old)
    known = asked(train, place)
    left = [known[i] for i in rng.permutation(len(known))]
    for batch in range(BATCHES):
        wished = set(range(args.old)) if batch < FIRST_NEW else arriving(args, batch)
        fitting = [e for e in left if e.label in wished]
        # a class that goes on arriving is dealt out over what is left of the stream
        most = (
            len(fitting) if batch < FIRST_NEW or args.new >= BATCHES - FIRST_NEW else len(fitting) // (BATCHES - batch)
        )
        picked = fitting[: min(args.batch, most)]
        ids = {e.id for e in picked}
        left = [e for e in left if e.id not in ids]
        stream.batches.append(picked)
    stream.test = asked(test, place)
    return stream


def asked(table: tables.Table, place: dict[str, int]) -> list[Example]:
    """Rows of the classes that take part."""
    truths = enumerate(table.truths)
    return [Example(i, table.texts[i], place[str(truth)]) for i, truth in truths if truth in place]


def arriving(args: argparse.Namespace, batch: int) -> set[int]:
    """New classes of a batch: a part of them each time, so that some arrive in the third, some in the last.

    Where they are too few for that, the last one goes on arriving.
    """
    parts = np.array_split(np.arange(args.old, args.old + args.new), BATCHES - FIRST_NEW)
    here = parts[batch - FIRST_NEW]
    return {int(c) for c in here} or {args.old + args.new - 1}


def go_on(args: argparse.Namespace, stream: Stream, start: Path, end: Path, settings: dict[str, Any]) -> None:
    """Batch after batch, each from the model before it; everything labelled so far is handed over each time."""
    parent = start
    for batch in range(FIRST_NEW, BATCHES):
        target = end if batch == BATCHES - 1 else end.with_name(f"{end.name}-{batch}")
        so_far = flat(stream.batches[: batch + 1])
        learn(args, stream, batch + 1, so_far, target, settings | {"parent": str(parent)})
        parent = target


def learn(
    args: argparse.Namespace,
    stream: Stream,
    batches: int,
    examples: Sequence[Example],
    target: Path,
    settings: dict[str, Any],
) -> None:
    recipe = Recipe("transformer", args.encoder, stream.known(batches), args.seed, settings)
    publish(examples, recipe, target)


def score(model: Path, stream: Stream) -> dict[str, float]:
    """Macro-F1 over the old and over the new classes, on test items of the classes that the model knows."""
    predictor = Predictor(model)
    order = np.array([key for key, _ in predictor.manifest.label_order])
    asked = [e for e in stream.test if e.label in order]
    said = order[predictor.probabilities([e.text for e in asked]).argmax(axis=1)]
    truth = np.array([e.label for e in asked])
    per_class = evaluate(truth, said, n_classes=len(stream.names)).per_class
    old, new = ([per_class[c].f1 for c in order if bool(c < stream.old) == early] for early in (True, False))
    return {"old": float(np.mean(old)), "new": float(np.mean(new)) if new else 0.0}


def flat(batches: Sequence[Sequence[Example]]) -> list[Example]:
    return [e for batch in batches for e in batch]
