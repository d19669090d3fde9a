"""What users said, as the application hands it to a training job: one JSON file, people as numbers."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from .types import LearningError
from .weak import Check, Evidence, Voice, WeakText

NAME = "weak.json"


def write(path: Path, texts: Sequence[WeakText], checks: Sequence[Check]) -> None:
    """Labels are places in the label order, ids are below 0."""
    body = {"texts": [asdict(text) for text in texts], "checks": [asdict(check) for check in checks]}
    path.write_text(json.dumps(body, ensure_ascii=False), encoding="utf-8")


def read(path: Path) -> Evidence | None:
    """None where users were not to be listened to. Raises LearningError in words for a file that is none of ours."""
    if not path.exists():
        return None
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        texts = [
            WeakText(int(t["id"]), str(t["text"]), tuple(Voice(**voice) for voice in t["voices"]))
            for t in body["texts"]
        ]
        return Evidence(texts, [Check(**check) for check in body["checks"]])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LearningError("What users said cannot be read.") from error
