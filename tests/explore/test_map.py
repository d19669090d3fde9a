"""What the map page shows, and what it must not show."""

import gzip
import json
from typing import Any

import numpy as np
import pytest
from django.test import Client

from apps.accounts.models import User
from apps.annotation.models import Prediction, Resolution
from apps.content.models import Item
from apps.explore.models import Projection
from apps.projects.models import Label, Project
from apps.registry.models import Deployment, ModelVersion
from tests.conftest import ClientOf
from tests.explore import maps
from tests.learning import rows


def read(raw: bytes) -> dict[str, Any]:
    length = int.from_bytes(raw[:4], "little")
    found: dict[str, Any] = json.loads(raw[4 : 4 + length])
    n, at = found["n"], 4 + length
    for name, kind in [("steps", "<u4"), ("x", "<u2"), ("y", "<u2"), ("truth", "<u2"), ("said", "<u2"), ("sure", "u1")]:
        found[name] = np.frombuffer(raw, kind, n, at)
        at += n * np.dtype(kind).itemsize
    assert at == len(raw)
    found["ids"] = (found["base"] + np.cumsum(found["steps"].astype(np.int64))).tolist()
    return found


def points(client: Client) -> dict[str, Any]:
    answer = client.get("/p/bank/map/points", headers={"Accept-Encoding": "gzip"})
    assert answer["Content-Encoding"] == "gzip"
    return read(gzip.decompress(answer.content))


@pytest.fixture
def version(project: Project) -> ModelVersion:
    made = ModelVersion.objects.create(
        project=project,
        number=1,
        kind="head",
        encoder=project.encoder,
        encoder_digest=rows.DIGEST,
        label_order=[[label.pk, label.name] for label in project.labels.all()],
        snapshot_hash="s",
        seed=0,
        config={},
        path="none",
        digest="d",
    )
    Deployment.objects.create(project=project, version=made, kind=Deployment.Kind.PROMOTE, sequence=1)
    return made


def predict(version: ModelVersion, item: Item, label: Label, confidence: float = 0.75) -> None:
    Prediction.objects.create(
        version=version, item=item, label=label, confidence=confidence, margin=0.5, probabilities=[confidence]
    )


def drawn(project: Project, **how: Any) -> tuple[list[Item], Projection]:
    made = maps.texts(project, groups=2, each=5, **how)
    xy = np.stack([np.linspace(-1, 1, 10), np.linspace(1, -1, 10)], axis=1)
    return made, maps.projection(project, made, xy)


def test_points_carry_truth_prediction_and_confidence(
    project: Project, version: ModelVersion, vic: User, client_of: ClientOf
) -> None:
    made, shown = drawn(project)
    first, second, _third = project.labels.all()
    rows.resolve(made[2], second)
    predict(version, made[2], first, 1.0)
    predict(version, made[3], second, 0.0)
    found = points(client_of(vic))
    assert found["ids"] == [item.pk for item in made]
    assert found["projection"] == shown.pk
    assert found["version"] == "v1"
    assert [label["name"] for label in found["labels"]] == ["card arrival", "exchange rate", "top up failed"]
    assert found["truth"].tolist() == [0, 0, 4, 0, 0, 0, 0, 0, 0, 0]
    assert found["said"].tolist() == [0, 0, 3, 4, 0, 0, 0, 0, 0, 0]
    assert found["sure"].tolist() == [0, 0, 255, 1, 0, 0, 0, 0, 0, 0]
    assert found["x"][[0, -1]].tolist() == [0, 65535]
    assert found["y"][[0, -1]].tolist() == [65535, 0]


def test_a_held_out_text_tells_nothing_of_the_model_before_people_have_labelled_it(
    project: Project, version: ModelVersion, bob: User, client_of: ClientOf
) -> None:
    made, _shown = drawn(project, holdout_every=2)
    label = project.labels.all()[0]
    for item in made:
        predict(version, item, label)
    rows.resolve(made[0], label)
    client = client_of(bob)
    found = points(client)
    blind = [item.pk for item in made if item.split == "holdout" and item != made[0]]
    told = {pk for pk, said, sure in zip(found["ids"], found["said"], found["sure"], strict=True) if said or sure}
    assert told == {item.pk for item in made} - set(blind)
    page = client.get(f"/p/bank/map/point/?item={blind[0]}").content.decode()
    assert "hidden until people have labelled it" in page
    assert label.name not in page
    assert label.name in client.get(f"/p/bank/map/point/?item={made[0].pk}").content.decode()


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        ("multi", {"labels": []}, 1),
        ("multi", {"labels": ["a"]}, 3),
        ("multi", {"labels": ["a", "b"]}, 2),
        ("spans", {"spans": []}, 1),
        ("spans", {"spans": [{"label": "b"}, {"label": "b"}]}, 4),
        ("spans", {"spans": [{"label": "a"}, {"label": "b"}]}, 2),
    ],
)
def test_several_labels_and_spans_have_a_colour_too(
    project: Project, vic: User, client_of: ClientOf, kind: str, value: dict[str, Any], code: int
) -> None:
    project.task_kind = kind
    project.save()
    made, _shown = drawn(project)
    pks = dict(zip("ab", project.labels.values_list("pk", flat=True), strict=False))
    named = json.loads(json.dumps(value), object_hook=lambda found: found)
    if "labels" in named:
        named["labels"] = [pks[name] for name in named["labels"]]
    else:
        named["spans"] = [{"start": 0, "end": 1, "label": pks[span["label"]], "quote": "x"} for span in named["spans"]]
    Resolution.objects.create(item=made[0], project=project, split="pool", value=named, how="single")
    assert points(client_of(vic))["truth"].tolist() == [code, *[0] * 9]


def test_a_text_of_another_project_is_not_read_out(project: Project, vic: User, client_of: ClientOf) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="minilm-l6")
    (strange,) = rows.items(other, ["secret"])
    client = client_of(vic)
    assert client.get(f"/p/bank/map/point/?item={strange.pk}").status_code == 404
    assert client.get("/p/bank/map/point/?item=x").status_code == 422
    assert client.get("/p/bank/map/points").status_code == 409  # no map yet


def test_the_page_says_what_is_there(project: Project, rita: User, vic: User, client_of: ClientOf) -> None:
    client = client_of(rita)
    assert "needs the vectors of at least 10 texts" in client.get("/p/bank/map/").content.decode()
    made = maps.texts(project)
    assert "Draw the map" in client.get("/p/bank/map/").content.decode()
    assert "Draw the map" not in client_of(vic).get("/p/bank/map/").content.decode()
    assert client.post("/p/bank/map/draw/").status_code == 302
    page = client.get("/p/bank/map/").content.decode()
    assert "It waits for a worker" in page
    assert "every 2s" in page
    refused = client.post("/p/bank/map/draw/")
    assert refused.status_code == 409
    assert "being drawn already" in refused.content.decode()
    Projection.objects.update(state="failed", error="Something broke.")
    assert "Something broke." in client.get("/p/bank/map/").content.decode()
    maps.projection(project, made, np.zeros((24, 2)))
    page = client.get("/p/bank/map/").content.decode()
    assert "24 texts." in page
    assert "map-points" not in page
    assert "/p/bank/map/points" in page


def test_the_page_reloads_itself_when_the_map_is_there(project: Project, vic: User, client_of: ClientOf) -> None:
    made = maps.texts(project)
    shown = maps.projection(project, made, np.zeros((24, 2)))
    piece = {"HX-Request": "true", "HX-Target": "map-state"}
    assert "HX-Refresh" in client_of(vic).get("/p/bank/map/?seen=", headers=piece).headers
    assert "HX-Refresh" not in client_of(vic).get(f"/p/bank/map/?seen={shown.pk}", headers=piece).headers


def test_the_table_lists_parts_with_their_labels_and_links(project: Project, vic: User, client_of: ClientOf) -> None:
    made, shown = drawn(project)
    rows.resolve(made[1], project.labels.all()[0])
    page = client_of(vic).get("/p/bank/map/?as=table").content.decode()
    assert made[0].text in page
    assert "card arrival 1" in page
    assert f"/p/bank/items/?area={shown.pk}%3B-1%2C-1%3B0%2C-1" in page


def test_the_interface_for_programs_says_the_same(project: Project, rita: User, client_of: ClientOf) -> None:
    client = client_of(rita)
    assert client.get("/api/v1/projects/bank/map/").json() == {"shown": None, "latest": None}
    maps.texts(project)
    made = client.post("/api/v1/projects/bank/map/")
    assert made.status_code == 202
    assert made.json()["state"] == "queued"
    assert client.get("/api/v1/projects/bank/map/").json()["latest"]["id"] == made.json()["id"]
    assert client.post("/api/v1/projects/bank/map/").status_code == 409
