import csv
import io
import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from apps.accounts.models import User
from apps.annotation import exports
from apps.annotation.exports import Choice
from apps.annotation.models import Annotation, Prediction, Resolution
from apps.content.models import Item
from apps.projects.models import Project
from apps.registry.models import ModelVersion
from tests.conftest import ClientOf
from tests.content.make import fingerprint, imported

pytestmark = pytest.mark.django_db

ROWS: list[dict[str, Any]] = [
    {"external_id": "1", "text": 'where is\n"my" card, \\N \\. \\\\ 😀', "label": "card arrival", "split": "pool"},
    {"external_id": "2", "text": "=HYPERLINK(1)", "split": "holdout", "meta": {"a": [1, {"b": "\\u0000 \x02"}]}},
    {"external_id": "-3", "text": "@SUM\tx", "split": "pool", "prediction": "exchange rate", "score": 0.5},
]


@pytest.fixture
def filled(project: Project, alice: User) -> Project:
    content = "\n".join(json.dumps(row) for row in ROWS).encode()
    mapping = {name: name for name in ("text", "external_id", "label", "split", "prediction", "score")} | {
        "meta": ["meta"]
    }
    assert imported(project, alice, content, mapping).rows_skipped == 0
    return project


def lines(project: Project, **choice: Any) -> list[dict[str, Any]]:
    content = b"".join(exports.stream(project, Choice(**choice))).decode()
    return [json.loads(line) for line in content.split("\n") if line]


def cells(project: Project, **choice: Any) -> list[dict[str, str]]:
    content = b"".join(exports.stream(project, Choice("csv", **choice))).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(content, newline="")))


def answer(project: Project, user: User, item: Item, label: str, **fields: Any) -> Annotation:
    return Annotation.objects.create(
        project=project,
        item=item,
        annotator=user,
        key=uuid4(),
        label=project.labels.get(name=label),
        outcome="corrected",
        **fields,
    )


def test_jsonl_gives_every_text_back_exactly(filled: Project) -> None:
    found = lines(filled)
    assert [row["text"] for row in found] == [row["text"] for row in ROWS]
    assert [row["split"] for row in found] == ["pool", "holdout", "pool"]
    assert found[1]["meta"] == ROWS[1]["meta"]
    assert found[0]["given"]["label"] == "card arrival"
    assert found[2]["given"] == {"label": "", "prediction": "exchange rate", "score": 0.5}


def test_an_export_can_be_imported_again_to_the_same_items(filled: Project, alice: User) -> None:
    for item in Item.objects.filter(external_id="1"):
        Resolution.objects.create(
            item=item, project=filled, split=item.split, label=filled.labels.first(), how="single", by=alice
        )
    content = b"".join(exports.stream(filled, Choice()))
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    names = ("text", "external_id", "label", "split")
    job = imported(other, alice, content, {name: name for name in names} | {"meta": ["meta"]})
    assert (job.rows_added, job.rows_skipped) == (3, 0)
    assert lines(other)[0]["given"]["label"] == "card arrival"
    Item.objects.filter(project=filled, external_id="-3").first().given.delete()  # type: ignore[union-attr]
    assert fingerprint(other) == fingerprint(filled)


def test_csv_cells_that_would_run_as_formulas_are_defused(filled: Project) -> None:
    found = cells(filled)
    assert [row["text"] for row in found] == [ROWS[0]["text"], "'=HYPERLINK(1)", "'@SUM\tx"]
    assert found[2]["external_id"] == "'-3"
    for row in found:
        assert not any(value.startswith(("=", "+", "-", "@", "\t", "\r")) for value in row.values() if value)


def test_the_truth_says_how_it_came_about(filled: Project, bob: User) -> None:
    item = Item.objects.get(external_id="1")
    Resolution.objects.create(
        item=item, project=filled, split=item.split, label=filled.labels.get(name="exchange rate"), how="single", by=bob
    )
    row = lines(filled, names=True)[0]
    assert row["label"] == "exchange rate"
    assert (row["truth"]["how"], row["truth"]["by"]) == ("single", "Bob")
    assert cells(filled, names=True)[0]["by"] == "Bob"
    assert lines(filled)[1]["truth"] is None


def test_all_revisions_come_with_what_was_shown(filled: Project, bob: User) -> None:
    item = Item.objects.get(external_id="1")
    shown = {"head": 3, "labels": [1], "probabilities": [0.75]}
    answer(filled, bob, item, "card arrival", shown=shown, seconds=2.5)
    answer(filled, bob, item, "exchange rate", revision=2, note='=oops, "quoted"', flagged=True)
    first, second = lines(filled, annotations=True)[0]["annotations"]
    assert (first["label"], first["shown"], first["seconds"], first["revision"]) == ("card arrival", shown, 2.5, 1)
    assert (second["label"], second["note"], second["flagged"], second["outcome"]) == (
        *("exchange rate", '=oops, "quoted"', True, "corrected"),
    )
    assert json.loads(cells(filled, annotations=True)[0]["annotations"])[1]["revision"] == 2
    assert lines(filled, annotations=True)[1]["annotations"] is None
    assert "annotations" not in lines(filled)[0]


def test_people_are_pseudonyms_unless_their_names_are_asked_for(filled: Project, bob: User, rita: User) -> None:
    for number, user in enumerate((bob, rita, bob)):
        answer(filled, user, Item.objects.get(external_id=("1", "2", "-3")[number]), "card arrival")
    who = [row["annotations"][0]["by"] for row in lines(filled, annotations=True)]
    assert who[0] == who[2] != who[1]
    assert all(name.startswith("person-") and len(name) == 19 for name in who)
    content = b"".join(exports.stream(filled, Choice(annotations=True))).decode()
    assert "Bob" not in content
    assert "example.org" not in content
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    assert exports._who(other, Choice(), "u").as_string() != exports._who(filled, Choice(), "u").as_string()


def test_predictions_of_several_versions_stand_side_by_side(filled: Project) -> None:
    item = Item.objects.get(external_id="1")
    for number in (1, 2):
        version = ModelVersion.objects.create(
            **{"project": filled, "number": number, "kind": "head", "encoder": "x", "encoder_digest": "x", "seed": 0},
            **{"label_order": [], "snapshot_hash": "x", "config": {}, "path": "x", "digest": "x"},
        )
        label = filled.labels.all()[number]
        Prediction.objects.create(
            item=item, version=version, label=label, confidence=0.5, margin=0.25, probabilities=[0.25, 0.5, 0.25]
        )
    seen = lines(filled, predictions=True)[0]["predictions"]
    assert [(row["version"], row["label"], row["confidence"]) for row in seen] == [
        (1, "exchange rate", 0.5),
        (2, "top up failed", 0.5),
    ]


def test_only_what_was_asked_for_is_exported(filled: Project, bob: User) -> None:
    item = Item.objects.get(external_id="2")
    Resolution.objects.create(
        item=item, project=filled, split="holdout", label=filled.labels.first(), how="single", by=bob
    )
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    assert lines(other) == []
    assert [row["external_id"] for row in lines(filled, split="pool")] == ["1", "-3"]
    assert [row["external_id"] for row in lines(filled, labelled=True)] == ["2"]
    assert lines(filled, labelled=True, split="pool") == []
    assert len(cells(other)) == 0


def test_a_reader_who_leaves_early_leaves_the_connection_usable(filled: Project) -> None:
    stream = exports.stream(filled, Choice())
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


@pytest.mark.parametrize(
    ("url", "query", "kind"),
    [
        ("/p/bank/export/download/", {"file_type": "jsonl", "annotations": "on"}, "application/x-ndjson"),
        ("/p/bank/export/download/", {"file_type": "csv"}, "text/csv; charset=utf-8"),
        ("/api/v1/projects/bank/export/", {}, "application/x-ndjson"),
        ("/api/v1/projects/bank/export/", {"file_type": "csv", "predictions": "true"}, "text/csv; charset=utf-8"),
    ],
)
def test_the_file_comes_as_an_attachment(
    client_of: ClientOf, filled: Project, rita: User, url: str, query: dict[str, str], kind: str
) -> None:
    response: Any = client_of(rita).get(url, query, headers={"Accept": "text/csv"})
    assert response.status_code == 200
    assert response["Content-Type"] == kind
    assert response["Content-Disposition"].startswith('attachment; filename="bank.')
    assert b"HYPERLINK" in b"".join(response.streaming_content)


@pytest.mark.parametrize("url", ["/p/bank/export/", "/p/bank/export/download/", "/api/v1/projects/bank/export/"])
def test_only_administrators_and_reviewers_export(
    client_of: ClientOf,
    filled: Project,
    alice: User,
    rita: User,
    bob: User,
    dana: User,
    vic: User,
    charlie: User,
    url: str,
) -> None:
    query = {"file_type": "jsonl"}
    for user, status in ((alice, 200), (rita, 200), (bob, 403), (dana, 403), (vic, 403), (charlie, 404)):
        assert client_of(user).get(url, query).status_code == status
    assert Client().get(url, query).status_code in {302, 401, 403}


@pytest.mark.parametrize("query", [{"file_type": "xml"}, {"file_type": "jsonl", "split": "nowhere"}])
def test_a_choice_that_is_none_of_ours_is_refused(client_of: ClientOf, filled: Project, rita: User, query: Any) -> None:
    client = client_of(rita)
    assert client.get("/p/bank/export/download/", query).status_code == 422
    assert client.get("/api/v1/projects/bank/export/", query).status_code == 400


def test_the_page_counts_and_an_empty_project_says_what_to_do(
    client_of: ClientOf, project: Project, alice: User, rita: User
) -> None:
    assert "nothing to export yet" in client_of(rita).get("/p/bank/export/").content.decode()
    imported(project, alice, b"text\none\ntwo\n")
    assert "2 items" in client_of(rita).get("/p/bank/export/").content.decode()


def test_a_large_export_comes_in_small_blocks(project: Project) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO content_item
                (project_id, external_id, text, text_hash, split, language, subject, meta, created_at)
            SELECT %s, n, repeat('text ', 100), sha256(n::text::bytea), 'pool', '', '', '{}', now()
            FROM generate_series(1, 2000) AS n
            """,
            [project.pk],
        )
    blocks = [len(block) for block in exports.stream(project, Choice())]
    assert sum(blocks) > 1_000_000
    assert max(blocks) < exports.BLOCK + 2_000
