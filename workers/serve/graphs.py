"""A fine-tuned model on a CPU is served by ONNX Runtime: its graph is made once and kept, if it answers alike."""

import json
import logging
import shutil
from pathlib import Path

from workers.learning import checkpoint
from workers.learning.types import LearningError

log = logging.getLogger(__name__)
SAME = 0.9999  # cosine of the probabilities on the probes
MOST_KEPT = 12


def wanted(folder: Path, device: str) -> bool:
    if device.startswith("cuda"):
        return False
    try:
        if json.loads((folder / checkpoint.MANIFEST).read_text(encoding="utf-8"))["kind"] != "transformer":
            return False
    except (OSError, ValueError, KeyError, TypeError):
        return False  # whoever opens it says what is wrong
    from workers.learning.encoders.transformer import resolve_device

    return resolve_device(device) == "cpu"


def quicker(folder: Path, digest: str, cache: Path) -> Path:
    """The folder of the graph, or `folder` itself where there is none that gives the same answers."""
    kept = cache / "served" / digest[:24]
    try:
        found = checkpoint.verify(kept) if kept.exists() else _made(folder, kept)
    except (LearningError, OSError) as error:
        log.warning("served by torch: %s", error)
        return folder
    parity = found.metrics["parity"]
    same = parity["agreement"] == 1.0 and (parity["cosine"] is None or parity["cosine"] >= SAME)
    return kept if same and found.config.get("source") == digest else folder


def _made(folder: Path, kept: Path) -> checkpoint.Manifest:
    from workers.learning.compress import to_onnx

    made = to_onnx(folder, kept, int8=False)
    older = sorted((one for one in kept.parent.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for one in older[:-MOST_KEPT]:
        shutil.rmtree(one, ignore_errors=True)
    return made
