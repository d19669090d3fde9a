"""Model artefacts on disk: safetensors and a manifest, complete or absent, checked before anything is loaded.

An artefact is a folder. `manifest.json` names every other file with its SHA-256; the digest of the artefact is that of
its weights (of its graph, of its list of members). A folder is written under a temporary name, synced and renamed, so
that a crash or a full disk leaves the old one untouched. Nothing is ever pickled.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .types import LearningError, Task

MANIFEST = "manifest.json"
WEIGHTS = "model.safetensors"
ONNX = "model.onnx"
MEMBERS = "members.json"  # of an ensemble: which artefacts below its folder, with their digests
MAIN = (WEIGHTS, ONNX, MEMBERS)  # the first of these that is there decides the predictions and gives the digest
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    kind: str  # "head", "transformer" …
    encoder: str
    encoder_digest: str
    label_order: list[list[Any]]  # [[id, name], …] in the order of the probabilities
    seed: int
    snapshot_hash: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)  # name below the folder -> SHA-256
    format: int = FORMAT
    task: Task = "single"
    thresholds: list[float] = field(default_factory=list)  # multi: a label is said from this probability on

    @property
    def digest(self) -> str:
        return next(self.files[name] for name in MAIN if name in self.files)

    @property
    def n_classes(self) -> int:
        return len(self.label_order)


def prepare(target: Path) -> Path:
    """An empty folder beside `target` to write into; `publish` gives it its name."""
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent / f".{target.name}.{os.getpid()}.partial"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


@contextmanager
def draft(target: Path) -> Iterator[Path]:
    """A folder to fill and `publish`. If anything fails before that, it is gone and `target` is as it was.

    Raises LearningError in words when the disk refuses."""
    try:
        folder = prepare(target)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)  # published, it bears its name already
    except OSError as error:
        raise LearningError(f"The model could not be written: {error.strerror or error}.") from error


def publish(folder: Path, target: Path, manifest: Manifest) -> Manifest:
    """Digest and sync what was written to `folder`, add the manifest and rename it to `target`, replacing an older one.

    Returns the manifest as written. Raises LearningError in words when the disk refuses; `target` is then as it was.
    """
    try:
        names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
        done = Manifest(**{**asdict(manifest), "files": {name: file_sha256(folder / name) for name in names}})
        write_synced(folder / MANIFEST, json.dumps(asdict(done), ensure_ascii=False, indent=1).encode())
        for name in names:
            _sync(folder / name)
        _sync(folder)
        _swap(folder, target)
        _sync(target.parent)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise LearningError(f"The model could not be written: {error.strerror or error}.") from error
    return done


def annotate(target: Path, manifest: Manifest, **metrics: Any) -> Manifest:
    """Add to the metrics of a published artefact what only the published one can tell."""
    done = replace(manifest, metrics=manifest.metrics | metrics)
    try:
        write_synced(target / MANIFEST, json.dumps(asdict(done), ensure_ascii=False, indent=1).encode())
    except OSError as error:
        raise LearningError(f"The model could not be written: {error.strerror or error}.") from error
    return done


def verify(path: Path | str) -> Manifest:
    """Read the manifest and compare every file with it. Refuses a folder that is not exactly what was written."""
    folder = Path(path)
    manifest = _read_manifest(folder)
    for name, digest in manifest.files.items():
        file = folder / name
        if not _inside(folder, file):
            raise LearningError(f"The model in “{folder.name}” names a file outside its folder.")
        if not file.is_file():
            raise LearningError(f"The model in “{folder.name}” is incomplete: {name} is missing.")
        if file_sha256(file) != digest:
            raise LearningError(f"The model in “{folder.name}” was changed after it was written: {name} differs.")
    return manifest


def write_synced(path: Path, data: bytes) -> None:
    """The whole file or nothing, even when the power fails in between."""
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    temporary.replace(path)


def _read_manifest(folder: Path) -> Manifest:
    try:
        raw = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest = Manifest(**raw)
    except FileNotFoundError as error:
        raise LearningError(f"There is no model in “{folder.name}”: the manifest is missing.") from error
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError) as error:
        raise LearningError(f"The manifest of the model in “{folder.name}” cannot be read.") from error
    if manifest.format != FORMAT:
        raise LearningError(f"The model in “{folder.name}” has format {manifest.format}; this version reads {FORMAT}.")
    if not set(MAIN) & set(manifest.files):
        raise LearningError(f"The manifest of the model in “{folder.name}” names no weights.")
    return manifest


def _swap(folder: Path, target: Path) -> None:
    if not target.exists():
        folder.replace(target)
        return
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    target.replace(old)
    folder.replace(target)
    shutil.rmtree(old, ignore_errors=True)


def _inside(folder: Path, file: Path) -> bool:
    return file.resolve().is_relative_to(folder.resolve())


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
