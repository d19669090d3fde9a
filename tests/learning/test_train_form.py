from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.learning import options, ways
from apps.learning.models import TrainingRun
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.learning import kinds
from tests.learning.teach import add_items, make_version
from workers.learning.finetune.config import Config

ClientOf = Callable[[User], Client]
HTMX = {"HX-Request": "true"}
URL = "/p/bank/train/new/"


@pytest.fixture
def taught(project: Project) -> Project:
    add_items(project, 20)
    return project


@pytest.fixture
def client(alice: User, client_of: ClientOf) -> Client:
    return client_of(alice)


@pytest.fixture
def transformer(taught: Project) -> ModelVersion:
    return make_version(taught, 1, kind="transformer", encoder="minilm-l6")


def sent(client: Client, **body: object) -> TrainingRun:
    answer = client.post(URL, body)
    assert answer.status_code == 302, answer.content.decode()
    return TrainingRun.objects.get()


def test_whoever_only_presses_the_button_gets_what_suits_the_data(taught: Project, client: Client) -> None:
    page = client.get(URL).content.decode()
    assert "Head only" in page
    assert "60 examples" in page
    assert '<input type="radio" name="way" value="head" checked' in page
    run = sent(client, way="head", encoder="minilm-l6")
    assert run.kind == "head"


@pytest.mark.parametrize("name", ["full", "setfit", "lora", "adalora", "prefix", "ia3"])
def test_every_method_of_fine_tuning_is_asked_for_by_its_name(taught: Project, client: Client, name: str) -> None:
    run = sent(client, way=name, encoder="minilm-l6", epochs="4", seed="7")
    assert (run.kind, run.config["method"], run.seed) == ("transformer", name, 7)
    assert ways.of_run(run).name == name
    assert (run.config["epochs"] == 4) == (name != "setfit")  # a few-shot stage has no epochs of its own


def test_a_head_may_read_letters_too(taught: Project, client: Client) -> None:
    run = sent(client, way="head", encoder="minilm-l6", c="10", features="both", balance="weights", epochs="3")
    assert run.config["options"] == {"c": 10.0, "features": "both", "balance": "weights"}


def test_the_settings_of_fine_tuning_are_shown_with_their_reasons(taught: Project, client: Client) -> None:
    page = client.get(URL, {"way": "full"}).content.decode()
    assert "Suggested for this data is “Head only”" in page
    assert "Epochs at most" in page
    assert "60 examples: several passes" in page


def test_a_search_takes_its_number_of_trials(taught: Project, client: Client) -> None:
    run = sent(client, way="search", encoder="minilm-l6", trials="7")
    assert (run.kind, run.config["trials"], ways.of_run(run).name) == ("search", 7, "search")


@pytest.mark.parametrize(
    ("name", "more", "kind", "wanted"),
    [
        ("onnx", {}, "onnx", {"int8": False}),
        ("onnx_int8", {}, "onnx", {"int8": True}),
        ("prune", {"share": "0.5"}, "prune", {"share": 0.5}),
        ("distil", {"student": "head"}, "distil", {"student": "head"}),
    ],
)
@pytest.mark.usefixtures("transformer")
def test_a_version_is_made_smaller(
    client: Client, name: str, more: dict[str, str], kind: str, wanted: dict[str, object]
) -> None:
    run = sent(client, way=name, version="1", **more)
    assert (run.kind, run.config["options"], run.config["parents"]) == (kind, wanted, [1])
    assert ways.of_run(run).name == name


def test_training_goes_on_from_a_version_under_its_own_encoder(client: Client, transformer: ModelVersion) -> None:
    run = sent(client, way="incremental", version="1", encoder="something/else", replay="0.2")
    assert (run.kind, run.config["parents"], run.config["encoder"]) == ("transformer", [1], transformer.encoder)
    assert run.config["options"]["replay"] == 0.2
    assert ways.of_run(run).name == "incremental"


def test_versions_are_joined(client: Client, transformer: ModelVersion, project: Project) -> None:
    make_version(project, 2, kind="transformer", encoder="minilm-l6")
    assert "at least two" in client.post(URL, {"way": "ensemble", "versions": ["1"]}).content.decode()
    run = sent(client, way="ensemble", versions=["2", "1"])
    assert (run.kind, sorted(run.config["parents"])) == ("ensemble", [1, 2])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"way": "lora", "encoder": "char-ngrams"}, "Character n-grams have no weights to train"),
        ({"way": "head", "encoder": "minilm-l6", "balance": "resample"}, "A head weighs mistakes"),
        ({"way": "onnx"}, "Say which version to start from"),
        ({"way": "full", "encoder": "minilm-l6", "epochs": "0"}, "greater than or equal to 1"),
        ({"way": "full", "encoder": "minilm-l6", "schedule": "zigzag"}, "Select a valid choice"),
        ({"way": "prune", "version": "1", "share": "2"}, "less than or equal to 0.95"),
        ({"way": "incremental", "version": "9"}, "Select a valid choice"),
    ],
)
@pytest.mark.usefixtures("transformer")
def test_what_cannot_work_is_refused_beside_its_field(client: Client, body: dict[str, str], words: str) -> None:
    answer = client.post(URL, body)
    assert answer.status_code == 422
    assert words in answer.content.decode().replace("&#x27;", "'")
    assert not TrainingRun.objects.exists()


def test_a_refusal_of_the_service_stands_beside_the_version(taught: Project, client: Client) -> None:
    make_version(taught, 1, kind="head", encoder="minilm-l6")
    page = client.post(URL, {"way": "prune", "version": "1"}).content.decode()
    assert page.index("Only a fine-tuned transformer has weights") > page.index('id="id_version"')


def test_a_project_of_spans_is_offered_no_head(project: Project, client: Client) -> None:
    kinds.spans(project)
    kinds.marked(project, 45)
    page = client.get(URL).content.decode()
    assert "Not for marked spans." in page
    assert 'value="full" checked' in page
    assert client.post(URL, {"way": "head", "encoder": "minilm-l6"}).status_code == 422
    assert sent(client, way="lora", encoder="minilm-l6", leave_out="on").config["task"] == "spans"


def test_looking_at_another_way_swaps_what_belongs_to_it(taught: Project, client: Client) -> None:
    piece = client.get(URL, {"way": "lora", "encoder": "minilm-l6", "rank": "4", "seed": "3"}, headers=HTMX)
    text = piece.content.decode()
    assert "<html" not in text
    assert text.lstrip().startswith('<section class="plan" id="chosen"')
    assert 'name="rank" value="4"' in text
    assert 'name="virtual_tokens"' not in text
    assert 'id="options" hx-swap-oob="true"' in text


def test_options_of_other_ways_are_left_unread(taught: Project, client: Client) -> None:
    run = sent(
        client, way="full", encoder="minilm-l6", rank="4", virtual_tokens="3", clip="0.5", train_embeddings="yes"
    )
    assert run.config["options"]["clip"] == 0.5
    assert run.config["options"]["train_embeddings"] is True
    assert not {"rank", "virtual_tokens"} & set(run.config["options"])


def test_every_setting_of_the_engine_stands_on_the_form() -> None:
    apart = {"method", "parent"}  # the way, and the version to go on from
    assert {name for name in Config.__dataclass_fields__ if name not in apart} == set(options.OPTIONS) - set(
        options.HEAD
    )


def test_the_page_of_another_project_is_not_found(client: Client) -> None:
    Project.objects.create(slug="other", name="Other", encoder="char-ngrams")
    assert client.get(reverse("run_new", args=["other"])).status_code == 404
