import csv
import io
import json
import re
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from apps.accounts.models import User
from apps.content import files, services
from apps.content.models import ImportJob, Item
from apps.projects.models import Project
from tests.conftest import ClientOf
from tests.content.make import imported, job_from, run_to_end

pytestmark = pytest.mark.django_db

CONTENT = b"id,text,label\n1,where is my card,card arrival\n2,,x\n3,what is the rate,exchange rate\n"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The jobs that were handed to a worker."""
    jobs: list[int] = []
    monkeypatch.setattr("apps.content.tasks.import_file.delay_on_commit", jobs.append)
    return jobs


def upload(client: Client, content: bytes, name: str = "q.csv") -> Any:
    return client.post("/p/bank/content/", {"file": SimpleUploadedFile(name, content)})


def test_from_an_upload_to_a_mapping_to_a_job(
    client_of: ClientOf, alice: User, project: Project, started: list[int]
) -> None:
    client = client_of(alice)
    response = upload(client, CONTENT)
    job = ImportJob.objects.get()
    assert response["Location"] == f"/p/bank/content/imports/{job.pk}/"
    page = client.get(response["Location"]).content.decode()
    assert "where is my card" in page
    assert re.search(r'<option value="text"[^>]* selected', page)
    response = client.post(
        f"/p/bank/content/imports/{job.pk}/", {"text": "text", "external_id": "id", "label": "label"}
    )
    assert response.status_code == 302
    assert started == [job.pk]
    job.refresh_from_db()
    assert (job.state, job.mapping) == (
        "queued",
        {"text": "text", "external_id": "id", "label": "label", "meta": []},
    )
    run_to_end(job)
    page = client.get(f"/p/bank/content/imports/{job.pk}/").content.decode()
    assert "The text is empty." in page
    assert "hx-trigger" not in page


def test_a_running_import_is_polled_as_a_piece(client_of: ClientOf, alice: User, project: Project) -> None:
    job = job_from(project, alice, CONTENT)
    url = f"/p/bank/content/imports/{job.pk}/"
    page = client_of(alice).get(url)
    assert 'hx-trigger="every 1s"' in page.content.decode()
    piece = client_of(alice).get(url, headers={"HX-Request": "true", "HX-Target": "import"})
    assert piece.content.decode().lstrip().startswith('<div id="import"')
    assert "HX-Request" in piece["Vary"]
    assert "HX-Trigger" not in piece
    run_to_end(job)
    piece = client_of(alice).get(url, headers={"HX-Request": "true", "HX-Target": "import"})
    assert json.loads(piece["HX-Trigger"]) == {"announce": {"value": "questions.csv: done"}}


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "empty"), (b"\x00\x01\x02" * 999, "not a text file"), (b"PK\x03\x04..", "archive is damaged")],
)
def test_a_file_that_cannot_be_read_is_refused_beside_its_field(
    client_of: ClientOf, alice: User, content: bytes, words: str
) -> None:
    response = upload(client_of(alice), content)
    assert response.status_code == 422
    assert words in response.content.decode()
    assert not ImportJob.objects.exists()
    assert list(files.folder().iterdir()) == []


def test_a_file_over_the_cap_is_refused_in_words_and_never_written(
    client_of: ClientOf, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "UPLOAD_MAX_BYTES", 1024 * 1024)
    response = upload(client_of(alice), b"text\n" + b"x" * 1_500_000)
    assert response.status_code == 422
    assert "larger than 1 MB" in response.content.decode()
    assert list(files.folder().iterdir()) == []


def test_an_upload_of_nobody_is_not_kept(project: Project) -> None:
    response = upload(Client(), CONTENT)
    assert response.status_code == 302
    assert "/accounts/login/" in response["Location"]
    assert list(files.folder().iterdir()) == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\evil.csv", "<script>alert(1)</script>.csv", "a" * 400])
def test_the_clients_name_is_only_ever_shown(client_of: ClientOf, alice: User, name: str) -> None:
    client = client_of(alice)
    upload(client, CONTENT, name)
    job = ImportJob.objects.get()
    assert re.fullmatch(r"[0-9a-f]{32}", job.file)
    assert files.path_of(job).parent == files.folder()
    page = client.get("/p/bank/content/").content.decode()
    assert "<script>alert" not in page
    services.cancel(job)


def test_texts_are_escaped_in_the_preview_and_among_the_rejected(
    client_of: ClientOf, alice: User, project: Project
) -> None:
    client = client_of(alice)
    content = b'text,split\n"<img src=x onerror=alert(1)>",nonsense\nplain,pool\n'
    upload(client, content)
    draft = ImportJob.objects.get()
    job = imported(project, alice, content)
    for pk in (draft.pk, job.pk):
        page = client.get(f"/p/bank/content/imports/{pk}/").content.decode()
        assert "<img" not in page
        assert "&lt;img" in page
    services.cancel(draft)


def test_a_mapping_without_a_text_or_with_an_unknown_column_is_refused(
    client_of: ClientOf, alice: User, project: Project, started: list[int]
) -> None:
    client = client_of(alice)
    upload(client, CONTENT)
    job = ImportJob.objects.get()
    for mapping in ({"label": "label"}, {"text": "nonsense"}, {"text": "text", "score": "id"}):
        response = client.post(f"/p/bank/content/imports/{job.pk}/", mapping)
        assert response.status_code == 422
    assert started == []
    services.cancel(job)


def test_the_person_can_correct_how_the_file_was_read(client_of: ClientOf, alice: User, project: Project) -> None:
    client = client_of(alice)
    upload(client, b"one;two, three\nfour;five, six\n")
    job = ImportJob.objects.get()
    again = f"/p/bank/content/imports/{job.pk}/read-again/"
    assert client.post(again, {"kind": "csv", "encoding": "utf-8", "delimiter": ";", "header": "on"}).status_code == 302
    job.refresh_from_db()
    assert job.format["columns"] == ["one", "two, three"]
    assert client.post(again, {"kind": "csv", "encoding": "utf-8", "delimiter": "\t"}).status_code == 302
    assert client.post(again, {"kind": "csv", "encoding": "latin-99", "delimiter": ","}).status_code == 422
    services.cancel(job)


def test_a_started_import_cannot_be_mapped_again(
    client_of: ClientOf, alice: User, project: Project, started: list[int]
) -> None:
    job = imported(project, alice, CONTENT)
    response = client_of(alice).post(f"/p/bank/content/imports/{job.pk}/", {"text": "text"})
    assert response.status_code == 409


def test_cancelling_ends_the_job_once(client_of: ClientOf, alice: User, project: Project) -> None:
    job = job_from(project, alice, CONTENT)
    client = client_of(alice)
    assert client.post(f"/p/bank/content/imports/{job.pk}/cancel/").status_code == 302
    assert client.post(f"/p/bank/content/imports/{job.pk}/cancel/").status_code == 409


def test_the_rejected_rows_come_as_a_file_without_formulas(client_of: ClientOf, alice: User, project: Project) -> None:
    job = imported(project, alice, b'text,split\n"=cmd()|x",bad\n"@SUM(1)",bad\nfine,pool\n')
    response = client_of(alice).get(f"/p/bank/content/imports/{job.pk}/rejected.csv")
    content = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["line"] for row in rows] == ["2", "3"]
    assert [row["excerpt"] for row in rows] == ["'=cmd()|x", "'@SUM(1)"]
    assert "neither pool nor holdout" in rows[0]["reason"]


def test_an_import_of_another_project_is_not_here(client_of: ClientOf, alice: User, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other", encoder="x")
    job = imported(other, alice, CONTENT)
    client = client_of(alice)
    assert client.get(f"/p/bank/content/imports/{job.pk}/").status_code == 404
    assert client.get(f"/p/bank/content/imports/{job.pk}/rejected.csv").status_code == 404
    assert client.post(f"/p/bank/content/imports/{job.pk}/cancel/").status_code == 404


@pytest.mark.parametrize("name", ["content", "import_detail", "import_rejected", "import_cancel", "import_reread"])
def test_only_administrators_get_in(
    client_of: ClientOf, project: Project, alice: User, bob: User, rita: User, dana: User, charlie: User, name: str
) -> None:
    job = imported(project, alice, CONTENT)
    url = reverse(name, args=["bank"] if name == "content" else ["bank", job.pk])
    method = "post" if name in {"import_cancel", "import_reread"} else "get"
    for user in (bob, rita, dana):
        assert getattr(client_of(user), method)(url).status_code == 403
    assert getattr(client_of(charlie), method)(url).status_code == 404
    assert Item.objects.count() == 2


def test_the_list_costs_the_same_for_few_and_many_imports(
    client_of: ClientOf, alice: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        ImportJob.objects.create(project=project, by=alice, file="x", filename=f"file {number}", format={"columns": []})
    client = client_of(alice)
    with django_assert_max_num_queries(20):
        page = client.get("/p/bank/content/").content.decode()
    assert "file 29" in page
    assert "file 5<" not in page
    (after,) = re.findall(r'href="\?after=([^"]+)"', page)
    assert "file 5<" in client.get("/p/bank/content/", {"after": after}).content.decode()
