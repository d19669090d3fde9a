"""The import engine: a file into items, chunk by chunk.

A chunk is one transaction: its items, its rejected rows and the place in the file up to which the job has come.
So a worker killed at any point leaves a whole number of chunks, and the next one goes on from there to the same
end. `attempt` is the fence: a worker that was taken for dead finds its number outdated and stops without a trace.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import activate, get_language, override
from django.utils.translation import gettext as _

from apps.content import files, staging
from apps.content.checks import Candidate, Checker, Reject, reject, share_to_hold_out
from apps.content.detect import Format
from apps.content.models import ImportJob
from apps.content.reader import Row, as_utf8, count_lines, needs_transcoding, rows, stage
from apps.content.refusal import Rejected, Unreadable

log = logging.getLogger(__name__)

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 8_000_000  # long texts make shorter chunks: memory stays flat
BEAT_SECONDS = 5.0
SLICE_SECONDS = 30.0  # then the worker is given back and the job asks for another one
SILENCE = timedelta(seconds=40)  # a running job not heard of for so long has lost its worker
MAX_LOSSES = 5  # workers lost at one place of the file
State = ImportJob.State


class Stopped(Exception):
    """The job is no longer ours: cancelled, or taken over by another attempt."""


@dataclass
class Chunk:
    candidates: list[Candidate] = field(default_factory=list)
    rejected: list[Reject] = field(default_factory=list)
    read: int = 0
    characters: int = 0
    end: int = 0

    @property
    def full(self) -> bool:
        return self.read >= CHUNK_ROWS or self.characters >= CHUNK_CHARACTERS


def run(job_id: int, *, seconds: float = SLICE_SECONDS, after_chunk: Callable[[], None] = lambda: None) -> bool:
    """Works on the job for about `seconds`; True when there is more to do."""
    job = claim(job_id)
    if job is None:
        return False
    with _sender(job):
        try:
            return _work(job, time.monotonic() + seconds, after_chunk)
        except Stopped:
            log.info("import %s: attempt %s was stopped", job.pk, job.attempt)
        except Unreadable as refusal:
            _finish(job, State.FAILED, str(refusal))
        except FileNotFoundError:
            _finish(job, State.FAILED, _("The uploaded file is gone from the server. Upload it again."))
        except OSError as error:
            _finish(job, State.FAILED, _("The server could not read or write the file: %(error)s") % {"error": error})
    return False


def _sender(job: ImportJob) -> override:
    """Reasons stand in the language of whoever sent the file."""
    return override(job.format.get("spoken", "en"))


def claim(job_id: int) -> ImportJob | None:
    """Compare-and-swap under the row's lock: of two messages for one job, one finds nothing to do."""
    now = timezone.now()
    with transaction.atomic():
        jobs = ImportJob.objects.select_related("project").select_for_update(of=("self",))
        job = jobs.filter(_free(now), pk=job_id).first()
        if job is None:
            return None
        job.attempt += 1
        lost = job.state == State.RUNNING and job.heartbeat_at is not None
        job.state, job.heartbeat_at, job.started_at = State.RUNNING, now, job.started_at or now
        if lost:
            _count_loss(job)
        job.save(update_fields=["attempt", "state", "heartbeat_at", "started_at", "format", "error", "finished_at"])
    return job if job.state == State.RUNNING else None


def _free(now: datetime) -> Q:
    lost = Q(heartbeat_at=None) | Q(heartbeat_at__lt=now - SILENCE)
    return Q(state=State.QUEUED) | Q(state=State.RUNNING) & lost


def _count_loss(job: ImportJob) -> None:
    """Something at this place of the file may end the worker every time: then the job ends, in words."""
    place, times = job.format.get("lost", [job.done_bytes, 0])
    times = times + 1 if place == job.done_bytes else 1
    job.format["lost"] = [job.done_bytes, times]
    if times >= MAX_LOSSES:
        job.state, job.finished_at, job.heartbeat_at = State.FAILED, job.heartbeat_at, None
        with _sender(job):
            sentence = _("The import stopped %(times)d times at the same place. What came before it is in.")
        job.error = sentence % {"times": times}


def _work(job: ImportJob, until: float, after_chunk: Callable[[], None]) -> bool:
    share = _prepare(job)
    for number, chunk in enumerate(_ahead(_chunks(job))):
        _store(job, chunk, share)
        if number == 0 and chunk.full:
            staging.refresh_statistics()
        after_chunk()
        if time.monotonic() > until:
            return _park(job)
    _finish(job, State.SUCCEEDED)
    return False


def _prepare(job: ImportJob) -> float:
    """The file in UTF-8 and in rows, its length, and one share to hold out for all of it, before the first row."""
    format, path = Format.from_json(job.format), files.path_of(job)
    if needs_transcoding(format):
        if not files.utf8_path_of(job).exists():
            as_utf8(path, files.utf8_path_of(job), format)
        path = files.utf8_path_of(job)
    if format.staged:
        if not files.staged_path_of(job).exists():
            stage(path, files.staged_path_of(job), format, _heartbeat(job))
        path = files.staged_path_of(job)
    if "share" not in job.format:
        coming = max(1, count_lines(path))
        project = job.project
        held_out = staging.held_out(project)
        share = share_to_hold_out(project.holdout_fraction, project.holdout_cap, held_out, coming)
        job.format["share"] = share
        _advance(job, format=job.format, total_bytes=path.stat().st_size)
    return float(job.format["share"])


def _heartbeat(job: ImportJob) -> Callable[[], None]:
    """Says now and then that the job is alive; raises Stopped when it is ours no more."""
    last = time.monotonic()

    def alive() -> None:
        nonlocal last
        if time.monotonic() - last > BEAT_SECONDS:
            _advance(job)
            last = time.monotonic()

    return alive


def _ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """Reads and checks the next chunk while the database takes this one in."""
    with ThreadPoolExecutor(1, initializer=activate, initargs=(get_language() or "en",)) as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


def _chunks(job: ImportJob) -> Iterator[Chunk]:
    format = Format.from_json(job.format)
    path = files.utf8_path_of(job) if needs_transcoding(format) else files.path_of(job)
    path = files.staged_path_of(job) if format.staged else path
    checker = Checker(format.columns, job.mapping, overlapping=job.project.overlapping)
    chunk = Chunk()
    for row in rows(path, format, job.done_bytes):
        _add(chunk, row, checker)
        if chunk.full:
            yield chunk
            chunk = Chunk()
    if chunk.read:
        yield chunk


def _add(chunk: Chunk, row: Row, checker: Checker) -> None:
    chunk.read += 1
    chunk.end = row.end
    if row.problem:
        chunk.rejected.append(reject(row.line, row.problem, row.excerpt))
        return
    try:
        candidate = checker.candidate(row.line, row.values)
    except Rejected as reason:
        chunk.rejected.append(reject(row.line, str(reason), checker.excerpt(row.values)))
        return
    chunk.candidates.append(candidate)
    chunk.characters += len(candidate.text) + len(candidate.meta)


def _store(job: ImportJob, chunk: Chunk, share: float) -> None:
    with staging.arrivals(job.project):
        added, known, also_rejected = staging.merge(job.project, job, chunk.candidates, share)
        rejects = chunk.rejected + also_rejected
        staging.write_rejected(job, rejects)
        _advance(
            job,
            done_bytes=chunk.end,
            rows_read=F("rows_read") + chunk.read,
            rows_added=F("rows_added") + added,
            rows_known=F("rows_known") + known,
            rows_skipped=F("rows_skipped") + len(rejects),
        )


def _advance(job: ImportJob, **changes: object) -> None:
    ours = ImportJob.objects.filter(pk=job.pk, attempt=job.attempt, state=State.RUNNING)
    if not ours.update(**{"heartbeat_at": timezone.now()} | changes):
        raise Stopped


def _park(job: ImportJob) -> bool:
    """Gives the worker back between two slices; a job without heartbeat may be claimed at once."""
    _advance(job, heartbeat_at=None)
    return True


def _finish(job: ImportJob, state: ImportJob.State, error: str = "") -> None:
    ours = ImportJob.objects.filter(pk=job.pk, attempt=job.attempt, state=State.RUNNING)
    changes: dict[str, object] = {"state": state, "error": error, "finished_at": timezone.now(), "heartbeat_at": None}
    if state == State.SUCCEEDED:
        changes["done_bytes"] = F("total_bytes")
    if ours.update(**changes):
        files.remove(job)


def waiting() -> list[int]:
    """Jobs whose message or worker was lost."""
    jobs = ImportJob.objects.filter(_free(timezone.now())).order_by("pk")
    return list(jobs.values_list("pk", flat=True)[:100])
