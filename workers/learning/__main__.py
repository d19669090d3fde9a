"""`python -m workers.learning train|predict|evaluate|sample FILE …`: the whole engine without a database."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from . import encoders, heads, job, tables
from .evaluate import evaluate
from .finetune.distributed import parallel
from .predict import Predictor
from .publish import Recipe, publish
from .sampling import DEFAULT as DEFAULT_STRATEGY
from .sampling import STRATEGIES, plan
from .types import Example, LearningError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "train" and options.job:
        return job.run(options.job)
    try:
        {"train": train, "predict": predict, "evaluate": measure, "sample": sample}[options.command](options)
    except LearningError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace) -> None:
    if not options.file or not options.label_col:
        raise LearningError("Training needs a file and --label-col.")
    table = tables.read(options.file, text_col=options.text_col, label_col=options.label_col)
    names = table.names()
    place = {name: i for i, name in enumerate(names)}
    examples = [Example(i, table.texts[i], place[label]) for i, label in enumerate(table.labels) if label]
    config: dict[str, Any] = {} if options.epochs is None else {"epochs": options.epochs}
    recipe = Recipe(
        kind=options.kind,
        encoder=options.encoder,
        label_order=[[i, name] for i, name in enumerate(names)],
        seed=options.seed,
        config=config,
        device=options.device,
    )
    manifest = publish(
        examples,
        recipe,
        options.out,
        on_event=lambda event: print(json.dumps(event), file=sys.stderr),
    )
    if parallel(options.device).main:  # under `accelerate launch` the first process speaks for all
        print(json.dumps({"path": str(options.out), "digest": manifest.digest, "metrics": manifest.metrics}))


def predict(options: argparse.Namespace) -> None:
    table = tables.read(options.file, text_col=options.text_col, label_col=None)
    predictor = Predictor(options.model, device=options.device)
    names = [name for _, name in predictor.manifest.label_order]
    for text, row in zip(table.texts, predictor.probabilities(table.texts), strict=True):
        best = int(row.argmax())
        line = {"text": text, "label": names[best], "probability": round(float(row[best]), 4)}
        print(json.dumps(line, ensure_ascii=False))


def measure(options: argparse.Namespace) -> None:
    table = tables.read(options.file, text_col=options.text_col, label_col=options.label_col)
    predictor = Predictor(options.model, device=options.device)
    place = {name: i for i, (_, name) in enumerate(predictor.manifest.label_order)}
    if unknown := sorted(set(table.names()) - set(place)):
        raise LearningError(f"The model does not know these labels: {', '.join(unknown[:5])}.")
    known = [i for i, label in enumerate(table.labels) if label]
    probabilities = predictor.probabilities([table.texts[i] for i in known])
    truth = np.array([place[table.labels[i]] for i in known], dtype=np.int64)
    print(json.dumps(evaluate(truth, probabilities=probabilities, n_classes=len(place)).as_dict()))


def sample(options: argparse.Namespace) -> None:
    """Rows to label next; rows with a label in --label-col count as labelled."""
    table = tables.read(options.file, text_col=options.text_col, label_col=options.label_col)
    vectors = encoders.load(options.encoder, device=options.device).encode(table.texts)
    names = table.names()
    labelled = np.array([i for i, label in enumerate(table.labels) if label], dtype=np.int64)
    classes = np.array([names.index(table.labels[i]) for i in labelled], dtype=np.int64)
    allowed = np.ones(len(vectors), dtype=bool)
    allowed[labelled] = False
    warm = len(names) > 1
    head = heads.fit(vectors[labelled], classes, n_classes=len(names)) if warm else None
    choices = plan(
        vectors=vectors,
        margins=head.glance(vectors)[2] if head else None,
        labelled_vectors=vectors[labelled],
        labelled_classes=classes,
        n_classes=max(len(names), 2),
        n=options.n,
        random_share=options.random_share,
        rng=np.random.default_rng(options.seed),
        labels_so_far=len(labelled),
        allowed=allowed,
        strategy=options.strategy,
    )
    for choice in choices:
        line = {"row": choice.row, "reason": choice.reason, "margin": choice.score, "text": table.texts[choice.row]}
        print(json.dumps(line, ensure_ascii=False))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.learning", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "predict", "evaluate", "sample"):
        command = commands.add_parser(name)
        command.add_argument("file", type=Path, nargs="?" if name == "train" else None, help="CSV, TSV or JSONL")
        command.add_argument("--text-col", default="text")
        command.add_argument("--device", default="auto", help="auto, cpu or cuda")
        if name != "predict":
            command.add_argument("--label-col", required=name == "evaluate")
        if name in ("predict", "evaluate"):
            command.add_argument("--model", type=Path, required=True, help="folder that train wrote")
        if name in ("train", "sample"):
            command.add_argument("--encoder", default=encoders.DEFAULT)
            command.add_argument("--seed", type=int, default=0)
        if name == "train":
            command.add_argument("--kind", choices=("head", "transformer"), default="head")
            command.add_argument("--epochs", type=int)
            command.add_argument("--out", type=Path, default=Path("model"))
            command.add_argument("--job", type=Path, help="folder with job.json, as the application writes it")
        if name == "sample":
            command.add_argument("--n", type=int, default=20)
            command.add_argument("--random-share", type=float, default=0.15)
            command.add_argument("--strategy", choices=sorted(STRATEGIES), default=DEFAULT_STRATEGY)
    return parser


if __name__ == "__main__":
    sys.exit(main())
