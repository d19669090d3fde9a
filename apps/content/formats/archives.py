"""One file out of a .zip or .gz, counted while it is unpacked: what an archive declares about itself may be a lie."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from django.utils.translation import gettext as _

from apps.content.refusal import Unreadable

MOST_RATIO = 100  # unpacked bytes to a packed one; text packs to a tenth or so
FREE = 32 * 1024 * 1024  # below this the ratio does not matter
MOST_MEMBERS = 1000
MOST_DIRECTORY = 4 * 1024 * 1024  # bytes of a zip's list of contents, which is read whole
_BLOCK = 256 * 1024
_NO_CONTENT = ("__MACOSX/", ".DS_Store", "Thumbs.db")
_DOCUMENTS = (".md", ".license", "license", "readme", "readme.txt", ".pdf", ".yaml", ".yml", "dataset_infos.json")


def is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b"))


def unpack(source: Path, target: Path, most: int) -> None:
    """Writes the one file of content to `target`, whole or not at all."""
    try:
        with target.open("xb") as out:
            for block in _blocks(source, most):
                out.write(block)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    with target.open("rb") as file:
        if file.read(4).startswith((b"PK\x03\x04", b"\x1f\x8b")):
            target.unlink()
            raise Unreadable(_("There is an archive inside the archive. Pack the file itself."))


def _blocks(source: Path, most: int) -> Iterator[bytes]:
    with source.open("rb") as file:
        gzip = file.read(2) == b"\x1f\x8b"
    packed = source.stat().st_size
    count = 0
    try:
        for block in _inflated(source) if gzip else _member(source, most):
            count += len(block)
            if count > most or count > max(FREE, MOST_RATIO * packed):
                raise Unreadable(
                    _("Unpacked, the file would be larger than %(most)d MB, or out of all proportion to its archive.")
                    % {"most": most // 1024**2}
                )
            yield block
    except (zlib.error, EOFError, zipfile.BadZipFile, struct.error, NotImplementedError, RuntimeError) as error:
        raise Unreadable(_("The archive is damaged or of a kind that cannot be read.")) from error


def _inflated(source: Path) -> Iterator[bytes]:
    with source.open("rb") as file:
        data = file.read(_BLOCK)
        while data:  # several compressed parts may follow one another
            part = zlib.decompressobj(wbits=31)
            while not part.eof:
                if not data and not (data := file.read(_BLOCK)):
                    raise EOFError
                yield part.decompress(data, _BLOCK)
                data = part.unconsumed_tail
            data = part.unused_data or file.read(_BLOCK)
            if data and not data.strip(b"\x00"):
                return  # padding


def _member(source: Path, most: int) -> Iterator[bytes]:
    with source.open("rb") as file:
        _check_directory(file, source.stat().st_size)
    with zipfile.ZipFile(source) as archive:
        member = _the_one(archive)
        if member.file_size > most:
            raise Unreadable(
                _("Unpacked, the file would be larger than %(most)d MB, or out of all proportion to its archive.")
                % {"most": most // 1024**2}
            )
        with archive.open(member) as content:
            while block := content.read(_BLOCK):
                yield block


def _check_directory(file: IO[bytes], size: int) -> None:
    """Before zipfile reads the whole list of contents into memory."""
    file.seek(max(0, size - 65_557))
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise zipfile.BadZipFile
    entries, length = struct.unpack("<HI", tail[at + 10 : at + 16])
    if entries > MOST_MEMBERS or length > MOST_DIRECTORY:
        raise Unreadable(_("The archive holds more than %(most)d files.") % {"most": MOST_MEMBERS})


def _the_one(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    names = archive.namelist()
    if "[Content_Types].xml" in names:
        raise Unreadable(_("This is a workbook or a document. Save the table as CSV (UTF-8) and upload that."))
    members = [one for one in archive.infolist() if not one.is_dir() and not _is_beside(one.filename)]
    if not members:
        raise Unreadable(_("The archive is empty."))
    if len(members) > 1:
        shown = ", ".join(PurePosixPath(one.filename).name for one in members[:3])
        raise Unreadable(
            _("The archive holds %(n)d files (%(names)s …). Upload them one by one.")
            % {"n": len(members), "names": shown[:200]}
        )
    if members[0].flag_bits & 1:
        raise Unreadable(_("The archive is locked with a password."))
    if stat.S_ISLNK(members[0].external_attr >> 16):
        raise Unreadable(_("The archive holds a link instead of a file."))
    return members[0]


def _is_beside(name: str) -> bool:
    """What systems and publishers put beside the data."""
    last = PurePosixPath(name.replace("\\", "/")).name.lower()
    return name.startswith(_NO_CONTENT) or last.startswith(".") or last.endswith(_DOCUMENTS)
