"""Answers of the live version for the host product, each with an id that feedback can point at."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from numpy.typing import NDArray

from apps.common.errors import InvalidInput
from apps.content.models import MAX_TEXT
from apps.projects.models import Project
from apps.projects.subjects import pseudonym
from apps.registry.models import ModelVersion
from apps.serving import queries
from apps.serving.models import Served
from apps.serving.queries import Policy
from apps.serving.services import inference, remembering
from apps.serving.services.choosing import choose
from apps.serving.services.unavailable import Unavailable
from workers.serve.wire import Rows

MOST_TEXTS = 500
NOTHING_LIVE = gettext_lazy("No model serves this project yet. Train one and promote it.")


@dataclass(frozen=True, slots=True)
class Asked:
    text: str
    external_id: str = ""
    subject: str = ""  # as the host sends it; kept as its pseudonym
    language: str = ""


def predict(project: Project, asked: Sequence[Asked], *, consent: bool = False, remember: bool = True) -> list[Served]:
    """One answer for each text, in order; saved unless `remember` is False.

    Raises InvalidInput for texts that are empty or too long, DomainError (503) when nothing is live or the inference
    process does not answer.
    """
    _check(asked)
    serving = queries.serving(project)
    if serving is None:
        raise Unavailable(str(NOTHING_LIVE), retry_after=60)
    names = [inference.name_of(version) for version in serving.versions]
    texts = [one.text for one in asked]
    found = inference.ask(lambda client: client.predict(names, texts))
    version = serving.versions[found.told["model"]]
    answers = _spans(found, version, serving.policy) if "spans" in found.told else _labels(found, version, serving)
    now = timezone.now()
    rows = [
        Served(
            project=project,
            version=version,
            external_id=one.external_id,
            subject=pseudonym(project, one.subject),
            consent=consent,
            text=one.text if consent else "",
            text_hash=hashlib.sha256(one.text.encode()).digest(),
            language=one.language,
            at=now,
            **answer,
        )
        for one, answer in zip(asked, answers, strict=True)
    ]
    if remember:
        remembering.remember(rows)
    return rows


def _check(asked: Sequence[Asked]) -> None:
    if not asked:
        raise InvalidInput(_("Send at least one text."), field="texts")
    if len(asked) > MOST_TEXTS:
        sentence = _("%(n)d texts are too many for one request; send at most %(most)d.")
        raise InvalidInput(sentence % {"n": len(asked), "most": MOST_TEXTS}, field="texts")
    for place, one in enumerate(asked):
        if not one.text.strip():
            raise InvalidInput(_("Text number %(n)d is empty.") % {"n": place}, field=f"texts.{place}")
        if len(one.text) > MAX_TEXT:
            sentence = _("Text number %(n)d has %(length)d characters; at most %(most)d are read.")
            values = {"n": place, "length": len(one.text), "most": MAX_TEXT}
            raise InvalidInput(sentence % values, field=f"texts.{place}")


def _labels(found: Rows, version: ModelVersion, serving: queries.Serving) -> list[dict[str, Any]]:
    matrix: NDArray[np.float32] = np.frombuffer(found.raw, dtype="<f4").reshape(found.shape)
    order = [int(pk) for pk, _name in version.label_order]
    best = matrix.argmax(axis=1).tolist()
    if found.told["task"] == Project.TaskKind.MULTI:
        limits = np.array(version.thresholds or [0.5] * len(order), dtype=np.float32)
        said = matrix >= np.maximum(limits, np.float32(serving.policy.threshold))
        parts = [_several(order, np.flatnonzero(row).tolist()) for row in said]
    else:
        parts = [_single(order, row, serving.policy) for row in matrix.astype(np.float64).tolist()]
    return [
        {"label_id": order[at], "confidence": float(row[at]), "probabilities": row.tolist(), **part}
        for row, at, part in zip(matrix, best, parts, strict=True)
    ]


def _single(order: list[int], probabilities: list[float], policy: Policy) -> dict[str, Any]:
    shown = choose(probabilities, policy)
    return {"shown_id": None if shown.place is None else order[shown.place], "propensity": shown.propensity}


def _several(order: list[int], places: list[int]) -> dict[str, Any]:
    return {"value": {"labels": sorted(order[place] for place in places)}}


def _spans(found: Rows, version: ModelVersion, policy: Policy) -> list[dict[str, Any]]:
    order = [int(pk) for pk, _name in version.label_order]
    return [
        {
            "confidence": answer["confidence"],
            "value": {
                "spans": [
                    span | {"label": order[span["label"]], "score": round(span["score"], 4)}
                    for span in answer["spans"]
                    if span["score"] >= policy.threshold
                ]
            },
        }
        for answer in found.told["spans"]
    ]
