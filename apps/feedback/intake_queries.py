"""Reads: what the events of a request are about, in as few questions as there are kinds of pointers."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from apps.common.rows import Row, rows
from apps.feedback.intake_checks import Event
from apps.feedback.models import IntakeKey
from apps.projects.models import Project

_SERVED = """
SELECT s.id, s.version_id, coalesce(s.shown_id, s.label_id),
       CASE WHEN s.shown_id IS NULL OR s.shown_id = s.label_id THEN s.confidence END,
       s.value, s.text, s.text_hash, s.consent, s.subject, s.language, i.id
FROM serving_served s
LEFT JOIN content_item i ON s.external_id <> '' AND i.project_id = s.project_id AND i.external_id = s.external_id
                            AND i.text_hash = s.text_hash
WHERE s.project_id = %(project)s AND s.id = ANY(%(ids)s)
"""
_NEWEST_SERVED = """
SELECT DISTINCT ON (external_id) external_id, id FROM serving_served
WHERE project_id = %(project)s AND external_id <> '' AND external_id = ANY(%(ids)s)
ORDER BY external_id, at DESC
"""
_ITEMS = """
SELECT id, external_id, text_hash, text, language FROM content_item
WHERE project_id = %(project)s AND external_id = ANY(%(ids)s)
"""
_SAME_TEXT = """
SELECT DISTINCT ON (text_hash) id, external_id, text_hash, text, language FROM content_item
WHERE project_id = %(project)s AND text_hash = ANY(%(hashes)s) ORDER BY text_hash, id
"""
_PREDICTIONS = """
SELECT item_id, version_id, label_id, confidence, value FROM annotation_prediction
WHERE item_id = ANY(%(items)s) AND version_id = ANY(%(versions)s)
"""
_VERSIONS = "SELECT number, id FROM registry_modelversion WHERE project_id = %(project)s AND number = ANY(%(numbers)s)"
_LABELS = (
    "SELECT name, id, archived_at IS NULL FROM projects_label WHERE project_id = %(project)s AND name = ANY(%(names)s)"
)


@dataclass(frozen=True, slots=True)
class About:
    """What one event is about. Everything may be missing: rows are forgotten, hosts know things that we do not."""

    served: UUID | None = None
    item: int | None = None
    version: int | None = None
    predicted: int | None = None
    confidence: float | None = None
    said: dict[str, Any] | None = None  # the model's several labels or spans, by label id
    text: str = ""
    text_hash: bytes | None = None
    consent: bool = False  # given when it was predicted
    subject: str = ""
    language: str = ""


NOTHING = About()


@dataclass(frozen=True)
class Known:
    """Everything that the events of one request point at."""

    served: dict[UUID, About]
    newest: dict[str, UUID]  # external id -> its newest prediction
    items: dict[str, About]
    texts: dict[bytes, About]
    predictions: dict[tuple[int, int], About]
    versions: dict[int, int]  # number -> id
    labels: dict[str, tuple[int, bool]]  # name -> id, still offered
    overlapping: bool  # spans may overlap here

    def about(self, event: Event) -> About:
        if event.prediction in self.served:
            return self.served[event.prediction]
        version = self.versions.get(event.version) if event.version is not None else None
        if event.item:
            found = self.items.get(event.item, NOTHING)
            served = self.served.get(self.newest[event.item]) if event.item in self.newest else None
            if served is not None and version in (None, served.version):
                return replace(served, item=served.item or found.item)
        else:
            found = self.texts.get(text_hash(event.text), NOTHING) if event.text else NOTHING
        if version is None:
            return found
        said = self.predictions.get((found.item or 0, version), NOTHING)
        return replace(found, version=version, predicted=said.predicted, confidence=said.confidence, said=said.said)


def known(project: Project, events: Sequence[Event]) -> Known:
    names = {event.predicted for event in events if event.predicted}
    names.update(name for event in events for name in event.labels or ())
    names.update(span["label"] for event in events for span in event.spans or ())
    external = _distinct(event.item for event in events if event.prediction is None and event.item)
    newest: dict[str, UUID] = dict(rows(_NEWEST_SERVED, {"project": project.pk, "ids": external})) if external else {}
    ids = list({*newest.values(), *(event.prediction for event in events if event.prediction is not None)})
    served = rows(_SERVED, {"project": project.pk, "ids": ids}) if ids else []
    items = rows(_ITEMS, {"project": project.pk, "ids": external}) if external else []
    hashes = list({text_hash(event.text) for event in events if event.text and not event.item and not event.prediction})
    same = rows(_SAME_TEXT, {"project": project.pk, "hashes": hashes}) if hashes else []
    numbers = _distinct(event.version for event in events if event.version is not None)
    versions: dict[int, int] = dict(rows(_VERSIONS, {"project": project.pk, "numbers": numbers})) if numbers else {}
    return Known(
        served={row[0]: _served(row) for row in served},
        newest=newest,
        items={row[1]: _item(row) for row in items},
        texts={bytes(row[2]): _item(row) for row in same},
        predictions=_predictions([row[0] for row in (*items, *same)], list(versions.values())),
        versions=versions,
        labels=labels(project.pk, names),
        overlapping=project.overlapping,
    )


def labels(project: int, names: Iterable[str]) -> dict[str, tuple[int, bool]]:
    wanted = _distinct(names)
    found = rows(_LABELS, {"project": project, "names": wanted}) if wanted else []
    return {name: (pk, offered) for name, pk, offered in found}


def _predictions(items: list[int], versions: list[int]) -> dict[tuple[int, int], About]:
    if not items or not versions:
        return {}
    found = rows(_PREDICTIONS, {"items": items, "versions": versions})
    return {
        (item, version): About(item=item, version=version, predicted=label, confidence=confidence, said=_json(value))
        for item, version, label, confidence, value in found
    }


def _served(row: Row) -> About:
    pk, version, label, confidence, value, text, digest, consent, subject, language, item = row
    said, digest = _json(value), bytes(digest)
    return About(pk, item, version, label, confidence, said, text, digest, consent, subject, language)


def _json(value: str | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None if value is None else orjson.loads(value)  # Django has it delivered as text
    return found


def _item(row: Row) -> About:
    return About(item=row[0], text_hash=bytes(row[2]), text=row[3], language=row[4])


def text_hash(text: str) -> bytes:
    """As items are known by: with line ends as they are stored."""
    return hashlib.sha256(text.replace("\r\n", "\n").replace("\r", "\n").encode()).digest()


def _distinct(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))


def is_listed(origin: str) -> bool:
    """Whether some key in use is meant for pages of this origin."""
    if not origin.isprintable() or not 0 < len(origin) <= 300:
        return False
    return IntakeKey.objects.filter(revoked_at=None, project__archived_at=None, origins__contains=[origin]).exists()
