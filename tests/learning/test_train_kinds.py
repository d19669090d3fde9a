"""From imported truths to a version that serves, for every task kind, with the real child process."""

import json
from pathlib import Path
from typing import Any

import pytest

from apps.accounts.models import User
from apps.annotation import services as annotation
from apps.annotation.models import Prediction, Resolution
from apps.content import services as content
from apps.learning import runs as bridge
from apps.learning.models import Evaluation, SearchTrial, TrainingRun
from apps.learning.services import evaluation, flips, runs, versions
from apps.learning.services.wishes import Wish
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.learning import kinds
from tests.learning.teach import NGRAMS, add_items, head_wish

Kind = TrainingRun.Kind
FAST = {"batch_size": 8, "learning_rate": 5e-3, "patience": 50}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random BERT of two small layers with MiniLM's tokeniser."""
    import torch
    from transformers import AutoTokenizer, BertConfig, BertModel

    from workers.learning.encoders import backbone

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30_522, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(backbone.spec(backbone.MINILM).folder).save_pretrained(folder)
    return str(folder)


def trained(project: Project, by: User, wish: Wish) -> ModelVersion:
    run = runs.create(project, by, wish)
    bridge.train(run.pk)
    run.refresh_from_db()
    assert (run.state, run.error) == (TrainingRun.State.SUCCEEDED, ""), run.log_tail
    assert run.version is not None
    return run.version


def import_truths(project: Project, rows: list[dict[str, Any]]) -> None:
    done = content.add_items(project, rows)
    assert done.rejected == []
    annotation.take_in(project)


def several(n: int, split: str) -> list[dict[str, Any]]:
    names = ("card arrival", "exchange rate", "top up failed")
    chosen = [[name for place, name in enumerate(names) if number >> place & 1] for number in range(n)]
    return [
        {"text": f"{split} {number}: {' and '.join(found) or 'good morning'}", "labels": found, "split": split}
        for number, found in enumerate(chosen)
    ]


TOWNS, DAYS = ("paris", "rome", "oslo", "berlin", "madrid"), ("monday", "tuesday", "friday")


def marked(n: int, split: str, start: int = 0) -> list[dict[str, Any]]:
    rows = []
    for number in range(start, start + n):
        city, day = TOWNS[number % 5], DAYS[number % 3]
        text = f"👩‍👩‍👧\r\nsend it to {city} by {day} {number}"
        spans = [
            {"start": text.index(quote), "end": text.index(quote) + len(quote), "label": label, "quote": quote}
            for quote, label in ((city, "place"), (day, "day"))
        ]
        rows.append({"text": text, "spans": spans, "split": split})
    return rows


def promoted(project: Project, version: ModelVersion, by: User) -> None:
    versions.promote(project, version, by=by, why="a test")
    while bridge.repredict(version.pk):
        pass


def test_several_labels_from_the_import_to_the_flips(project: Project, alice: User) -> None:
    kinds.multi(project)
    import_truths(project, several(64, "pool") + several(24, "holdout"))
    first = trained(project, alice, Wish(Kind.HEAD, NGRAMS, seed=3))
    assert (first.task, len(first.thresholds), first.kind) == ("multi", 3, "head")
    measured = Evaluation.objects.get(version=first)
    assert (measured.n, measured.metrics["headline"]["name"]) == (24, "micro_f1")
    assert measured.metrics["micro_f1"] > 0.9
    assert {"size_bytes", "latency_ms"} <= first.metrics.keys()
    promoted(project, first, alice)
    said = Prediction.objects.filter(version=first)
    assert said.count() == 88
    assert all(set(row.value) == {"labels"} and len(row.probabilities) == 3 for row in said[:5])
    # one label means something else from now on
    taught = Resolution.objects.filter(project=project, split="pool")
    gone = project.labels.get(name="exchange rate").pk
    for row in taught:
        row.value["labels"] = [label for label in row.value["labels"] if label != gone]
        row.save()
    second = trained(project, alice, Wish(Kind.HEAD, NGRAMS, leave_out=True, options={"features": "both"}))
    assert [name for _pk, name in second.label_order] == ["card arrival", "top up failed"]
    assert second.snapshot_hash != first.snapshot_hash
    assert evaluation.compare(second, first).kind == "worse"
    promoted(project, second, alice)
    assert flips.flips(first, second, limit=5, before=gone)
    assert (gone, None) in {pair[:2] for pair in flips.flip_counts(first, second)}


@pytest.mark.slow
def test_spans_from_the_import_to_the_flips(project: Project, alice: User, tiny: str) -> None:
    kinds.spans(project)
    import_truths(project, marked(90, "pool") + marked(15, "holdout", 100))
    wish = Wish(Kind.TRANSFORMER, tiny, epochs=12, leave_out=True, options=FAST, seed=1)
    first = trained(project, alice, wish)
    assert (first.task, first.kind) == ("spans", "transformer")
    assert [name for _pk, name in first.label_order] == ["place", "day"]
    measured = Evaluation.objects.get(version=first)
    assert (measured.n, measured.metrics["headline"]["name"]) == (15, "strict_f1")
    assert measured.metrics["strict_f1"] > 0.5
    promoted(project, first, alice)
    row = Prediction.objects.filter(version=first, item__split="pool").select_related("item").first()
    assert row is not None
    assert row.value is not None
    assert row.value["tokens"] > 5
    for span in row.value["spans"]:
        assert row.item.text[span["start"] : span["end"]] == row.item.text[span["start"] : span["end"]].strip()
    # days are no longer marked
    day = project.labels.get(name="day").pk
    for resolution in Resolution.objects.filter(project=project, split="pool"):
        resolution.value["spans"] = resolution.value["spans"][:1]
        resolution.save()
    second = trained(project, alice, Wish(Kind.TRANSFORMER, tiny, epochs=1, leave_out=True, options=FAST, seed=2))
    verdict = evaluation.compare(second, first)
    assert (verdict.kind, verdict.metric) == ("worse", "strict_f1")
    promoted(project, second, alice)
    assert flips.flips(first, second, limit=5, before=day)
    assert (day, None) in {pair[:2] for pair in flips.flip_counts(first, second)}
    run = TrainingRun.objects.get(version=first)
    assert run.config["method"] == "full"
    assert [point["dev_metric"] for point in run.curve if "dev" in point][-1:] == ["span_f1"]


@pytest.mark.slow
def test_one_label_goes_on_from_a_version_and_joins_an_ensemble(project: Project, alice: User, tiny: str) -> None:
    add_items(project, 20)
    add_items(project, 5, split="holdout")
    wish = Wish(Kind.TRANSFORMER, tiny, epochs=2, options=FAST, seed=1)
    first = trained(project, alice, wish)
    add_items(project, 5, start=50)
    second = trained(project, alice, Wish(Kind.TRANSFORMER, tiny, epochs=1, options=FAST, parents=(1,)))
    assert second.parent == first
    assert second.config["parents"] == [1]
    assert "/" not in json.dumps(second.config.get("parent", ""))
    both = trained(project, alice, Wish(Kind.ENSEMBLE, parents=(1, 2)))
    assert (both.kind, both.label_order, both.parent) == ("ensemble", first.label_order, first)
    assert Prediction.objects.filter(version=both).count() == 15
    assert Evaluation.objects.filter(version=both).exists()
    assert {"size_bytes", "latency_ms", "parity"} <= both.metrics.keys()


@pytest.mark.slow
def test_a_version_is_exported_and_distilled(project: Project, alice: User, tiny: str) -> None:
    add_items(project, 20)
    add_items(project, 5, split="holdout")
    source = trained(project, alice, Wish(Kind.TRANSFORMER, tiny, epochs=2, options=FAST, seed=1))
    exported = trained(project, alice, Wish(Kind.ONNX, parents=(1,), options={"int8": False}))
    assert (exported.kind, exported.parent, exported.snapshot_hash) == ("onnx", source, source.snapshot_hash)
    assert exported.metrics["parity"]["agreement"] > 0.9
    student = trained(project, alice, Wish(Kind.DISTIL, parents=(1,), options={"student": "head"}))
    assert (student.kind, student.config["made_by"]) == ("head", "distil")
    for version in (exported, student):
        assert Prediction.objects.filter(version=version).count() == 15
        assert Evaluation.objects.filter(version=version).exists()
        assert {"size_bytes", "latency_ms"} <= version.metrics.keys()


@pytest.mark.slow
def test_a_search_keeps_its_trials_as_rows(project: Project, alice: User, tiny: str) -> None:
    add_items(project, 20)
    wish = Wish(Kind.SEARCH, tiny, epochs=2, options=FAST, trials=2, seed=1)
    version = trained(project, alice, wish)
    assert version.kind == "transformer"
    run = TrainingRun.objects.get(version=version)
    trials = list(SearchTrial.objects.filter(run=run).order_by("number"))
    assert [trial.number for trial in trials] == [0, 1]
    assert trials[0].state == "complete"
    assert trials[0].value is not None
    assert trials[0].params


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"kind": "poem"}, "no such kind"),
    ({"kind": "transformer", "options": {"epoch": 3}}, "Unknown training settings: epoch"),
    ({"kind": "transformer", "options": {"learning_rate": 7.0}}, "must lie between"),
    ({"kind": "transformer", "method": "magic"}, "is one of full"),
    ({"kind": "transformer", "parents": (9,)}, "no version 9"),
    ({"kind": "transformer", "parents": (1,)}, "one fine-tuned transformer"),
    ({"kind": "transformer", "options": {"parent": "/etc"}}, "by its number"),
    ({"kind": "search", "trials": 1_000}, "1 to 200 trials"),
    ({"kind": "head", "options": {"c": -1}}, "cannot be that"),
    ({"kind": "head", "options": {"colour": 1}}, "no setting called “colour”"),
    ({"kind": "ensemble", "parents": (1,)}, "at least two"),
    ({"kind": "ensemble", "parents": (1, 1)}, "each version once"),
    ({"kind": "ensemble", "parents": (1, 2)}, "the same labels in the same order"),
    ({"kind": "onnx"}, "which version"),
    ({"kind": "onnx", "parents": (1,)}, "nothing to export"),
    ({"kind": "onnx", "parents": (3,), "options": {"int8": "yes"}}, "cannot be that"),
    ({"kind": "onnx", "parents": (3, 4)}, "made of one version"),
    ({"kind": "onnx", "parents": (4,)}, "itself derived"),
    ({"kind": "prune", "parents": (1,)}, "weights to prune"),
    ({"kind": "prune", "parents": (3,), "options": {"share": 1.5}}, "between 0 and 1"),
]


@pytest.mark.parametrize(("wish", "words"), REFUSALS, ids=[words for _wish, words in REFUSALS])
def test_a_hopeless_wish_is_refused_before_any_work(
    project: Project, alice: User, wish: dict[str, Any], words: str
) -> None:
    from apps.common.errors import DomainError
    from tests.learning.teach import make_version

    add_items(project, 20)
    made = ModelVersion.Kind
    make_version(project, 1)
    make_version(project, 2, label_order=[[label.pk, label.name] for label in list(project.labels.all())[:2]])
    make_version(project, 3, kind=made.TRANSFORMER, encoder="minilm-l6")
    make_version(project, 4, kind=made.ONNX, encoder="minilm-l6")
    encoder = NGRAMS if wish["kind"] == "head" else "minilm-l6"
    with pytest.raises(DomainError, match=words):
        runs.create(project, alice, Wish(**({"encoder": encoder} | wish)))
    assert not TrainingRun.objects.exists()


def test_what_is_not_said_is_chosen_by_the_size_of_the_data(project: Project, alice: User) -> None:
    add_items(project, 20)
    run = runs.create(project, alice, head_wish(kind=Kind.TRANSFORMER, encoder="minilm-l6"))
    assert run.config["epochs"] > 3
    assert run.config["method"] == "full"
    runs.cancel(run)
    again = runs.create(project, alice, head_wish(kind=Kind.TRANSFORMER, encoder="minilm-l6", epochs=2, method="lora"))
    assert (again.config["epochs"], again.config["method"]) == (2, "lora")
    assert again.config["options"]["method"] == "lora"


def test_the_child_reads_nothing_but_its_folder_and_its_parents(project: Project, alice: User) -> None:
    from apps.learning.services import jobs
    from tests.learning.teach import make_version

    add_items(project, 20)
    made = make_version(project, 1, kind=ModelVersion.Kind.TRANSFORMER, encoder="minilm-l6")
    run = runs.create(project, alice, Wish(Kind.TRANSFORMER, "minilm-l6", parents=(1,), options={"replay": 0.2}))
    job = json.loads((jobs.prepare(run) / "job.json").read_text())
    assert Path(job["config"]["parent"]) == versions.folder_of(made)
    assert job["config"]["replay"] == 0.2
    assert job["parents"] == [job["config"]["parent"]]
