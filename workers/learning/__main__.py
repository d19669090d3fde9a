"""`python -m workers.learning train|predict|evaluate|sample|compress FILE …`: the whole engine without a database."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import compress, encoders, heads, job, search, tables
from .evaluate import evaluate, evaluate_multi, evaluate_spans
from .finetune.config import METHODS
from .finetune.defaults import choose
from .predict import Predictor
from .publish import Recipe, publish
from .sampling import DEFAULT, STRATEGIES, SpanScores, plan
from .types import Example, LearningError, Span, Task


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.command == "train" and options.job:
        return job.run(options.job)
    try:
        COMMANDS[options.command](options)
    except LearningError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace) -> None:
    if not options.file or not (options.label_col or options.file.suffix == ".conll"):
        raise LearningError("Training needs a file and --label-col.")
    table = _table(options)
    names = table.names()
    examples = table.examples(names)
    kind, config = _plan(options, table.task, len(examples), len(names))
    recipe = Recipe(
        kind=kind,
        encoder=options.encoder,
        label_order=[[i, name] for i, name in enumerate(names)],
        seed=options.seed,
        config=config,
        device=options.device,
        task=table.task,
    )
    told: dict[str, Any] = {"on_event": _tell}
    if options.trials:
        work = options.out.with_name(f"{options.out.name}.search")
        manifest = search.search(examples, recipe, options.out, trials=options.trials, work=work, **told)
    else:
        manifest = publish(examples, recipe, options.out, **told)
    print(json.dumps({"path": str(options.out), "digest": manifest.digest, "metrics": manifest.metrics}))


def _plan(options: argparse.Namespace, task: Task, n: int, k: int) -> tuple[str, dict[str, Any]]:
    """Kind and settings: the defaults for data of this size, with what was asked for on top."""
    asked = settings(options.config)
    if options.epochs is not None:
        asked["epochs"] = options.epochs
    if options.method:
        asked["method"] = options.method
    choice = choose(task, n, k, encoder=options.encoder, device=options.device)
    kind = options.kind
    if kind == "auto":
        kind = "transformer" if options.method or options.trials else choice.kind
    if kind == "head":
        return kind, asked
    if choice.kind == "head":
        choice = choose(task, n, k, encoder=options.encoder, device=options.device, kind="transformer")
    for name, reason in choice.reasons.items():
        if name not in asked:
            _tell({"event": "log", "text": f"{name}: {reason}"})
    return kind, choice.changed() | asked


def settings(pairs: list[str]) -> dict[str, Any]:
    """KEY=VALUE as numbers, true and false where they are, as text otherwise."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise LearningError(f"“{pair}” is no setting; write KEY=VALUE.")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def predict(options: argparse.Namespace) -> None:
    texts = tables.read(options.file, text_col=options.text_col, label_col=None).texts
    predictor = Predictor(options.model, device=options.device)
    names = [name for _, name in predictor.manifest.label_order]
    answers = predictor.spans(texts) if predictor.task == "spans" else predictor.probabilities(texts)
    for text, answer in zip(texts, answers, strict=True):
        print(json.dumps({"text": text} | _said(answer, text, names, predictor), ensure_ascii=False))


def _said(answer: Any, text: str, names: list[str], predictor: Predictor) -> dict[str, Any]:
    if predictor.task == "spans":
        found = [
            {"start": s.start, "end": s.end, "label": names[s.label], "quote": text[s.start : s.end], "score": s.score}
            for s in answer.spans
        ]
        return {"spans": found, "confidence": round(answer.confidence, 4)}
    if predictor.task == "multi":
        chosen = np.flatnonzero(answer >= predictor.thresholds)
        return {"labels": [names[i] for i in chosen], "probabilities": [round(float(answer[i]), 4) for i in chosen]}
    best = int(answer.argmax())
    return {"label": names[best], "probability": round(float(answer[best]), 4)}


def measure(options: argparse.Namespace) -> None:
    table = _table(options)
    predictor = Predictor(options.model, device=options.device)
    if table.task != predictor.task:
        wanted = tables.WORDS.get(predictor.task, "how often each text was shown and clicked")
        raise LearningError(f"The model answers another task: it needs {wanted}.")
    print(json.dumps(measured(predictor, table).as_dict()))


def measured(predictor: Predictor, table: tables.Table) -> Any:
    """The metrics of a model on the rows that have a truth."""
    names = [name for _, name in predictor.manifest.label_order]
    examples = table.examples(names)
    texts = [e.text for e in examples]
    if predictor.task == "spans":
        found = [[Span(s.start, s.end, s.label) for s in answer.spans] for answer in predictor.spans(texts)]
        return evaluate_spans([e.spans or () for e in examples], found, n_classes=len(names))
    p = predictor.probabilities(texts)
    if predictor.task == "multi":
        return evaluate_multi(_matrix(examples, len(names)), p, predictor.thresholds)
    return evaluate(np.array([e.label for e in examples], dtype=np.int64), probabilities=p, n_classes=len(names))


def sample(options: argparse.Namespace) -> None:
    """Rows to label next; rows with a truth in --label-col count as labelled."""
    table = _table(options)
    vectors = encoders.load(options.encoder, device=options.device).encode(table.texts)
    names = table.names()
    examples = table.examples(names)
    labelled = np.array(table.labelled(), dtype=np.int64)
    allowed = np.ones(len(vectors), dtype=bool)
    allowed[labelled] = False
    doubt = _doubt(options, table, examples, vectors, len(names)) if len(names) > 1 else {}
    classes: Any = np.array([e.label or 0 for e in examples], dtype=np.int64)
    choices = plan(
        vectors=vectors,
        labelled_vectors=vectors[labelled],
        labelled_classes=_matrix(examples, max(1, len(names))) if table.task == "multi" else classes,
        n_classes=max(len(names), 2),
        n=options.n,
        random_share=options.random_share,
        rng=np.random.default_rng(options.seed),
        labels_so_far=len(labelled),
        allowed=allowed,
        strategy=options.strategy,
        **doubt,
    )
    for choice in choices:
        line = {"row": choice.row, "reason": choice.reason, "margin": choice.score, "text": table.texts[choice.row]}
        print(json.dumps(line, ensure_ascii=False))


def _doubt(
    options: argparse.Namespace, table: tables.Table, examples: list[Example], vectors: Any, k: int
) -> dict[str, Any]:
    """What sampling goes by: a head fitted on the labelled rows, or for spans what --model says of every text."""
    labelled = table.labelled()
    if table.task == "spans":
        if options.model is None:
            return {}
        told = Predictor(options.model, device=options.device).spans(table.texts)
        columns = ([a.confidence for a in told], [a.margin for a in told], [a.tokens for a in told])
        return {"spans": SpanScores(*(np.array(column) for column in columns))}
    if table.task == "multi":
        several = heads.fit_multi(vectors[labelled], _matrix(examples, k))
        return {"probs": several.probabilities(vectors), "head": several}
    classes = np.array([e.label for e in examples], dtype=np.int64)
    head = heads.fit(vectors[labelled], classes, n_classes=k)
    return {"margins": head.glance(vectors)[2], "head": head}


def squeeze(options: argparse.Namespace) -> None:
    """A smaller or faster version of a model, or several models as one."""
    texts = tables.read(options.texts, text_col=options.text_col, label_col=None).texts if options.texts else []
    config = settings(options.config)
    manifest = compress.derive(
        options.way, options.model, options.out, config=config, texts=texts, device=options.device, on_event=_tell
    )
    print(json.dumps({"path": str(options.out), "digest": manifest.digest, "metrics": manifest.metrics}))


def _matrix(examples: list[Example], k: int) -> NDArray[np.bool_]:
    truth = np.zeros((len(examples), k), dtype=bool)
    for i, example in enumerate(examples):
        truth[i, list(example.labels or ())] = True
    return truth


def _table(options: argparse.Namespace) -> tables.Table:
    return tables.read(options.file, text_col=options.text_col, label_col=options.label_col, task=options.task)


def _tell(event: dict[str, Any]) -> None:
    print(json.dumps(event, ensure_ascii=False), file=sys.stderr)


COMMANDS: dict[str, Callable[[argparse.Namespace], None]] = {
    "train": train,
    "predict": predict,
    "evaluate": measure,
    "sample": sample,
    "compress": squeeze,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers.learning", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("train", "predict", "evaluate", "sample"):
        command = commands.add_parser(name)
        command.add_argument(
            "file", type=Path, nargs="?" if name == "train" else None, help="CSV, TSV, JSONL or .conll"
        )
        _shared(command)
        if name != "predict":
            command.add_argument("--label-col", help="labels, lists of labels or lists of spans; .conll needs none")
            command.add_argument("--task", choices=list(tables.WORDS), help="read off the labels where it is not given")
        if name in ("predict", "evaluate", "sample"):
            needed = name != "sample"
            command.add_argument("--model", type=Path, required=needed, help="folder that train wrote")
        if name in ("train", "sample"):
            command.add_argument("--encoder", default=encoders.DEFAULT)
            command.add_argument("--seed", type=int, default=0)
    _train_options(commands.choices["train"])
    sampling = commands.choices["sample"]
    sampling.add_argument("--n", type=int, default=20)
    sampling.add_argument("--random-share", type=float, default=0.15)
    sampling.add_argument("--strategy", choices=sorted(STRATEGIES), default=DEFAULT)
    smaller = commands.add_parser("compress")
    smaller.add_argument("way", choices=compress.KINDS)
    smaller.add_argument("model", type=Path, nargs="+", help="folders that train wrote; several for an ensemble")
    smaller.add_argument("--texts", type=Path, help="file of texts to compare, or to teach a student on")
    smaller.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="int8, share, student …")
    smaller.add_argument("--out", type=Path, required=True)
    _shared(smaller)
    return parser


def _shared(command: argparse.ArgumentParser) -> None:
    command.add_argument("--text-col", default="text")
    command.add_argument("--device", default="auto", help="auto, cpu or cuda")


def _train_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--kind", choices=("auto", "head", "transformer"), default="auto")
    command.add_argument("--method", choices=METHODS, help="how a transformer is trained")
    command.add_argument("--epochs", type=int)
    command.add_argument("--config", nargs="*", default=[], metavar="KEY=VALUE", help="any setting of Config")
    command.add_argument("--trials", type=int, default=0, help="search for the best settings in so many runs")
    command.add_argument("--out", type=Path, default=Path("model"))
    command.add_argument("--job", type=Path, help="folder with job.json, as the application writes it")


if __name__ == "__main__":
    sys.exit(main())
