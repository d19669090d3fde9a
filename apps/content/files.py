"""Where uploads lie: below HOME/files, under names that we make. The client's name is only ever shown."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from apps.common.errors import InvalidInput
from apps.content.formats import archives
from apps.content.models import ImportJob

_BLOCK = 1024 * 1024


def folder() -> Path:
    path = Path(settings.HOME) / "files" / "imports"
    path.mkdir(parents=True, exist_ok=True)
    return path


def path_of(job: ImportJob) -> Path:
    return folder() / Path(job.file).name


def utf8_path_of(job: ImportJob) -> Path:
    return path_of(job).with_suffix(".utf8")


def staged_path_of(job: ImportJob) -> Path:
    return path_of(job).with_suffix(".rows")


def remove(job: ImportJob) -> None:
    uploaded = path_of(job)
    for path in (uploaded, *(uploaded.with_suffix(ending) for ending in (".utf8", ".rows", ".part"))):
        path.unlink(missing_ok=True)


def keep_upload(upload: UploadedFile) -> str:
    """Our name of the file. What the upload handler has written to our disk already only gets a second name."""
    if (upload.size or 0) > settings.UPLOAD_MAX_BYTES:
        raise too_large()
    written = getattr(upload, "temporary_file_path", None)
    if written is not None:
        upload.flush()
        name = uuid.uuid4().hex
        try:
            os.link(written(), folder() / name)
            return name
        except OSError:  # another file system
            pass
    return keep(lambda out: _copy(upload, out))


def keep(write: Callable[[IO[bytes]], Any]) -> str:
    name = uuid.uuid4().hex
    path = folder() / name
    with path.open("xb") as out:
        try:
            write(out)
        except BaseException:
            path.unlink()
            raise
        out.flush()
        os.fsync(out.fileno())
    return name


def unpacked(name: str) -> str:
    """Our name of what is in an archive, whose own file goes; anything else keeps its name."""
    path = folder() / name
    if not archives.is_archive(path):
        return name
    inside = uuid.uuid4().hex
    try:
        archives.unpack(path, folder() / inside, settings.UPLOAD_MAX_BYTES)
    finally:
        path.unlink()
    return inside


def _copy(upload: UploadedFile, out: IO[bytes]) -> None:
    for block in upload.chunks(_BLOCK):
        out.write(block)


def too_large() -> InvalidInput:
    most = settings.UPLOAD_MAX_BYTES // _BLOCK
    sentence = _("The file is larger than %(most)d MB. Split it, or raise UPLOAD_MAX_MB on the server.")
    return InvalidInput(sentence % {"most": most}, field="file")


def shown_name(name: str) -> str:
    return "".join(char for char in Path(name.replace("\\", "/")).name if char.isprintable())[:200] or _("unnamed")
