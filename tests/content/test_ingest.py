import json
import os
import signal
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.utils import timezone

from apps.accounts.models import User
from apps.content import files, ingest, services
from apps.content.models import GivenLabel, ImportJob, Item, RejectedRow
from apps.projects.models import Label, Project
from tests.content.make import fingerprint, imported, job_from, reasons, run_to_end, texts

pytestmark = pytest.mark.django_db


def table(number: int, start: int = 0) -> bytes:
    lines = [f'q{n},"question {n}, really",{"abc"[n % 3]}' for n in range(start, start + number)]
    return "\n".join(["id,text,label", *lines, ""]).encode()


def test_good_rows_go_in_with_all_their_fields(project: Project, alice: User) -> None:
    row = {
        **{"id": "a1", "text": "Where is it?\r\n😀", "label": "card arrival", "split": "test", "lang": "en"},
        **{"user": "u-9", "prediction": "exchange rate", "confidence": 0.75, "channel": "mail", "stars": 4},
    }
    job = imported(project, alice, (json.dumps(row) + "\n").encode())
    assert (job.state, job.rows_read, job.rows_added, job.rows_skipped) == ("succeeded", 1, 1, 0)
    item = Item.objects.get()
    assert (item.external_id, item.text, item.split) == ("a1", "Where is it?\n😀", "holdout")
    assert (item.language, item.subject, item.meta) == ("en", "u-9", {"channel": "mail", "stars": 4})
    assert item.source == job
    given = GivenLabel.objects.get()
    assert (given.label, given.predicted, given.score) == ("card arrival", "exchange rate", 0.75)
    assert job.done_bytes == job.total_bytes


def test_bad_rows_are_counted_and_listed_and_good_ones_go_in(project: Project, alice: User) -> None:
    content = (
        b"id,text,label\n1,fine,a\n2,,a\n3," + b"x" * 25_001 + b",a\n4,a,b,c\n1,another text,a\n1,fine,a\n5,good,b\n"
    )
    job = imported(project, alice, content)
    assert (job.rows_read, job.rows_added, job.rows_known, job.rows_skipped) == (7, 2, 1, 4)
    found = reasons(job)
    assert sorted(found) == [3, 4, 5, 6]
    assert "empty" in found[3]
    assert "25001" in found[4]
    assert "appears earlier in this file with another text" in found[6]
    assert texts(project) == ["fine", "good"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_every_encoding_and_delimiter_gives_the_same_items(
    project: Project, alice: User, encoding: str, delimiter: str
) -> None:
    rows = [["评论", "标签"], ["外卖很好吃，下次还点", "好评"], ["等了两个小时才送到", "差评"], ["味道一般", "差评"]]
    content = "\r\n".join(delimiter.join(row) for row in rows).encode(encoding)
    job = imported(project, alice, content)
    assert (job.state, job.rows_added) == ("succeeded", 3)
    assert texts(project) == [row[0] for row in rows[1:]]
    assert list(GivenLabel.objects.order_by("pk").values_list("label", flat=True)) == ["好评", "差评", "差评"]


def test_the_same_file_again_adds_nothing(project: Project, alice: User) -> None:
    for content in (table(50), b"text\nno id here\nnor here\n"):
        first = imported(project, alice, content)
        before = fingerprint(project)
        second = imported(project, alice, content)
        assert (second.rows_added, second.rows_skipped) == (0, 0)
        assert second.rows_known == first.rows_added
        assert fingerprint(project) == before


def test_an_id_that_is_here_with_another_text_is_refused(project: Project, alice: User) -> None:
    imported(project, alice, b"id,text\n1,the first text\n")
    job = imported(project, alice, b"id,text\n1,another text\n")
    assert (job.rows_added, job.rows_skipped) == (0, 1)
    assert "in this project with another text" in reasons(job)[2]
    assert texts(project) == ["the first text"]


def test_open_labels_are_made_in_order_with_colours_in_turn(project: Project, alice: User) -> None:
    content = "text,label\n" + "".join(f"text {n},new {n:02}\n" for n in range(20))
    imported(project, alice, content.encode())
    made = list(project.labels.filter(name__startswith="new").order_by("position"))
    assert [label.name for label in made] == [f"new {n:02}" for n in range(20)]
    assert [label.color for label in made[:10]] == [4, 5, 6, 7, 8, 9, 10, 11, 12, 1]


def test_closed_labels_refuse_unknown_ones(project: Project, alice: User) -> None:
    Project.objects.update(labels_closed=True)
    job = imported(project, alice, b"text,label,prediction\na,card arrival,\nb,nonsense,\nc,,nonsense\nd,,\n")
    assert texts(project) == ["a", "d"]
    assert all("labels are closed" in reasons(job)[line] for line in (3, 4))
    assert Label.objects.count() == 3


def test_an_archived_label_is_refused(project: Project, alice: User) -> None:
    Label.objects.filter(name="card arrival").update(archived_at=timezone.now())
    job = imported(project, alice, b"text,label\na,card arrival\n")
    assert "archived" in reasons(job)[2]


def test_ten_percent_are_held_out_whatever_the_order_or_the_chunks(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"id{n},question number {n}" for n in range(2000)]
    other = Project.objects.create(slug="other", name="Other", encoder="x", seed=project.seed)
    imported(project, alice, "\n".join(["id,text", *lines]).encode())
    monkeypatch.setattr(ingest, "CHUNK_ROWS", 37)
    imported(other, alice, "\n".join(["id,text", *reversed(lines)]).encode())
    assert 150 < project.items.filter(split="holdout").count() < 250
    assert fingerprint(project) == fingerprint(other)


def test_another_seed_holds_out_others(project: Project, alice: User) -> None:
    content = ("text\n" + "".join(f"question {n}\n" for n in range(500))).encode()
    other = Project.objects.create(slug="other", name="Other", encoder="x", seed=5)
    imported(project, alice, content)
    imported(other, alice, content)
    assert fingerprint(project) != fingerprint(other)


def test_the_cap_spreads_over_the_whole_file(project: Project, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    Project.objects.update(holdout_cap=100)
    monkeypatch.setattr(ingest, "CHUNK_ROWS", 500)
    imported(project, alice, ("text\n" + "".join(f"question {n}\n" for n in range(4000))).encode())
    places = [int(text.split()[1]) for text in project.items.filter(split="holdout").values_list("text", flat=True)]
    assert 40 < len(places) <= 100
    assert 1500 < sum(places) / len(places) < 2500


def test_the_cap_is_never_passed(project: Project, alice: User) -> None:
    Project.objects.update(holdout_cap=20)
    for part in range(4):
        imported(project, alice, ("text\n" + "".join(f"part {part} {n}\n" for n in range(300))).encode())
    assert project.items.filter(split="holdout").count() <= 20


def test_the_same_text_never_lies_on_both_sides(project: Project, alice: User) -> None:
    same = b"".join(b"%d,the very same text,\n" % n for n in range(40))
    imported(project, alice, b"id,text,split\n" + same)
    (side,) = set(project.items.values_list("split", flat=True))
    other_side = {"pool": b"holdout", "holdout": b"pool"}[side]
    job = imported(project, alice, b"id,text,split\n100,the very same text," + other_side + b"\n101,another,holdout\n")
    assert "cannot be on both sides" in reasons(job)[2]
    assert Item.objects.get(external_id="101").split == "holdout"


def test_a_bad_split_or_score_costs_its_row(project: Project, alice: User) -> None:
    job = imported(project, alice, b"text,split,prediction,score\na,dev,,\nb,,x,2\nc,pool,x,0.5\n")
    assert texts(project) == ["c"]
    assert sorted(reasons(job)) == [2, 3]


def test_chunks_are_cut_by_length_too(project: Project, alice: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "CHUNK_CHARACTERS", 30_000)
    chunks: list[int] = []
    content = ("text\n" + "".join(f"{n} {'x' * 10_000}\n" for n in range(12))).encode()
    job = job_from(project, alice, content)
    ingest.run(job.pk, after_chunk=lambda: chunks.append(Item.objects.count()))
    assert chunks == [3, 6, 9, 12]


# --- slices, cancelling, two workers -------------------------------------------------------------------
@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest, "CHUNK_ROWS", 10)


@pytest.mark.usefixtures("small_chunks")
def test_a_long_import_gives_its_worker_back_between_slices(project: Project, alice: User) -> None:
    job = job_from(project, alice, table(35))
    assert ingest.run(job.pk, seconds=0) is True
    job.refresh_from_db()
    assert (job.state, job.rows_read) == ("running", 10)
    assert job.pk in ingest.waiting()
    assert (run_to_end(job).rows_added, Item.objects.count()) == (35, 35)


@pytest.mark.usefixtures("small_chunks")
def test_a_cancelled_import_stops_at_its_chunk(project: Project, alice: User) -> None:
    job = job_from(project, alice, table(35))
    ingest.run(job.pk, after_chunk=lambda: services.cancel(ImportJob.objects.get(pk=job.pk)))
    job.refresh_from_db()
    assert (job.state, Item.objects.count()) == ("cancelled", 10)
    assert not files.path_of(job).exists()
    assert ingest.run(job.pk) is False


@pytest.mark.usefixtures("small_chunks")
def test_a_worker_taken_for_dead_writes_nothing_more(project: Project, alice: User) -> None:
    job = job_from(project, alice, table(35))

    def another_takes_over() -> None:
        ImportJob.objects.filter(pk=job.pk).update(heartbeat_at=timezone.now() - timedelta(minutes=5))
        assert ingest.claim(job.pk) is not None

    ingest.run(job.pk, after_chunk=another_takes_over)
    assert Item.objects.count() == 10


def test_a_running_job_is_not_claimed_twice(project: Project, alice: User) -> None:
    job = job_from(project, alice, table(5))
    assert ingest.claim(job.pk) is not None
    assert ingest.claim(job.pk) is None
    assert ingest.waiting() == []


def test_a_job_whose_worker_is_silent_is_found_and_given_up_after_a_few_times(project: Project, alice: User) -> None:
    job = job_from(project, alice, table(5))
    assert ingest.claim(job.pk) is not None
    for _ in range(ingest.MAX_LOSSES):
        assert ImportJob.objects.filter(pk=job.pk, state="running").update(
            heartbeat_at=timezone.now() - timedelta(minutes=5)
        )
        assert ingest.waiting() == [job.pk]
        ingest.claim(job.pk)
    job.refresh_from_db()
    assert job.state == "failed"
    assert "stopped 5 times" in job.error


def test_a_file_that_is_gone_fails_in_words(project: Project, alice: User) -> None:
    job = job_from(project, alice, table(5))
    files.remove(job)
    assert "gone from the server" in run_to_end(job).error


def test_the_upload_is_removed_when_the_import_is_done(project: Project, alice: User) -> None:
    job = imported(project, alice, table(5))
    assert not files.path_of(job).exists()


def test_drafts_left_alone_are_forgotten(project: Project, alice: User) -> None:
    job = services.receive(project, alice, SimpleUploadedFile("a.csv", table(3)))
    assert services.forget_drafts() == 0
    ImportJob.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert services.forget_drafts() == 1
    assert not files.path_of(job).exists()


# --- kill -9 -------------------------------------------------------------------------------------------
_CHILD = """
import os, signal, sys, django
django.setup()
from apps.content import ingest, staging
job, chunks, where = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
ingest.CHUNK_ROWS = 50
done = 0
def die():
    os.kill(os.getpid(), signal.SIGKILL)
def after():
    global done
    done += 1
    if done == chunks and where == "between":
        die()
if where == "inside":
    store = staging.write_rejected
    def torn(*given):
        global done
        done += 1
        store(*given)
        if done > chunks:
            die()
    staging.write_rejected = torn
ingest.run(job, after_chunk=after)
"""


def run_child_that_dies(job: ImportJob, chunks: int, where: str) -> None:
    at = connection.settings_dict
    url = f"postgresql://{at['USER']}:{quote(at['PASSWORD'])}@{quote(at['HOST'], safe='')}:{at['PORT']}/{at['NAME']}"
    env = os.environ | {
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "apps.config.settings",
        "MARGINALIA_HOME": str(settings.HOME),
    }
    child = subprocess.run([sys.executable, "-c", _CHILD, str(job.pk), str(chunks), where], env=env, check=False)
    assert child.returncode == -signal.SIGKILL


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("where", ["between", "inside"])
def test_a_worker_killed_in_the_middle_resumes_to_the_same_end(project: Project, alice: User, where: str) -> None:
    rows: list[Any] = ["id,text,label"]
    for n in range(300):
        text = [f'"two\nlines {n}"', f"plain {n}", "", f"plain {n - n % 7}"][n % 4]
        rows.append(f"id{n - n % 9 if n % 5 == 0 else n},{text},{'xyz'[n % 3]}")
    content = "\r\n".join(rows).encode("utf-16")
    unbroken = Project.objects.create(slug="unbroken", name="Unbroken", encoder="x", seed=project.seed)
    expected = imported(unbroken, alice, content)

    job = job_from(project, alice, content)
    for chunks in (2, 1):
        run_child_that_dies(job, chunks, where)
        assert ImportJob.objects.filter(pk=job.pk, state="running").update(
            heartbeat_at=timezone.now() - timedelta(minutes=5)
        )
    assert 0 < Item.objects.filter(project=project).count() < expected.rows_added
    run_to_end(job)
    assert job.state == "succeeded"
    assert fingerprint(project) == fingerprint(unbroken)
    for counter in ("rows_read", "rows_added", "rows_known", "rows_skipped"):
        assert getattr(job, counter) == getattr(expected, counter)
    both = [
        RejectedRow.objects.filter(job=one).order_by("line").values_list("line", "reason") for one in (job, expected)
    ]
    assert list(both[0]) == list(both[1])


# --- a few at once -------------------------------------------------------------------------------------
def test_items_of_one_call_go_in_and_the_bad_ones_are_named(project: Project) -> None:
    given = [
        {"text": "one", "external_id": "1", "label": "card arrival", "meta": {"a": [1]}},
        {"text": ""},
        {"text": "two", "external_id": "1"},
        {"text": "one", "external_id": "1"},
    ]
    done = services.add_items(project, given)
    assert (done.added, done.known) == (1, 1)
    assert [row.line for row in done.rejected] == [1, 2]
    assert done.items == {"1": Item.objects.get().pk}
    assert Item.objects.get().meta == {"a": [1]}
    assert services.add_items(project, given[:1]).added == 0


def test_reading_a_large_file_holds_a_chunk_at_a_time(
    project: Project, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "CHUNK_ROWS", 1000)
    content = "text,label\n" + "".join(f"question {n} {'long ' * 50},a\n" for n in range(60_000))
    job = job_from(project, alice, content.encode())
    tracemalloc.start()
    read = sum(chunk.read for chunk in ingest._chunks(job))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read == 60_000
    assert len(content) > 16_000_000
    assert peak < 6_000_000
