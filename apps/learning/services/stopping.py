"""Is labelling more still worth it? What the head said of fixed pool items, a round of labels ago and now.

A round is ROUND labels: between two refreshes a few labels apart nothing would ever seem to change.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.translation import gettext as _
from numpy.typing import NDArray

from apps.learning.models import LiveHead
from apps.projects.models import Project
from workers.learning.types import Round, StoppingAdvice

FIXED = 2_000  # pool items that are asked about every round, always the same ones; with fewer, kappa jumps
ROUND = 50  # labels
KEPT = 40  # rounds


@dataclass(frozen=True, slots=True)
class Look:
    """One refresh, as far as stopping is concerned."""

    pool: NDArray[np.int64]  # (n,) ids of items in the pool
    said: Callable[[NDArray[np.int64]], NDArray[Any]]  # item ids -> (m,) classes or (m, k) bool, now
    labelled: NDArray[np.int64]  # ids of items with a truth
    labels: int  # how many truths
    classes: int  # labels seen among them
    score: float | None  # on the hold-out
    frame: str  # what must stay the same for answers to be comparable: encoder and label order


def due(stability: dict[str, Any], labels: int, frame: str) -> bool:
    """Whether so many labels call for a look: a round after the last one, and at once when everything changed."""
    rounds = stability.get("rounds") or []
    return not rounds or stability.get("frame") != frame or labels >= rounds[-1]["labels"] + ROUND


def noted(stability: dict[str, Any], look: Look, rng: np.random.Generator) -> dict[str, Any]:
    """The record with one more round."""
    from workers.learning.evaluate import stopping as measure

    items = _unpacked(stability.get("items"), np.int64)
    if not len(items) or (~np.isin(items, look.pool)).mean() > 0.5:
        items = np.sort(rng.choice(look.pool, min(FIXED, len(look.pool)), replace=False))
        stability = {}
    here = items[np.isin(items, look.pool)]
    now = np.asarray(look.said(here))
    flat = (now.reshape(len(here), -1) if len(here) else now.reshape(0, 1)).astype(np.int16)
    agreement = None
    if stability.get("frame") == look.frame and stability.get("asked") == len(here):
        before = _unpacked(stability["said"], np.int16).reshape(flat.shape)
        fresh = ~np.isin(here, look.labelled)
        agreement = measure.stability(before[fresh], flat[fresh]) if fresh.any() else None
    this = {"labels": look.labels, "classes": look.classes, "agreement": agreement, "score": look.score}
    # labels may have been taken back: every round is a whole one after the last
    rounds = [*(row for row in stability.get("rounds", []) if row["labels"] + ROUND <= look.labels), this]
    return {
        "frame": look.frame,
        "items": _packed(items),
        "asked": len(here),
        "said": _packed(flat),
        "rounds": rounds[-KEPT:],
    }


def advice(project: Project) -> StoppingAdvice | None:
    """None before the first round."""
    from workers.learning.evaluate import stopping

    head = LiveHead.objects.filter(project=project).only("stability").first()
    rounds = [Round(**row) for row in (head.stability.get("rounds") or [])] if head else []
    return stopping.advise(rounds) if rounds else None


def sentence(found: StoppingAdvice) -> str:
    """What the advice says to a person, as advice."""
    texts = {
        "too_few_rounds": _("Too early to say whether more labels would help: keep labelling."),
        "new_class": _("A label has turned up for the first time lately: keep labelling."),
        "unstable": _("The model still changes its mind from one round of labels to the next: keep labelling."),
        "still_rising": _("The hold-out score is still rising: more labels are worth their while."),
        "stable": _("The model has stopped changing its mind: more labels of this kind would hardly improve it."),
    }
    return texts[found.reason]


def _packed(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _unpacked(stored: str | None, kind: Any) -> NDArray[Any]:
    return np.frombuffer(base64.b64decode(stored or ""), dtype=kind)
