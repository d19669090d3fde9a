"""Files of other tools through the whole import: preview, mapping, job, items and truths."""

import gzip
import json
from typing import Any

import orjson
import pytest

from apps.accounts.models import User
from apps.annotation import exports
from apps.annotation import services as annotation
from apps.annotation.export_rows import why_not
from apps.annotation.exports import FILE_TYPES, Choice
from apps.annotation.models import Resolution
from apps.common.errors import InvalidInput
from apps.content import files, ingest, services
from apps.content.formats import TARGETS, written
from apps.content.models import GivenLabel, Item
from apps.projects.models import Project
from tests.conftest import ClientOf
from tests.content import given
from tests.content.make import imported, job_from, reasons, run_to_end

pytestmark = pytest.mark.django_db

Truth = dict[str, Any]


def made(kind: str, slug: str, **more: Any) -> Project:
    return Project.objects.create(slug=slug, name=slug, encoder="x", task_kind=kind, holdout_fraction=0, **more)


def truths(project: Project) -> dict[str, tuple[str, Truth | None]]:
    """external id -> (text, truth by label name)"""
    names = dict(project.labels.values_list("pk", "name"))
    found: dict[str, tuple[str, Truth | None]] = {}
    for item in Item.objects.filter(project=project).select_related("resolution"):
        truth = getattr(item, "resolution", None)
        value = None if truth is None else (truth.value or {"labels": [truth.label_id]})
        if value is not None and "labels" in value:
            value = {"labels": sorted(names[label] for label in value["labels"])}
        elif value is not None:
            value = {"spans": [(one["start"], one["end"], names[one["label"]], one["quote"]) for one in value["spans"]]}
        found[item.external_id] = (item.text, value)
    return found


def first_in(project: Project, by: User, rows: list[given.Row]) -> None:
    """By our own JSON Lines."""
    lines = b"".join(orjson.dumps({key: value for key, value in row.items() if key != "id"}) + b"\n" for row in rows)
    job = imported(project, by, lines)
    assert (job.rows_added, reasons(job)) == (len(rows), {})
    annotation.take_in(project)


@pytest.mark.parametrize("kind", ["single", "multi", "spans"])
def test_a_project_goes_out_and_comes_in_again_in_every_format(project: Project, alice: User, kind: str) -> None:
    source = made(kind, "source")
    rows = {"single": given.bank, "multi": given.messages, "spans": given.slots}[kind](60)
    unlabelled = given._row(900, "nobody has labelled this") | {"labels": None, "spans": None}
    first_in(source, alice, [*rows, unlabelled])
    before = truths(source)
    assert len([truth for _text, truth in before.values() if truth is not None]) == len(rows)
    for file_type in FILE_TYPES:
        if why_not(file_type, kind):
            continue
        target = made(kind, file_type)
        job = imported(target, alice, b"".join(exports.stream(source, Choice(file_type))))
        assert reasons(job) == {}, file_type
        annotation.take_in(target)
        after = truths(target)
        if file_type == "fasttext":  # no place for an id, nor for a text that has no label
            assert sorted(map(repr, after.values())) == sorted(
                repr((" ".join(text.splitlines()), truth))
                for text, truth in before.values()
                if truth and truth["labels"]
            )
        elif file_type.startswith("conll"):
            assert after == {name: said for name, said in before.items() if said[1] is not None}
        else:
            assert after == before, file_type
        if file_type not in ("fasttext", "csv"):
            odd = Item.objects.filter(project=target, thread="talk 7").first()
            assert kind == "single" or (odd is not None and odd.url == "https://example.org/a?b=1" and odd.meta["a"])


def test_a_packed_file_of_another_tool_is_looked_at_mapped_and_imported(
    client_of: ClientOf, alice: User, project: Project
) -> None:
    rows = given.bank(5)
    content = gzip.compress(b"".join(written("labelstudio", rows, [], "single")))
    client = client_of(alice)
    from django.core.files.uploadedfile import SimpleUploadedFile

    response = client.post("/p/bank/content/", {"file": SimpleUploadedFile("tasks.json.gz", content)})
    assert response.status_code == 302
    page = client.get(response["Location"]).content.decode()
    assert "Label Studio" in page
    assert rows[0]["text"][:20] in page
    assert '<option value="labelstudio" selected>' in page
    again = response["Location"] + "read-again/"
    wrong = client.post(again, {"kind": "conll", "encoding": "utf-8", "delimiter": ","})
    assert wrong.status_code == 422
    assert "Nothing in the file could be read as CoNLL" in wrong.content.decode()
    assert client.post(again, {"kind": "json", "encoding": "utf-8", "delimiter": ","}).status_code == 302
    job = project.imports.get()
    assert job.format["columns"][:2] == ["id", "data"]
    services.cancel(job)
    assert list(files.folder().iterdir()) == []


def test_rejected_rows_keep_the_lines_of_the_file_and_nothing_is_left_behind(project: Project, alice: User) -> None:
    content = b"good\tO\n\nbad\tO\nworse\n\n\n" + b"x" * 30 + b"\tB-a\nY\tI-a\n\nbroken\tperson\n\n"
    content += b"one\tO\n" * 20
    spans = made("spans", "spans")
    job = imported(spans, alice, content)
    assert (job.state, job.rows_added, job.rows_skipped) == ("succeeded", 3, 2)
    assert {line: reason.split(":")[0] for line, reason in reasons(job).items()} == {
        4: "This line is no token with its tag.",
        10: "“person” is no tag",
    }
    assert list(files.folder().iterdir()) == []


def test_a_worker_lost_in_the_middle_changes_nothing(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "CHUNK_ROWS", 7)
    rows = given.bank(60)
    content = b"".join(written("doccano", rows, [], "single"))
    job = job_from(project, alice, content)
    while ingest.run(job.pk, seconds=0):
        job.refresh_from_db()
        assert 0 < job.done_bytes <= job.total_bytes
    job.refresh_from_db()
    assert (job.state, job.rows_added, job.rows_read) == ("succeeded", 60, 60)


def test_converting_a_long_file_says_that_it_is_alive_and_can_be_stopped(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "BEAT_SECONDS", -1.0)
    job = job_from(project, alice, b"".join(written("prodigy", given.bank(1200), [], "single")))
    beats = []
    true_advance = ingest._advance

    def advance(job: Any, **changes: object) -> None:
        beats.append(changes)
        if len(beats) == 2:
            services.cancel(job)
        true_advance(job, **changes)

    monkeypatch.setattr(ingest, "_advance", advance)
    run_to_end(job)
    assert (job.state, len(beats)) == ("cancelled", 2)
    assert list(files.folder().glob("*.rows")) == []


def test_overlapping_spans_come_in_only_where_the_project_allows_them(project: Project, alice: User) -> None:
    row = {"text": "a card fee", "spans": [[0, 6, "x"], [2, 10, "y"]]}
    strict, open_ = made("spans", "strict"), made("spans", "open", overlapping=True)
    job = imported(strict, alice, orjson.dumps(row))
    assert "which this project does not allow" in reasons(job)[1]
    assert imported(open_, alice, orjson.dumps(row)).rows_added == 1
    assert (GivenLabel.objects.get().value or {})["spans"][1]["quote"] == "card fee"
    annotation.take_in(open_)
    for file_type in ("spacy", "labelstudio", "doccano", "prodigy", "huggingface"):
        target = made("spans", f"to-{file_type}", overlapping=True)
        imported(target, alice, b"".join(exports.stream(open_, Choice(file_type))))
        annotation.take_in(target)
        assert list(truths(target).values()) == list(truths(open_).values())


@pytest.mark.parametrize("link", ["ftp://a/b", "javascript:alert(1)", "//host/x", "http://", "https://a b", "x"])
def test_a_link_that_is_none_is_refused_in_words(project: Project, alice: User, link: str) -> None:
    mapping = {"text": "text", "url": "url", "meta": []}
    job = imported(project, alice, json.dumps({"text": "a", "url": link}).encode(), mapping)
    assert "does not begin with http:// or https://" in reasons(job)[1]


def test_threads_and_links_go_in_and_out(project: Project, alice: User) -> None:
    rows = [{"text": f"message {n}", "conversation": "c-1", "link": f"https://example.org/{n}"} for n in range(3)]
    imported(project, alice, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    assert list(Item.objects.order_by("pk").values_list("thread", "url")) == [
        ("c-1", f"https://example.org/{n}") for n in range(3)
    ]
    assert b"https://example.org/2" in b"".join(exports.stream(project, Choice("csv")))


def test_a_source_that_holds_no_links_is_not_taken_for_one(project: Project, alice: User) -> None:
    job = job_from(project, alice, b"text,source\none thing,mail\n")
    assert job.mapping == {"text": "text", "meta": ["source"]}


def test_a_single_label_may_come_as_a_list_of_one(project: Project, alice: User) -> None:
    lines = b'{"text": "a", "labels": ["x"]}\n{"text": "b", "labels": ["x", "y"]}\n{"text": "c", "labels": []}\n'
    job = imported(project, alice, lines)
    assert list(GivenLabel.objects.values_list("label", flat=True)) == ["x"]
    assert "one label per text" in reasons(job)[2]


def test_formats_that_cannot_carry_the_kind_are_greyed_with_the_reason(
    client_of: ClientOf, project: Project, rita: User, alice: User
) -> None:
    imported(project, alice, b"text\none\n")
    page = client_of(rita).get("/p/bank/export/").content.decode()
    assert page.count("disabled") == 2
    assert "It says spans only" in page
    refused = client_of(rita).get("/p/bank/export/download/", {"file_type": "conll"})
    assert refused.status_code == 422
    assert client_of(rita).get("/api/v1/projects/bank/export/", {"file_type": "conll"}).status_code == 422
    assert set(TARGETS) == {name for name in TARGETS if why_not(name, "engagement")}


def test_what_each_person_said_goes_to_label_studio_beside_the_truth(project: Project, alice: User, bob: User) -> None:
    from tests.annotation.test_export import answer

    imported(project, alice, b"text\none\n")
    item = Item.objects.get()
    answer(project, bob, item, "card arrival", seconds=3.5)
    answer(project, alice, item, "exchange rate")
    Resolution.objects.create(
        item=item, project=project, split=item.split, label=project.labels.get(name="exchange rate"), how="adjudicated"
    )
    (task,) = json.loads(b"".join(exports.stream(project, Choice("labelstudio", annotations=True))))
    said = [(one["result"][0]["value"]["choices"], one["ground_truth"]) for one in task["annotations"]]
    assert said == [(["exchange rate"], True), (["card arrival"], False), (["exchange rate"], False)]
    assert task["annotations"][1]["lead_time"] == 3.5
    other = made("single", "other")
    imported(other, alice, orjson.dumps([task]))
    assert GivenLabel.objects.get(item__project=other).label == "exchange rate"


def test_an_archived_item_stays_out_of_other_tools_and_is_marked_in_ours(project: Project, alice: User) -> None:
    imported(project, alice, b"text\none\ntwo\n")
    Item.objects.filter(text="one").update(archived_at="2026-01-01T00:00:00Z")
    assert len(b"".join(exports.stream(project, Choice("doccano"))).splitlines()) == 1
    ours = [json.loads(line)["archived_at"] for line in b"".join(exports.stream(project, Choice())).splitlines()]
    assert [at is None for at in ours] == [False, True]


def test_the_person_is_told_when_parquet_cannot_be_read_here(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.content.formats.huggingface._CHILD", "/nonexistent")
    with pytest.raises(InvalidInput, match="more memory or time"):
        job_from(project, alice, b"PAR1 something")
