"""What a run's child process finds in its folder: the frozen examples, texts without labels, and what to do."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import BigIntegerField, F, Func, Value

from apps.content.models import Item, Split
from apps.learning.models import SnapshotRow, TrainingRun
from apps.learning.services import weak
from apps.registry import queries as registry
from apps.registry.models import ModelVersion

Kind = TrainingRun.Kind
# texts of the pool that a derived version is compared on, or learns the answers of its teacher on
TEXTS = {Kind.ONNX: 1_000, Kind.PRUNE: 1_000, Kind.ENSEMBLE: 1_000, Kind.DISTIL: 20_000}


def folder_of(run: TrainingRun) -> Path:
    return Path(settings.HOME) / "runs" / str(run.pk)


def output_of(run: TrainingRun) -> Path:
    return folder_of(run) / "model"


def models_root() -> Path:
    return Path(settings.HOME) / "models"


def items_of(run: TrainingRun) -> list[int]:
    """Its examples in the order in which they are written: by item."""
    rows = SnapshotRow.objects.filter(snapshot=run.snapshot_id).order_by("item_id")
    return list(rows.values_list("item_id", flat=True))


def parents_of(run: TrainingRun) -> list[ModelVersion]:
    """The versions that it starts from, in the order in which they were named."""
    numbers: list[int] = run.config.get("parents", [])
    found = {version.number: version for version in registry.versions(run.project).filter(number__in=numbers)}
    return [found[number] for number in numbers if number in found]


def prepare(run: TrainingRun) -> Path:
    """Write the job's folder. A checkpoint that lies there already stays."""
    folder = folder_of(run)
    folder.mkdir(parents=True, exist_ok=True)
    _write_examples(run, folder / "examples.jsonl")
    weak.write(run, folder)
    if run.kind in TEXTS:
        _write_texts(run, folder / "texts.jsonl", TEXTS[Kind(run.kind)])
    parents = [str(models_root() / version.path) for version in parents_of(run)]
    job = {
        "kind": run.kind,
        "task": run.config.get("task", "single"),
        "encoder": run.config["encoder"],
        "label_order": run.config["labels"],
        "seed": run.seed,
        "config": _config(run, parents),
        "parents": parents,
        "snapshot_hash": run.snapshot.hash if run.snapshot else "",
        "examples": "examples.jsonl",
        "device": settings.DEVICE,
        "parent_pid": os.getpid(),
        "output": str(output_of(run)),
    }
    (folder / "job.json").write_text(json.dumps(job, ensure_ascii=False, indent=1), encoding="utf-8")
    return folder


def _config(run: TrainingRun, parents: list[str]) -> dict[str, Any]:
    config = dict(run.config.get("options", {}))
    if run.kind == Kind.SEARCH:
        config["trials"] = run.config["trials"]
    if run.kind == Kind.TRANSFORMER and parents:
        config["parent"] = parents[0]
    return config


def _write_examples(run: TrainingRun, path: Path) -> None:
    told = _teller(run)
    rows = SnapshotRow.objects.filter(snapshot=run.snapshot_id) if run.snapshot_id else SnapshotRow.objects.none()
    with path.open("w", encoding="utf-8") as file:
        found = rows.order_by("item_id").values_list("item_id", "item__text", "label_id", "value")
        for item, text, label, value in found.iterator(chunk_size=2_000):
            truth = told(label if value is None else value)
            file.write(json.dumps({"id": item, "text": text} | truth, ensure_ascii=False) + "\n")


def _teller(run: TrainingRun) -> Callable[[Any], dict[str, Any]]:
    """Turns a truth into its field of an example, labels as places in the order of the model."""
    place = {pk: at for at, (pk, _name) in enumerate(run.config["labels"])}
    task = run.config.get("task", "single")
    if task == "multi":
        return lambda value: {"labels": sorted(place[label] for label in value["labels"])}
    if task == "spans":
        return lambda value: {"spans": [[s["start"], s["end"], place[s["label"]]] for s in value["spans"]]}
    if task == "engagement":
        return _clicks
    return lambda label: {"label": place[label]}


def _clicks(value: dict[str, int]) -> dict[str, Any]:
    """Classes are not clicked, clicked; as many examples as it was shown."""
    share = value["clicked"] / value["shown"]
    return {"target": [1 - share, share], "weight": value["shown"]}


def _write_texts(run: TrainingRun, path: Path, most: int) -> None:
    """Pool texts in an order that is fixed by the project's seed: never the hold-out's."""
    pool = Item.objects.filter(project=run.project, split=Split.POOL)
    drawn = pool.order_by(Func(F("pk"), Value(run.seed, BigIntegerField()), function="hashint8extended"))
    with path.open("w", encoding="utf-8") as file:
        for item, text in drawn.values_list("pk", "text")[:most].iterator(chunk_size=2_000):
            file.write(json.dumps({"id": item, "text": text}, ensure_ascii=False) + "\n")
