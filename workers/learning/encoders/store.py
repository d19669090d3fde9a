"""Graphs written once and kept: an encoder's ONNX files in a cache folder, whole or not there.

<cache>/<precision>-<digest>/model.onnx with a manifest of its SHA-256. A graph is built under a temporary name and
renamed when it is complete, so that a crash leaves nothing that looks finished; a damaged one is built again. The
verdicts of the parity gate lie beside it, one a host.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from ..checkpoint import file_sha256, write_synced
from ..types import LearningError
from .parity import Parity

GRAPH = "model.onnx"
MANIFEST = "manifest.json"
FORMAT = 1  # of the graphs; another one is built anew
SHOWN = 24  # digits of a digest in a folder's name


def default_cache() -> Path | None:
    """Below the application's data folder; None where the engine is used on its own."""
    home = os.environ.get("MARGINALIA_HOME")
    return Path(home).expanduser() / "encoders" if home else None


@contextmanager
def folder(cache: Path | None) -> Iterator[Path]:
    """The cache, or a folder for the time of a load where there is none. A session keeps the graph in memory."""
    if cache is not None:
        yield cache
        return
    with tempfile.TemporaryDirectory(prefix="marginalia-encoder-") as temporary:
        yield Path(temporary)


def graph(cache: Path, precision: str, digest: str, build: Callable[[Path], None]) -> Path:
    """The file of this graph, built by `build(file)` when it is not there or not what was written."""
    place = cache / f"{precision}-{digest[:SHOWN]}"
    if _whole(place):
        return place / GRAPH
    try:
        cache.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".partial", dir=cache))
        try:
            build(partial / GRAPH)
            manifest = {"format": FORMAT, "digest": digest, "sha256": file_sha256(partial / GRAPH)}
            write_synced(partial / MANIFEST, json.dumps(manifest).encode())
            _take_place(partial, place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise LearningError(f"The encoder's ONNX file could not be written: {error.strerror or error}.") from error
    return place / GRAPH


def verdict(cache: Path, key: str) -> Parity | None:
    """What the gate said here before; None when it has not been asked, or in a version that asked something else."""
    try:
        return Parity(**json.loads(_verdict_file(cache, key).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def keep_verdict(cache: Path, key: str, parity: Parity) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        write_synced(_verdict_file(cache, key), json.dumps(asdict(parity)).encode())
    except OSError as error:
        raise LearningError(f"The encoder's cache cannot be written: {error.strerror or error}.") from error


def _verdict_file(cache: Path, key: str) -> Path:
    return cache / f"verdict-{key}.json"


def _whole(place: Path) -> bool:
    try:
        told = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        return bool(told["format"] == FORMAT and told["sha256"] == file_sha256(place / GRAPH))
    except (OSError, ValueError, KeyError):
        return False


def _take_place(partial: Path, place: Path) -> None:
    if place.exists() and not _whole(place):
        shutil.rmtree(place)
    try:
        partial.replace(place)
    except OSError:
        if not _whole(place):  # else another process was first, with the same graph
            raise
