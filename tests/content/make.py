"""Files and jobs for the tests of imports."""

import hashlib
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile

from apps.accounts.models import User
from apps.content import ingest, services
from apps.content.guess import guess_mapping
from apps.content.models import ImportJob, Item
from apps.projects.models import Project


def job_from(project: Project, user: User, content: bytes, mapping: dict[str, Any] | None = None) -> ImportJob:
    """Uploaded, mapped (as guessed unless told) and queued."""
    job = services.receive(project, user, SimpleUploadedFile("questions.csv", content))
    look = services.preview(job)
    return services.start(job, mapping or guess_mapping(look.format.columns, look.rows, project.task_kind))


def run_to_end(job: ImportJob) -> ImportJob:
    while ingest.run(job.pk):
        pass
    job.refresh_from_db()
    return job


def imported(project: Project, user: User, content: bytes, mapping: dict[str, Any] | None = None) -> ImportJob:
    return run_to_end(job_from(project, user, content, mapping))


def texts(project: Project) -> list[str]:
    return list(Item.objects.filter(project=project).order_by("pk").values_list("text", flat=True))


def reasons(job: ImportJob) -> dict[int, str]:
    return dict(job.rejected.values_list("line", "reason"))


def fingerprint(project: Project) -> str:
    """Of everything an import leaves behind, but for ids and clocks."""
    rows = (
        Item.objects.filter(project=project)
        .order_by("external_id")
        .values_list("external_id", "text", "split", "language", "subject", "meta", "given__label", "given__predicted")
    )
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path
