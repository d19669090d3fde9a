"""Decisions about imports. The engine itself is ingest.py."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import IO, Any

from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from apps.accounts.models import User
from apps.common.errors import DomainError, InvalidInput
from apps.content import files, staging
from apps.content.checks import Candidate, Checker, Reject, reject
from apps.content.detect import DELIMITERS, ENCODINGS, FORMATS, ONE_COLUMN, Format, Look, look_at
from apps.content.guess import FIELDS, fields_of
from apps.content.models import ImportJob, Item
from apps.content.refusal import Rejected, Unreadable
from apps.projects.models import Project

MOST_AT_ONCE = 1000  # items of one call; more is what imports are for
DRAFT_LIFE = timedelta(days=2)
State = ImportJob.State


# --- from a file to a job ------------------------------------------------------------------------------
def receive(project: Project, user: User, upload: UploadedFile, kind: str = "") -> ImportJob:
    try:
        name = files.unpacked(files.keep_upload(upload))
    except Unreadable as refusal:
        raise InvalidInput(str(refusal), field="file") from refusal
    return _draft(project, user, name, upload.name or "", kind)


def receive_rows(project: Project, user: User, filename: str, write: Callable[[IO[bytes]], Any]) -> ImportJob:
    return _draft(project, user, files.keep(write), filename)


def _draft(project: Project, user: User, name: str, filename: str, kind: str = "") -> ImportJob:
    job = ImportJob(project=project, by=user, file=name, filename=files.shown_name(filename))
    try:
        look = look_at(files.path_of(job), kind=kind)
    except Unreadable as refusal:
        files.remove(job)
        raise InvalidInput(str(refusal), field="file") from refusal
    job.format = look.format.as_json() | {"spoken": get_language() or "en"}
    job.total_bytes = files.path_of(job).stat().st_size
    job.save()
    return job


def preview(job: ImportJob) -> Look:
    stored = Format.from_json(job.format)
    try:
        return look_at(files.path_of(job), **_as_said(stored.kind, stored.encoding, stored.delimiter, stored.header))
    except FileNotFoundError:
        raise DomainError(_("The uploaded file is gone from the server. Upload it again.")) from None


def _as_said(kind: str, encoding: str, delimiter: str, header: bool) -> dict[str, Any]:
    """Only a table has cells and a header."""
    table = {"delimiter": delimiter, "header": header} if kind == "csv" else {}
    return {"kind": kind, "encoding": encoding} | table


def read_again(job: ImportJob, *, kind: str, encoding: str, delimiter: str, header: bool) -> ImportJob:
    """The person knows better than our guess."""
    if kind not in FORMATS:
        raise InvalidInput(_("This format is not one of ours."), field="kind")
    if encoding not in ENCODINGS:
        raise InvalidInput(_("This encoding is not one of ours."), field="encoding")
    if delimiter not in (*DELIMITERS, ONE_COLUMN):
        raise InvalidInput(_("This delimiter is not one of ours."), field="delimiter")
    try:
        look = look_at(files.path_of(job), **_as_said(kind, encoding, delimiter, header))
    except Unreadable as refusal:
        raise InvalidInput(str(refusal), field="kind") from refusal
    format = look.format.as_json() | {"spoken": job.format.get("spoken", "en")}
    if not ImportJob.objects.filter(pk=job.pk, state=State.DRAFT).update(format=format):
        raise _not_a_draft()
    job.format = format
    return job


def start(job: ImportJob, mapping: Mapping[str, Any]) -> ImportJob:
    checked = check_mapping(mapping, job.format["columns"], job.project.task_kind)
    changed = ImportJob.objects.filter(pk=job.pk, state=State.DRAFT).update(
        state=State.QUEUED, mapping=checked, created_at=timezone.now()
    )
    if not changed:
        raise _not_a_draft()
    job.refresh_from_db()
    return job


def _not_a_draft() -> DomainError:
    return DomainError(_("This import has been started already. Upload the file again to map it differently."))


def check_mapping(mapping: Mapping[str, Any], columns: Sequence[str], task_kind: str) -> dict[str, Any]:
    unknown = [name for name in mapping if name not in (*FIELDS, "meta")]
    if unknown:
        raise InvalidInput(_("There is no field called “%(name)s”.") % {"name": unknown[0]}, field=unknown[0])
    checked: dict[str, Any] = {name: mapping[name] for name in FIELDS if mapping.get(name)}
    strange = [name for name in checked if name not in fields_of(task_kind)]
    if strange:
        raise InvalidInput(
            _("This project's truths are of another kind: it has no field called “%(name)s”.") % {"name": strange[0]},
            field=strange[0],
        )
    meta = mapping.get("meta") or []
    if not isinstance(meta, list):
        raise InvalidInput(_("Metadata is a list of columns."), field="meta")
    for name, column in [*checked.items(), *(("meta", column) for column in meta)]:
        if column not in columns:
            raise InvalidInput(_("The file has no column “%(name)s”.") % {"name": str(column)[:80]}, field=name)
    checked["meta"] = meta
    if "text" not in checked:
        raise InvalidInput(_("Say which column holds the text."), field="text")
    if "score" in checked and "prediction" not in checked:
        raise InvalidInput(_("A prediction score needs the column with the predicted label."), field="score")
    return checked


def cancel(job: ImportJob) -> ImportJob:
    """What is in stays in: items are never taken back behind somebody who may have labelled them."""
    open_states = [State.DRAFT, State.QUEUED, State.RUNNING]
    changed = ImportJob.objects.filter(pk=job.pk, state__in=open_states).update(
        state=State.CANCELLED, finished_at=timezone.now(), heartbeat_at=None
    )
    if not changed:
        raise DomainError(_("This import has ended already."))
    files.remove(job)
    job.refresh_from_db()
    return job


def forget_drafts() -> int:
    """Files that were uploaded and never mapped."""
    old = ImportJob.objects.filter(state=State.DRAFT, created_at__lt=timezone.now() - DRAFT_LIFE)
    jobs = list(old[:100])
    for job in jobs:
        cancel(job)
    return len(jobs)


# --- a few items at once -------------------------------------------------------------------------------
@dataclass
class Added:
    added: int = 0
    known: int = 0
    rejected: list[Reject] = field(default_factory=list)  # `line` is the place in the call, from 0
    items: dict[str, int] = field(default_factory=dict)  # external id -> id


def add_items(project: Project, given: Sequence[Mapping[str, Any]]) -> Added:
    """All that are good go in together. Nobody knows how many more will come, so each is drawn with the
    project's plain share until the hold-out is full."""
    if len(given) > MOST_AT_ONCE:
        raise InvalidInput(
            _("At most %(most)d items fit in one call. Import a file for more.") % {"most": MOST_AT_ONCE}, field="items"
        )
    done = Added()
    candidates = _candidates(project, given, done)
    with staging.arrivals(project):
        added, known, rejected = staging.merge(project, None, candidates, project.holdout_fraction)
    done.added, done.known = added, known
    done.rejected = sorted([*done.rejected, *rejected], key=lambda row: row.line)
    refused = {row.line for row in rejected}
    here = [row.external_id for row in candidates if row.line not in refused]
    done.items = dict(Item.objects.filter(project=project, external_id__in=here).values_list("external_id", "pk"))
    return done


def _candidates(project: Project, given: Sequence[Mapping[str, Any]], done: Added) -> list[Candidate]:
    columns = (*fields_of(project.task_kind), "meta")
    checker = Checker(
        columns,
        {name: name for name in columns if name != "meta"} | {"meta": ["meta"]},
        overlapping=project.overlapping,
    )
    candidates = []
    for place, item in enumerate(given):
        cells = [item.get(column) for column in columns]
        try:
            candidates.append(checker.candidate(place, cells))
        except Rejected as reason:
            done.rejected.append(reject(place, str(reason), checker.excerpt(cells)))
    return candidates
