from collections.abc import Callable

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.annotation.models import Prediction, Resolution
from apps.content.models import Item
from apps.learning import charts, families, parallel
from apps.learning.models import LiveHead, SamplingRound, SearchTrial, Snapshot, TrainingRun
from apps.learning.services import evaluation
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.learning import kinds
from tests.learning.teach import add_items, make_version, predict, right_but

ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
BASE = "/p/bank/train/"


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


def page(client: Client, path: str) -> str:
    answer = client.get(BASE + path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def measured(project: Project) -> ModelVersion:
    held = add_items(project, 40, split="holdout")
    Item.objects.filter(pk__in=[item.pk for item in held[:60]]).update(language="de")
    Item.objects.filter(pk__in=[item.pk for item in held[60:]]).update(language="en")
    version = make_version(project, 1, metrics={"size_bytes": 37_120, "latency_ms": 4.1})
    predict(version, right_but(held, list(project.labels.all()), 30))
    evaluation.evaluate(version)
    return version


@pytest.mark.usefixtures("measured")
def test_the_page_shows_slices_calibration_and_what_it_weighs(client: Client) -> None:
    text = page(client, "versions/1/")
    assert "75.0 %" in text
    assert "Part by part" in text
    assert "weaker" in text  # all mistakes are in the German half
    assert "Can its confidence be believed?" in text
    assert "37.1 kB" in text
    assert "4.1 ms" in text


def test_kin_stand_side_by_side_with_their_agreement(client: Client, measured: ModelVersion, project: Project) -> None:
    config = {"made_by": "onnx", "parents": [1], "int8": True}
    metrics = {"size_bytes": 9_000, "parity": {"n": 200, "agreement": 0.995, "mean_difference": 0.001}}
    export = make_version(project, 2, kind="onnx", config=config, metrics=metrics)
    make_version(project, 3)
    assert [row.version.number for row in families.of(export)] == [1, 2]
    text = page(client, "versions/2/")
    assert "ONNX, 8-bit" in text
    assert "99.5 % the same on 200 texts" in text
    assert families.of(project.versions.get(number=3)) == []


def several(project: Project) -> ModelVersion:
    kinds.multi(project)
    items = kinds.several(project, 60, split="holdout")
    version = make_version(project, 1, kind="transformer", task="multi", thresholds=[0.5, 0.5, 0.4])
    ids = [pk for pk, _name in version.label_order]
    for place, item in enumerate(items):
        said = Resolution.objects.get(item=item).value["labels"] if place % 4 else ids[:1]
        row = [0.9 if pk in said else 0.1 for pk in ids]
        Prediction.objects.create(
            item=item, version=version, label_id=ids[0], confidence=0.9, margin=0.4, probabilities=row,
            value={"labels": said},
        )  # fmt: skip
    evaluation.evaluate(version)
    return version


def test_a_version_for_several_labels_has_its_figures_and_thresholds(client: Client, project: Project) -> None:
    version = several(project)
    text = page(client, "versions/1/")
    assert "Micro-F1" in text
    assert "said from" in text
    assert "40 %" in text
    assert "Confusion matrix" not in text
    label = version.label_order[0][0]
    piece = client.get(BASE + "versions/1/", {"truth": label}, headers=HTMX).content.decode()
    assert "people and model differ about" in piece
    assert "<html" not in piece


def test_a_version_for_spans_shows_strict_and_partial_and_what_goes_wrong(client: Client, project: Project) -> None:
    kinds.spans(project)
    items = kinds.marked(project, 40, split="holdout")
    version = make_version(project, 1, kind="transformer", task="spans")
    for place, item in enumerate(items):
        spans = [dict(span, score=0.9) for span in Resolution.objects.get(item=item).value["spans"]]
        if place % 4 == 0:
            spans[0]["end"] -= 1
        Prediction.objects.create(item=item, version=version, confidence=0.9, margin=0.4, value={"spans": spans})
    evaluation.evaluate(version)
    text = page(client, "versions/1/")
    assert "Strict F1" in text
    assert "Partial F1" in text
    assert "found with other borders" in text
    assert "Can its confidence be believed?" not in text
    train = page(client, "")
    assert "Strict F1" in train


def test_the_card_is_read_on_the_page_and_downloaded(client: Client, measured: ModelVersion, project: Project) -> None:
    Snapshot.objects.create(project=project, hash=measured.snapshot_hash, n_items=12)
    text = page(client, "versions/1/card/")
    assert "12 labelled texts" in text
    assert "Weaker where language is: de" in text
    file = client.get(BASE + "versions/1/card.md")
    assert file["Content-Disposition"] == 'attachment; filename="bank-v1-card.md"'
    assert file.content.decode().startswith("# Bank questions, v1\n")
    facts = client.get(BASE + "versions/1/card.json").json()
    assert facts["evaluation"]["n"] == 120
    assert facts["data"]["examples"] == 12


def test_names_on_the_card_never_become_markup(client: Client, project: Project) -> None:
    label = project.labels.first()
    assert label
    label.name = "a|b <script>alert(1)</script> *x*"
    label.save()
    held = add_items(project, 5, split="holdout")
    version = make_version(project, 1)
    predict(version, dict.fromkeys([item.pk for item in held], label.pk))
    evaluation.evaluate(version)
    text = page(client, "versions/1/card/")
    assert "<script>alert" not in text
    assert "a|b &lt;script&gt;alert(1)&lt;/script&gt; *x*" in text


def test_a_search_shows_its_trials_as_picture_and_table(client: Client, project: Project) -> None:
    run = TrainingRun.objects.create(project=project, kind="search", state="running", config={"trials": 5})
    for number, (rate, value) in enumerate([(1e-5, 0.6), (1e-4, 0.8), (1e-3, 0.7)]):
        state = "pruned" if number == 2 else "complete"
        SearchTrial.objects.create(
            run=run, number=number, params={"learning_rate": rate, "epochs": 3}, value=value, state=state
        )
    text = page(client, f"runs/{run.pk}/")
    assert text.count('class="strand') == 3
    assert 'class="strand best"' in text
    assert "stopped early" in text
    assert "80.0 %" in text


def test_the_picture_spreads_powers_and_names_evenly() -> None:
    trials = [
        parallel.Trial(n, {"learning_rate": rate, "method": method, "epochs": 3}, value, "complete")
        for n, (rate, method, value) in enumerate([(1e-5, "full", 0.5), (1e-4, "lora", 0.6), (1e-3, "prefix", 0.7)])
    ]
    assert parallel.varied(trials) == ["learning_rate", "method"]
    found = parallel.draw(trials)
    assert found
    middle = (found.top + found.bottom) / 2
    points = {strand.number: strand.points.split() for strand in found.strands}
    assert [float(points[1][axis].split(",")[1]) for axis in (0, 1, 2)] == [middle, middle, middle]
    assert found.strands[-1].number == 2
    assert found.strands[-1].best
    assert parallel.draw(trials[:1]) is None


def test_a_chart_begins_at_zero_and_ends_on_a_round_number() -> None:
    found = charts.chart([[(0.0, 4.2), (130.0, 1.0)]])
    assert found
    assert [tick.text for tick in found.x_ticks] == ["0", "50", "100", "150"]
    assert found.y_ticks[0].text == "0"
    assert float(found.y_ticks[-1].text) >= 4.2
    assert charts.chart([[], []]) is None


def test_train_says_how_items_are_chosen_and_whether_more_labels_help(client: Client, project: Project) -> None:
    rounds = [{"labels": 100 + 50 * n, "classes": 3, "agreement": 1.0, "score": 0.9} for n in range(8)]
    LiveHead.objects.create(project=project, stability={"rounds": rounds})
    SamplingRound.objects.create(
        project=project, revision=1, strategy="auto", n=50, reasons={"uncertain": 43, "random": 7}, labels_so_far=10,
        pool=900, seconds=0.1,
    )  # fmt: skip
    text = page(client, "")
    assert "would hardly improve it" in text
    assert "Expected from the next 50 labels" in text
    note = client.get(BASE + "setup/", headers=HTMX).content.decode()
    assert "<html" not in note
    assert "43 by the strategy" in note


def test_the_way_of_choosing_and_the_encoder_are_changed_on_their_page(
    client: Client, project: Project, vic: User, client_of: ClientOf
) -> None:
    text = page(client, "setup/")
    assert 'value="auto" checked' in text
    assert "Every item is as likely as any other" in text
    assert client.post(BASE + "setup/", {"strategy": "margin"}).status_code == 302
    assert client.post(BASE + "setup/", {"encoder": "char-ngrams"}, follow=True).status_code == 200
    project.refresh_from_db()
    assert (project.strategy, project.encoder) == ("margin", "char-ngrams")
    assert client.post(BASE + "setup/", {"strategy": "magic"}).status_code == 422
    assert "has options that do not exist" in client.post(BASE + "setup/", {"encoder": "x?y=1"}).content.decode()
    viewer = client_of(vic)
    assert "Save" not in viewer.get(BASE + "setup/").content.decode()
    assert viewer.post(BASE + "setup/", {"strategy": "random"}).status_code == 403


def test_another_encoder_is_offered_with_one_button_where_the_texts_are_foreign(
    client: Client, project: Project
) -> None:
    Project.objects.filter(pk=project.pk).update(language="zh-hans", encoder="minilm-l6")
    for number in range(5):
        Item.objects.create(
            project=project, external_id=f"zh{number}", text=f"味道很好送得很快骑手态度也好 {number}", text_hash=bytes([number]) * 32,
            split="pool",
        )  # fmt: skip
    note = client.get(BASE + "setup/", headers=HTMX).content.decode()
    assert "of the words as unknown" in note
    assert "Change to" in note
