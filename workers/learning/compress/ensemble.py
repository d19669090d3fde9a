"""Several versions as one: the mean of their probabilities, or for spans what more than half of them found."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .. import checkpoint
from ..checkpoint import MANIFEST, MEMBERS, Manifest
from ..predict import Predictor
from ..types import LearningError
from .report import finish


def ensemble(sources: Sequence[Path], target: Path, *, texts: Sequence[str] = ()) -> Manifest:
    """Publish the versions in `sources` together. They must have the same task and the same labels in the same order;
    the agreement is with the first. Files are linked where the disk allows it, so that nothing is stored twice."""
    manifests = [checkpoint.verify(source) for source in sources]
    _check(manifests)
    first = manifests[0]

    def write(folder: Path) -> None:
        for i, (source, manifest) in enumerate(zip(sources, manifests, strict=True)):
            for name in (*manifest.files, MANIFEST):
                _link(source / name, folder / _member(i) / name)
        members = [{"folder": _member(i), "digest": m.digest, "kind": m.kind} for i, m in enumerate(manifests)]
        (folder / MEMBERS).write_text(json.dumps(members, indent=1), encoding="utf-8")

    plain = replace(
        first,
        kind="ensemble",
        thresholds=_mean_thresholds(manifests),
        config={"sources": [m.digest for m in manifests]},
        metrics={"members": len(manifests)},
        files={},
    )
    return finish(target, plain, write, source=Predictor(sources[0], device="cpu"), texts=texts)


def _check(manifests: Sequence[Manifest]) -> None:
    if len(manifests) < 2:
        raise LearningError("An ensemble needs at least two versions.")
    if any(m.kind == "ensemble" for m in manifests):
        raise LearningError("An ensemble cannot hold another ensemble: name its versions.")
    if len({m.digest for m in manifests}) < len(manifests):
        raise LearningError("The same version was named twice.")
    first = manifests[0]
    if any(m.task != first.task or m.label_order != first.label_order for m in manifests):
        raise LearningError("The versions of an ensemble need the same task and the same labels in the same order.")


def _mean_thresholds(manifests: Sequence[Manifest]) -> list[float]:
    if any(len(m.thresholds) != m.n_classes for m in manifests):
        return []
    return [sum(values) / len(values) for values in zip(*(m.thresholds for m in manifests), strict=True)]


def _member(i: int) -> str:
    return f"member-{i}"


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(source, target)
